"""``kwsd service``: kwsd as a systemd service, the user's or the machine's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from kwsd.errors import KwsdError, UsageError

SYSTEM = click.option("--system", is_flag=True, help="The machine's service, not the user's.")


@click.group(name="service")
def command() -> None:
    """Run kwsd as a systemd service: in your session or, with --system, for the machine."""


@command.command(context_settings={"ignore_unknown_options": True})
@SYSTEM
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[LISTEN OPTIONS]...")
def install(system: bool, options: tuple[str, ...]) -> None:
    """Install the service, enable it and start it. It takes the options of kwsd listen."""
    from kwsd.daemon.unit import system_unit, user_unit

    listen, needed = _listen_options(options, system)
    executable = Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute()
    line = [str(executable), "listen", *listen]
    if system:
        interpreter = Path(sys.executable)
        unit = system_unit(line, (executable, interpreter, interpreter.resolve(), Path(__file__), *needed))
    else:
        unit = user_unit(line)
    _systemctl(system, "show-environment")  # before anything is written: is there a systemd to talk to?
    path = _unit_path(system)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit)
    except OSError as error:
        raise KwsdError(f"cannot write {path}: {error.strerror}" + (" (sudo?)" if system else "")) from error
    _systemctl(system, "daemon-reload")
    _systemctl(system, "enable", path.name)
    print("Starting: it waits for the microphone (Ctrl-C leaves the waiting to systemd).", flush=True)
    _systemctl(system, "restart", path.name)
    print(f"{path} is installed and runs.")
    if not system:
        print("It runs while you are logged in; to have it run always: loginctl enable-linger")


@command.command()
@SYSTEM
def uninstall(system: bool) -> None:
    """Stop the service, disable it and remove it."""
    path = _unit_path(system)
    if not path.exists():
        raise UsageError(f"there is no {path} to uninstall")
    _systemctl(system, "disable", "--now", path.name)
    try:
        path.unlink()
    except OSError as error:
        raise KwsdError(f"cannot remove {path}: {error.strerror}") from error
    _systemctl(system, "daemon-reload")
    print(f"{path} is removed.")


@command.command()
@SYSTEM
def status(system: bool) -> None:
    """Show what systemd knows of the service; the exit code is systemctl's."""
    from kwsd.daemon.unit import NAME

    sys.exit(_run([*_base(system), "--no-pager", "status", NAME]).returncode)


def _listen_options(options: tuple[str, ...], system: bool) -> tuple[list[str], list[Path]]:
    """The options as the service is to have them, paths made absolute, and the files that it reads.

    Raises UsageError, or click's own, for options that kwsd listen would refuse or a service cannot have.
    """
    from kwsd.cli import listen
    from kwsd.daemon.unit import STATE
    from kwsd.runtime.modelfile import find_model, read_model

    context = listen.command.make_context("kwsd service install", list(options))
    words: list[str] = []
    model = find_model(context.params["model"])
    read_model(model)
    needed = [model.absolute()]
    for parameter in listen.command.params:
        name, value = parameter.opts[0], context.params[str(parameter.name)]
        source = context.get_parameter_source(str(parameter.name))
        typed = source is ParameterSource.COMMANDLINE
        if source is ParameterSource.DEFAULT and not (name == "--config" and value and system):
            continue  # the machine's service has no home to look for a configuration in
        if name in ("--input", "--meter"):
            raise UsageError(f"{name} is not for a service, which hears a microphone and has no terminal")
        if name == "--config":
            value, typed = value.absolute(), True
            needed.append(value)
        if name == "--model" and str(model) == value:  # a file; else the name of a shipped model
            value = model.absolute()
        if name == "--save-clips":
            value = value.absolute()
            if system and not value.is_relative_to(STATE):
                raise UsageError(f"--save-clips must be in {STATE}, the only place its user can write to")
        if typed and isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(name)
        elif typed:
            for one in value if parameter.multiple else (value,):
                words += [name, str(one)]
    return words, needed


def _unit_path(system: bool) -> Path:
    from kwsd.daemon.unit import NAME

    if system:
        return Path("/etc/systemd/system") / NAME
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config).expanduser() / "systemd/user" / NAME


def _base(system: bool) -> list[str]:
    return ["systemctl", "--system" if system else "--user"]


def _systemctl(system: bool, *arguments: str) -> None:
    """Run systemctl. Raises KwsdError, with what it said, where it fails."""
    line = [*_base(system), *arguments]
    done = _run(line, capture_output=True)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise KwsdError(f"{' '.join(line)}: {said}")


def _run(line: list[str], capture_output: bool = False) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(line, capture_output=capture_output, text=True, check=False)
    except FileNotFoundError as error:
        raise KwsdError("there is no systemctl here: kwsd service needs systemd") from error
