"""What kwsd says of itself: on a screen of 24 lines, and the same everywhere."""

import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from harness import KWSD, PATIENCE

from kwsd.cli.commands import COMMANDS, LISTENING, TRAINING, cli


def printed(*arguments: str, columns: int = 80) -> str:
    """What the command line prints on a terminal so wide."""
    return CliRunner().invoke(cli, arguments, prog_name="kwsd", env={"COLUMNS": str(columns)}).output


def test_kwsd_alone_fits_on_a_screen_and_begins_with_listening() -> None:
    lines = printed().splitlines()
    assert len(lines) <= 23  # and the prompt
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS]
    assert listed == list(LISTENING)
    assert all(name in " ".join(lines) for name in TRAINING)


def test_the_help_describes_every_command_as_the_command_does() -> None:
    every = " ".join(printed("--help").split())
    for name, description in COMMANDS.items():
        assert f"{name} {description}" in every
        lines = [line.strip() for line in printed(name, "--help").splitlines()]
        assert lines[2:4] == [description, ""], name
        assert printed(name, "--help") == printed(name, "--help")


def test_the_import_contract_names_every_command() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    contracts = {one["name"]: one for one in project["tool"]["importlinter"]["contracts"]}
    assert set(contracts["no command imports another"]["modules"]) == {
        f"kwsd.cli.{name}" for name in COMMANDS
    }


@pytest.mark.parametrize("arguments", [(), ("--help",), ("listen", "--help"), ("train", "--help")])
def test_a_narrow_terminal_wraps(arguments: tuple[str, ...]) -> None:
    lines = printed(*arguments, columns=40).splitlines()
    longest = max(lines, key=len)
    assert len(longest) <= 40


@pytest.mark.parametrize(("typed", "meant"), [("lisen", "listen"), ("Listen", "listen"), ("trian", "train")])
def test_a_mistyped_command_suggests(typed: str, meant: str) -> None:
    done = subprocess.run([KWSD, typed], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"kwsd: No such command '{typed}'; did you mean {meant}? (kwsd --help)\n"


def test_a_command_like_no_other_suggests_none() -> None:
    assert "did you mean" not in printed("qqqq")


def test_the_order_of_the_lists_is_that_of_the_commands() -> None:
    assert cli.list_commands(click.Context(cli)) == [*LISTENING, *TRAINING]


def test_the_version_is_that_of_the_package() -> None:
    assert re.search(rf"\b{re.escape(importlib.metadata.version('kwsd'))}\b", printed("--version"))
