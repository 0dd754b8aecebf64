"""``kwsd service``: installs kwsd as a systemd service, for one user or for the whole machine."""

import logging
import os
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kwsd.cli.words import TABLES, chosen_words, table_name
from kwsd.daemon.logs import say
from kwsd.daemon.sinks.ding import BUILTIN
from kwsd.daemon.systemd.unit import NEEDS_LINUX
from kwsd.errors import UsageError
from kwsd.files import absolute

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

    if wyoming and (run_as or no_network):
        raise UsageError("--run-as and --no-network are for hooks, which kwsd wyoming does not have")
    service = Service(system, _account(system, run_as), wyoming)
    line, hooks, reads = (_wyoming_line if wyoming else _listen_line)(options, service)
    network = wyoming or (bool(hooks) and not no_network)
    for warning in service.install(line, hooks, network, reads):
        say(f"warning: {warning}", logging.WARNING)
    if not wyoming:
        print("Starting and waiting for the microphone. After Ctrl-C, systemd continues to wait.", flush=True)
    service.start()
    print(f"{service.path} is installed and running.")
    if not wyoming:
        _print_network(bool(hooks), network)
    _print_commands(service)
    if not service.lingers() and not service.hardened:
        what = f"The sound server of {run_as} stops when {run_as} logs" if run_as else "It stops when you log"
        print(f"{what} out; to keep it running: loginctl enable-linger {run_as or ''}".rstrip())


def _print_network(hooks: bool, network: bool) -> None:
    """Print whether the hooks, if there are any, have network access."""
    if network:
        print("Hooks have network access; --no-network denies it.")
    else:
        print("Hooks have no network access." if hooks else "No hooks, so network access is denied.")


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


def _listen_line(
    options: tuple[str, ...], service: "Service"
) -> tuple[list[str], Sequence[str], Sequence[Path]]:
    """What the service runs: the command line of kwsd listen, its hooks, and the files that it reads.

    Raises UsageError or click.UsageError for options that kwsd listen rejects or a service cannot use.
    """
    from kwsd.cli import listen
    from kwsd.daemon.app import load_detector
    from kwsd.runtime.modelfile import find_model

    context = listen.command.make_context("kwsd service install", list(options))
    given = listen.options(context)
    service.check_usable(given)
    load_detector(given.words)  # refuses what kwsd listen would refuse
    reads = [absolute(find_model(word.model)) for word in given.words]
    for word in chosen_words(context):
        path = find_model(word.word.model)
        if not path.is_absolute() and (word.table or word.origin != "command line"):
            raise UsageError(
                f"{given.config}: {table_name(word.name)}: set model to {absolute(path)}, because the "
                "service runs in another folder"
            )
    # the hardened service has no home folder, so it does not find the configuration by itself
    named = ["config"] if given.config and service.hardened else []
    if given.config and ("config" in named or _is_typed(context, "config")):
        reads.append(absolute(given.config))
    return ["listen", *_retyped(context, named)], given.hooks, reads


def _wyoming_line(
    options: tuple[str, ...], service: "Service"
) -> tuple[list[str], Sequence[str], Sequence[Path]]:
    """What the service runs: the command line of kwsd wyoming, no hooks, and the files that it reads.

    Raises UsageError or click.UsageError for options that kwsd wyoming rejects or a service cannot use.
    """
    from kwsd.cli import wyoming
    from kwsd.daemon.systemd.unit import WYOMING_SOCKETS
    from kwsd.runtime.modelfile import find_model
    from kwsd.wyoming.service import WakeService

    context = wyoming.command.make_context("kwsd service install --wyoming", list(options))
    given = wyoming.options(context)
    address = given.address
    if address.scheme == "stdio":
        raise UsageError("a service cannot use stdio://: no client starts it")
    if address.scheme == "unix" and service.system and not address.path.is_relative_to(WYOMING_SOCKETS):
        raise UsageError(f"--uri: the socket must be in {WYOMING_SOCKETS}, the service's own folder")
    WakeService(given)  # refuses what kwsd wyoming would refuse
    reads = [absolute(find_model(word)) for word in given.words]
    if given.models:
        reads.append(absolute(given.models))
    return ["wyoming", *_retyped(context)], (), reads


def _retyped(context: click.Context, also: Sequence[str] = ()) -> list[str]:
    """The parameters that were typed, and `also`, as a command line with absolute paths."""
    tables = context.meta.get(TABLES, {})
    return [
        word
        for parameter in context.command.params
        if (name := str(parameter.name)) in also or _is_typed(context, name)
        for word in _as_typed(parameter, _with_absolute_paths(name, context.params[name], tables))
    ]


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _with_absolute_paths(name: str, value: Any, tables: Container[str]) -> Any:
    """The value of a parameter. A shipped model, kwsd's own sound and one of the tables keep their names."""
    from kwsd.runtime.modelfile import find_model

    if isinstance(value, tuple):
        return [_with_absolute_paths(name, one, tables) for one in value]
    if name in ("words", "model"):
        path = None if value in tables else find_model(value)
        return value if path is None or path.is_absolute() else absolute(path)
    is_path = isinstance(value, Path) or (name == "ding" and value != BUILTIN and Path(value).is_file())
    return absolute(Path(value)) if is_path else value


def _as_typed(parameter: click.Parameter, value: Any) -> list[str]:
    """The words of a command line that give a parameter this value."""
    if isinstance(parameter, click.Argument):
        return [str(one) for one in value]
    name = parameter.opts[0]
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [name]
    return [word for one in (value if parameter.multiple else (value,)) for word in (name, str(one))]
