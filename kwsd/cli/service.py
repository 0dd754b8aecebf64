"""``kwsd service``: installs kwsd as a systemd service, for one user or for the whole machine."""

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kwsd.daemon.logs import say
from kwsd.daemon.systemd.unit import NEEDS_LINUX
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.daemon.systemd.account import Account
    from kwsd.daemon.systemd.service import Service

NOT_INSTALLED = 4  # exit code of systemctl status

SYSTEM = click.option(
    "--system", is_flag=True, help="Use the service of the whole machine instead of the user's."
)
WYOMING = click.option(
    "--wyoming", is_flag=True, help="Use the service for Home Assistant, which runs kwsd wyoming."
)


@click.group(name="service")
def command() -> None:
    """The service runs in your session or, with --system, for the whole machine."""
    if sys.platform != "linux":
        raise UsageError(NEEDS_LINUX)


@command.command(context_settings={"ignore_unknown_options": True})
@SYSTEM
@click.option("--run-as", metavar="USER", help="With --system: run as this user instead of a new one.")
@click.option("--no-network", is_flag=True, help="Deny network access to hooks.  [default: allowed]")
@WYOMING
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[LISTEN OPTIONS]...")
def install(
    system: bool, run_as: str | None, no_network: bool, wyoming: bool, options: tuple[str, ...]
) -> None:
    """Install, enable and start the service. It runs kwsd listen with these options.

    With --system but without --run-as, hooks cannot use a home folder, sudo, a sound server or GPIO.

    With --wyoming it runs kwsd wyoming with these options. Both services can be installed.
    """
    from kwsd.daemon.systemd.service import Service

    if wyoming:
        if run_as or no_network:
            raise UsageError("--run-as and --no-network are for hooks, which kwsd wyoming does not have")
        _install_wyoming(Service(system, wyoming=True), options)
        return
    service = Service(system, _account(system, run_as))
    words, hooks, reads = _listen_options(options, service)
    network = bool(hooks) and not no_network
    text = service.unit([*_kwsd(), "listen", *words], network, reads)
    service.check_ours("install")
    for warning in service.warnings(hooks, text):
        say(f"warning: {warning}", logging.WARNING)
    service.write(text)
    print("Starting and waiting for the microphone. After Ctrl-C, systemd continues to wait.", flush=True)
    service.start()
    print(f"{service.path} is installed and running.")
    if network:
        print("Hooks have network access; --no-network denies it.")
    else:
        print("Hooks have no network access." if hooks else "No hooks, so network access is denied.")
    _print_commands(service)
    if not service.lingers() and (run_as or not system):
        what = f"The sound server of {run_as} stops when {run_as} logs" if run_as else "It stops when you log"
        print(f"{what} out; to keep it running: loginctl enable-linger {run_as or ''}".rstrip())


def _install_wyoming(service: "Service", options: tuple[str, ...]) -> None:
    """Install, enable and start the service for Home Assistant."""
    line, reads = _wyoming_options(options, service)
    text = service.unit([*_kwsd(), "wyoming", *line], network=True, reads=reads)
    service.check_ours("install")
    for warning in service.warnings((), text):
        say(f"warning: {warning}", logging.WARNING)
    service.write(text)
    service.start()
    print(f"{service.path} is installed and running.")
    _print_commands(service)
    if not service.system and not service.lingers():
        print("It stops when you log out; to keep it running: loginctl enable-linger")


def _print_commands(service: "Service") -> None:
    """Print the commands for daily use."""
    scope, name = service.scope, service.name.removesuffix(".service")
    print(f"  log             journalctl {scope} -u {name} -f")
    print(f"  state           kwsd service status{service.option}")
    print(f"  stop, start     systemctl {scope} stop {name}; systemctl {scope} start {name}")
    print(f"  after upgrades  systemctl {scope} restart {name}")
    print(f"  remove          kwsd service uninstall{service.option}")


@command.command()
@SYSTEM
@WYOMING
@click.option("--purge", is_flag=True, help="Also remove drop-in files and recordings.")
def uninstall(system: bool, wyoming: bool, purge: bool) -> None:
    """Stop, disable and remove the service."""
    from kwsd.daemon.systemd.service import Service, remove

    service = Service(system, wyoming=wyoming)
    if service.uninstall():
        print(f"{service.path} was removed.")
    elif not (purge and service.leftovers()):
        raise UsageError(f"there is no {service.path} to uninstall")
    for path in service.leftovers():
        if not purge:
            print(f"not removed: {path}")
            continue
        kept = remove(path)
        print(f"{path} was removed." + (f" It was a link; its target remains: {kept}" if kept else ""))
    if service.leftovers():
        print("--purge removes these, too.")


@command.command()
@SYSTEM
@WYOMING
def status(system: bool, wyoming: bool) -> None:
    """Show the state of the service. The exit code is that of systemctl."""
    from kwsd.daemon.systemd.service import Service

    service, other = Service(system, wyoming=wyoming), Service(not system, wyoming=wyoming)
    if not service.is_installed() and other.is_installed():
        raise UsageError(
            f"there is no {service.path}, but there is {other.path}: try kwsd service status{other.option}"
        )
    code = service.status()
    if code == NOT_INSTALLED:
        print(f"To install it: kwsd service install{service.option}")
    else:
        name = service.name.removesuffix(".service")
        print(f"To follow the log: journalctl {service.scope} -u {name} -f")
    sys.exit(code)


