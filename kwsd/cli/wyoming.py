"""``kwsd wyoming``: serves wake words to Home Assistant."""

import os
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli.checked import CheckedCommand, Folder, ModelName, Text
from kwsd.cli.extras import needs_wyoming
from kwsd.cli.number import POSTERIOR
from kwsd.wyoming.address import DEFAULT_PORT

if TYPE_CHECKING:
    from kwsd.wyoming.service import WyomingOptions

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported, to save memory


@click.command(name="wyoming", cls=CheckedCommand)
@click.argument("words", nargs=-1, type=ModelName(), metavar="[WORD]...")
@click.option(
    "--uri",
    default=f"tcp://127.0.0.1:{DEFAULT_PORT}",
    show_default=True,
    help="Where to listen: tcp://ADDRESS:PORT, unix:///PATH, or stdio:// for a client that starts kwsd.",
)
@click.option(
    "--models",
    type=Folder(),
    metavar="DIR",
    help="Folder of your own models. New and changed files are offered without a restart.",
)
@click.option(
    "--threshold",
    type=Text(),
    multiple=True,
    metavar="[WORD=]P",
    help="Posterior that makes a trigger, for all words or, as jarvis=0.8, for one. Repeatable.  "
    "[default: the model's]",
)
@click.option(
    "--zeroconf",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Announce the service on the local network, so that Home Assistant finds it. Give WORDs before it.",
)
@click.option(
    "--max-clients",
    type=click.IntRange(1, 10_000),
    default=200,
    show_default=True,
    help="Clients that may be connected at a time.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that detect. One serves more than a hundred satellites on one core.",
)
def command(**_: Any) -> None:
    """Home Assistant and other clients of the Wyoming protocol send audio, and learn when a word is said.

    WORD is the name of a shipped model or a model file. Without any, jarvis, hey-jarvis, alexa, computer,
    hey-computer, marvin and happy are offered.
    """
    given = options(click.get_current_context())
    from kwsd.daemon import logs
    from kwsd.daemon.systemd.notify import Notifier
    from kwsd.wyoming.server import serve

    logs.begin()
    serve(given, Notifier(), logs.begin)


def options(context: click.Context) -> "WyomingOptions":
    """The options that a command line was parsed into.

    Raises click.BadParameter for a threshold, and UsageError if the extra is not installed.
    """
    values = dict(context.params)
    thresholds = _thresholds(values.pop("threshold"), context)
    needs_wyoming(values["zeroconf"] is not None)
    from kwsd.wyoming.address import Address
    from kwsd.wyoming.service import WyomingOptions

    return WyomingOptions(address=Address.parse(values.pop("uri")), thresholds=thresholds, **values)


def _thresholds(given: tuple[str, ...], context: click.Context) -> dict[str | None, float]:
    """The posteriors in WORD=P, by word, and in P, for None. Raises click.BadParameter."""
    option = next(one for one in context.command.params if one.name == "threshold")
    found = {}
    for one in given:
        word, equals, number = one.rpartition("=")
        found[word if equals else None] = POSTERIOR.convert(number, option, context)
    return found
