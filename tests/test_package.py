"""What a user of the wheel gets beside the modules, asked of the Python that `kwsd` runs on."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from harness import KWSD, PATIENCE

from kwsd.cli.commands import cli

ROOT = Path(__file__).parents[1]
PYTHON = KWSD.with_name("python")
SOURCES = list((ROOT / "kwsd").rglob("*.py"))
PAGES = {name for path in SOURCES for name in re.findall(r"page\([\"']([\w-]+)[\"']\)", path.read_text())}

needs_installation = pytest.mark.skipif(not PYTHON.exists(), reason=f"{KWSD} is not in an environment")


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, env=environment or None, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    return done.stdout


def ask(question: str) -> Any:
    """The value of an expression in an interpreter that has kwsd installed."""
    program = f"import json, importlib.metadata, importlib.resources; print(json.dumps({question}))"
    return json.loads(run(PYTHON, "-I", "-c", program))


def test_the_project_s_table_lists_every_page_that_a_message_names() -> None:
    assert {"install", "silent-microphone"} <= PAGES
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name in PAGES:
        assert (ROOT / "docs" / f"{name}.md").is_file()
        assert shipped[f"docs/{name}.md"] == f"kwsd/share/docs/{name}.md"


def test_a_container_is_built_from_all_that_the_package_is_made_of() -> None:
    lets_through = (ROOT / ".dockerignore").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for path in (
        "kwsd",
        "README.md",
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"],
    ):
        assert f"!{Path(path).parts[0]}" in lets_through


@needs_installation
def test_the_pages_that_messages_name_are_installed() -> None:
    for name in PAGES:
        assert ask(f"__import__('kwsd.resources').resources.page({name!r}).is_file()")


@needs_installation
def test_types_are_for_everybody() -> None:
    assert ask("(importlib.resources.files('kwsd') / 'py.typed').is_file()")


@needs_installation
def test_python_m_kwsd_is_kwsd() -> None:
    assert run(PYTHON, "-m", "kwsd", "--version") == run(KWSD, "--version")


@needs_installation
def test_no_link_of_the_page_on_pypi_is_relative() -> None:
    text = ask("importlib.metadata.metadata('kwsd')['Description']")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert len(links) > 10
    assert [link for link in links if not re.match(r"https://|#", link)] == []
    assert "](https://raw.githubusercontent.com/OWNER/kwsd/main/docs/score.png)" in text


@needs_installation
def test_torch_and_torchaudio_are_bounded() -> None:
    required = ask("importlib.metadata.requires('kwsd')")
    bounds = [line for line in required if re.match(r"torch(audio)?\b", line)]
    assert len(bounds) == 4  # both, in the extras `train` and `new`
    assert all(re.search(r"<\d", line) for line in bounds)


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("kwsd lis", {"listen"}),
        ("kwsd listen --model ha", {"happy"}),
        ("kwsd doctor --model jar", {"jarvis"}),
        ("kwsd info stu", {"student", "student-int8"}),
    ],
)
def test_the_shell_completes_commands_and_models(line: str, completed: set[str]) -> None:
    asked = {"_KWSD_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    lines = run(KWSD, PATH="/usr/bin:/bin", **asked).split()
    assert {value for kind, value in (each.split(",") for each in lines) if kind == "plain"} == completed


def test_the_shell_completes_files() -> None:
    pending: list[click.Command] = [cli]
    named = []
    while pending:
        command = pending.pop()
        context = click.Context(command)
        if isinstance(command, click.Group):
            pending += filter(
                None, (command.get_command(context, name) for name in command.list_commands(context))
            )
        for parameter in command.params:
            if re.search("FILE|DIR|PATH", parameter.make_metavar(context)):
                named.append(parameter.opts[0])
                kinds = [item.type for item in parameter.shell_complete(context, "x")]
                assert kinds[:1] in (["file"], ["dir"]), (command.name, parameter.opts)
    assert {"--input", "--config", "--save-clips", "--data", "--out"} <= set(named)