def _account(system: bool, run_as: str | None) -> "Account | None":
    """Check --run-as, and set the environment so that options are read as this user would read them."""
    from kwsd.daemon.systemd.account import Account

    if run_as is None:
        return None
    if not system:
        raise UsageError("--run-as needs --system: kwsd service install --system --run-as USER ...")
    account = Account.named(run_as)
    if account.uid == 0:
        raise UsageError(f"--run-as {run_as}: hooks would run as root; name another user")
    os.environ.pop("XDG_CONFIG_HOME", None)  # the service does not have it, and looks in the home folder
    os.environ["HOME"] = str(account.home)
    return account


def _kwsd() -> list[str]:
    """The command with which systemd starts this kwsd."""
    called = Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute()
    return [sys.executable, "-m", "kwsd"] if called.name == "__main__.py" else [str(called)]


def _listen_options(options: tuple[str, ...], service: "Service") -> tuple[list[str], list[str], list[Path]]:
    """The options for the service, with absolute paths, its hooks, and the files that it will read.

    Raises UsageError or click.UsageError for options that kwsd listen rejects or a service cannot use.
    """
    from kwsd.cli import listen
    from kwsd.daemon.app import load_detector
    from kwsd.daemon.sinks.ding import BUILTIN
    from kwsd.daemon.systemd.unit import STATE
    from kwsd.runtime.modelfile import find_model

    hardened = service.system and not service.run_as
    context = listen.command.make_context("kwsd service install", list(options))
    line: list[str] = []
    words = listen.options(context).words
    load_detector(words)  # refuses what kwsd listen would refuse
    reads = [_absolute(find_model(word.model)) for word in words]
    for parameter in listen.command.params:
        name, value = parameter.opts[0], context.params[str(parameter.name)]
        source = context.get_parameter_source(str(parameter.name))
        typed = source is ParameterSource.COMMANDLINE
        if source is ParameterSource.DEFAULT and not (name == "--config" and value and hardened):
            continue  # the hardened service has no home folder with a configuration
        if name in ("--input", "--meter"):
            raise UsageError(f"a service cannot use {name}: it listens to a microphone and has no terminal")
        if name == "--config":
            value, typed = _absolute(value), True
            reads.append(value)
        if name in ("words", "--model"):
            value = [_absolute_model(one) for one in value]
        if name == "--ding" and value and value != BUILTIN:
            value = _absolute(Path(value))
        if name in ("--save-clips", "--save-near-misses", "--save-commands", "--control") and value:
            value = _absolute(value)
            if name != "--control" and hardened and not value.is_relative_to(STATE):
                raise UsageError(f"{name} must be in {STATE}, the only folder that the service can write to")
        if typed:
            line += _as_typed(parameter, value)
    hooks = [*context.params["on_trigger"], *context.params["on_command"]]
    hooks += [hook for word in words for hook in (*word.on_trigger, *word.on_command)]
    return line, hooks, reads


def _wyoming_options(options: tuple[str, ...], service: "Service") -> tuple[list[str], list[Path]]:
    """The options of kwsd wyoming for the service, with absolute paths, and the files that it will read.

    Raises UsageError or click.UsageError for options that kwsd wyoming rejects or a service cannot use.
    """
    from kwsd.cli import wyoming
    from kwsd.daemon.systemd.unit import WYOMING_SOCKETS
    from kwsd.runtime.modelfile import find_model

    context = wyoming.command.make_context("kwsd service install --wyoming", list(options))
    given = wyoming.options(context)
    address = given.address
    if address.scheme == "stdio":
        raise UsageError("a service cannot use stdio://: no client starts it")
    if address.scheme == "unix" and service.system and not address.path.is_relative_to(WYOMING_SOCKETS):
        raise UsageError(f"--uri: the socket must be in {WYOMING_SOCKETS}, the service's own folder")
    reads = [_absolute(find_model(word)) for word in given.words]
    if given.models:
        reads.append(_absolute(given.models))
    line: list[str] = []
    for parameter in wyoming.command.params:
        name = str(parameter.name)
        value = context.params[name]
        if name == "words":
            value = [_absolute_model(one) for one in value]
        if name == "models" and value:
            value = _absolute(value)
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            line += _as_typed(parameter, value)
    return line, reads


def _as_typed(parameter: click.Parameter, value: Any) -> list[str]:
    """The words of a command line that give a parameter this value."""
    if isinstance(parameter, click.Argument):
        return [str(one) for one in value]
    name = parameter.opts[0]
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [name]
    return [word for one in (value if parameter.multiple else (value,)) for word in (name, str(one))]


def _absolute_model(name: str) -> str:
    """The absolute path of a word that is a file; other names as they are."""
    return str(_absolute(Path(name))) if Path(name).is_file() else name


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError as error:
        raise UsageError(
            f"cannot resolve {path}: the working directory does not exist; cd to another one"
        ) from error
