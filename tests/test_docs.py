"""Every kwsd command line in the documentation is one that kwsd understands."""

import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from kwsd.cli.commands import cli
from kwsd.cli.words import DEFAULT_WORD
from kwsd.runtime.modelfile import find_model, read_model

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(page for folder in ("docs", "models", "results") for page in (ROOT / folder).rglob("*.md")),
]


def command_lines(page: Path) -> list[str]:
    """The lines of a page's code blocks that call kwsd."""
    text = page.read_text()
    fenced = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (.*)$", text, re.MULTILINE)
    lines = [line for block in (*fenced, *indented) for line in block.splitlines()]
    return [found[0] for line in lines if (found := re.search(r"(?:^|\| )kwsd .*", line))]


COMMANDS = {f"{page.name}: {line}": line for page in PAGES for line in command_lines(page)}


def test_the_documentation_has_commands() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_a_documented_command_is_understood(line: str) -> None:
    line = re.sub(r"\$(negatives|noise|speech)\b", r"--\1 DIR", line)  # variables hold such options
    words = shlex.split(line.removeprefix("| "), comments=True)
    ends = [n for n, word in enumerate(words) if word in ("|", ">", ">>", "&&", "&")]
    words = words[1 : ends[0]] if ends else words[1:]
    words = [word for word in words if not word.startswith("$")]
    command: click.Command | None = cli
    context = click.Context(cli, **cli.context_settings)  # click keeps the help option it first makes
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    assert command is not None
    command.make_context("kwsd", words, parent=context)  # raises for an option that is unknown or missing


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_the_source_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/~])(?:kwsd|tools|benchmarks|examples|tests)/[\w/-]+(?:\.py)?(?!\.?\w)", page.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_of_commands_holds_their_help() -> None:
    written = (ROOT / "docs" / "commands.md").read_text()
    assert written == runpy.run_path(str(ROOT / "tools" / "make_commands.py"))["page"](), (
        "run python tools/make_commands.py"
    )


EVERYWHERE = ("clean", "10db", "sky")


@pytest.mark.parametrize(
    ("model", "conditions"),
    [
        *((model, EVERYWHERE) for model in ("happy", "student", "nano", "alexa", "jarvis", "computer")),
        *((model, ("sky",)) for model in ("hey-jarvis", "hey-computer", "marvin")),
    ],
)
def test_the_results_are_those_recorded(model: str, conditions: tuple[str, ...]) -> None:
    [row] = re.findall(rf"^\| `{model}` .*", (ROOT / "docs" / "results.md").read_text(), re.MULTILINE)
    for condition in conditions:
        point = point_of(model, condition)
        missed, low, high = (100 * share for share in (point["frr"], *point["frr_95"]))
        assert f"{missed:.1f} % ({low:.1f} to {high:.1f})" in row
        if (model, condition) != ("computer", "sky"):  # the dialogue says "computer"
            assert f"{point['fa_per_hour']:.1f} (".replace("0.0 (", "0 (") in row


def point_of(model: str, condition: str) -> dict[str, Any]:
    """The recorded point of the model's curve at its threshold."""
    curve = json.loads((ROOT / "results" / "streams" / f"{model}-{condition}.json").read_text())["curve"]
    threshold = read_model(find_model(model)).settings.threshold
    [point] = [point for point in curve if point["threshold"] == pytest.approx(threshold)]
    return dict(point)


def test_the_misses_within_speech_are_those_recorded() -> None:
    results = (ROOT / "docs" / "results.md").read_text()
    models = ("jarvis", "alexa", "computer", "happy", "student", "nano")
    header = re.escape(f"\n| {' | '.join(models)} |\n")
    [row] = re.findall(rf"{header}.*\n(.*)", results)
    for model, cell in zip(models, row.strip("| ").split(" | "), strict=True):
        point = point_of(model, "fluent")
        missed, low, high = (100 * share for share in (point["frr"], *point["frr_95"]))
        assert cell == f"{missed:.1f} % ({low:.1f} to {high:.1f})"


@pytest.mark.parametrize("model", ["jarvis", "alexa", "computer"])
def test_the_alarms_in_each_kind_of_speech_are_those_recorded(model: str) -> None:
    [row] = re.findall(rf"^\| `{model}`, 0.*", (ROOT / "docs" / "results.md").read_text(), re.MULTILINE)
    kinds = [
        [point_of(model, f"{kind}{snr}") for snr in ("", "10")] for kind in ("libri", "ocean", "drascula")
    ]
    alarms = [", ".join(str(point["false_alarms"]) for point in points) for points in kinds]
    missed = np.mean([points[1]["frr"] for points in kinds])
    worst = max(sum(p["false_alarms"] for p in points) / sum(p["hours"] for p in points) for points in kinds)
    assert row.split(" | ")[1:] == [f"{100 * missed:.1f} %", *alarms, f"{worst:.1f} |"]


def test_the_pages_name_the_default_word() -> None:
    assert f"`{DEFAULT_WORD}` (the default)" in (ROOT / "README.md").read_text()
    assert (ROOT / "scripts" / "try").read_text().count(f"'{DEFAULT_WORD}'") == 2


def test_the_readme_counts_and_names_the_words_that_are_offered() -> None:
    offered = pytest.importorskip("kwsd.wyoming.words", exc_type=ImportError).SHIPPED
    readme = (ROOT / "README.md").read_text()
    counts = ("five", "six", "seven", "eight", "nine", "ten")
    [count] = re.findall(r"(\w+) words are ready\s+to\s+use", readme)
    assert 5 + counts.index(count.lower()) == len(offered)
    [named] = re.findall(r"^## Which word\n\n(.*?);", readme, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", named)) == set(offered)


def test_what_a_workflow_names_is_there() -> None:
    text = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    named = set(re.findall(r"(?:scripts|tests|docs|\.ci)/[\w./-]*\w", text))
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).exists()] == []
