"""``kwsd listen``: runs the daemon in the foreground."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli.checked import CheckedPath, ModelName, Text, complete_file
from kwsd.cli.configfile import configured, is_from_file
from kwsd.cli.number import Number
from kwsd.cli.renamed import current_name
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.daemon.app import ListenOptions
    from kwsd.daemon.signals import Signals

MODELS_OWN = "[default: the model's]"


@click.command(name="listen", context_settings={"token_normalize_func": current_name})
@click.pass_obj
@configured
@click.option(
    "--model",
    type=ModelName(),
    default="happy",
    show_default=True,
    help="Model file, or name of a shipped model.",
)
@click.option(
    "--input",
    metavar="FILE",
    shell_complete=complete_file,
    help="Hear a recording; -: raw 16 kHz mono int16 on stdin.",
)
@click.option("--device", metavar="NAME|INDEX", help="Microphone, by a part of its name; see kwsd devices.")
@click.option("--channel", type=click.IntRange(min=1), help="Hear this channel only.  [default: the mean]")
@click.option(
    "--latency",
    type=Number(0.02, 1),
    default=0.2,
    show_default=True,
    help="Seconds of microphone taken at a time: longer costs less processor and answers later.",
)
@click.option("--exit-on-loss", is_flag=True, help="End, not wait, where there is no microphone.")
@click.option("--window", type=click.IntRange(min=1), help=f"Steps the attention sees.  {MODELS_OWN}")
@click.option("--step", type=click.IntRange(min=1), help=f"Frames of 10 ms between steps.  {MODELS_OWN}")
@click.option("--threshold", type=Number(0, 1), help=f"Posterior that triggers.  {MODELS_OWN}")
@click.option(
    "--candidate-threshold",
    type=Number(0, 1),
    help=f"Posterior of the first stage that the second stage then verifies.  {MODELS_OWN}",
)
@click.option(
    "--patience", type=click.IntRange(min=1), help=f"Consecutive steps that make a trigger.  {MODELS_OWN}"
)
@click.option(
    "--release", type=Number(0, 1), help=f"Posterior that rearms; a verifier needs none.  {MODELS_OWN}"
)
@click.option("--refractory", type=Number(min=0), help=f"Seconds between triggers.  {MODELS_OWN}")
@click.option(
    "--format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="How triggers are printed; auto is text on a terminal and JSON lines elsewhere.",
)
@click.option("--meter", is_flag=True, help="Show a live meter of level and posterior on the terminal.")
@click.option(
    "--on-trigger",
    type=Text(),
    multiple=True,
    metavar="CMD",
    help="Run CMD in the shell. Repeatable.",
)
@click.option(
    "--hook-timeout",
    type=Number(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds after which a hook is ended.",
)
@click.option("--save-clips", type=CheckedPath(), metavar="DIR", help="Keep what triggered.")
@click.option(
    "--clip-seconds",
    type=Number(0.1, 600),
    default=3.0,
    show_default=True,
    help="Seconds kept before each trigger.",
)
@click.option(
    "--clips-limit",
    type=Number(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="Megabytes of clips kept; the oldest go.",
)
@click.option("--stats-every", type=Number(min=1), metavar="SECONDS", help="Log counters this often.")
def command(signals: "Signals", **_: Any) -> None:
    """Each trigger is printed and runs the hooks.

    A hook finds KWSD_KEYWORD, KWSD_POSTERIOR, KWSD_STREAM_TIME and KWSD_TIME in its environment and the
    trigger as a JSON line on its standard input. What it prints goes to standard error.

    SIGHUP loads model and configuration anew, but where a terminal is used; SIGUSR1 logs the counters.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: threads would only cost memory
    from kwsd.daemon import app

    app.run(options(click.get_current_context()), signals, reread)


def options(context: click.Context) -> "ListenOptions":
    """The options that a command line was parsed into."""
    from kwsd.daemon.app import ListenOptions
    from kwsd.runtime.model import Settings

    values = dict(context.params)
    if values["input"] is not None and is_from_file(context, "device"):
        values["device"] = None  # a recording on the command line replaces the configured microphone
    settings = {name: values.pop(name) for name in Settings.__dataclass_fields__}
    return ListenOptions(settings=settings, **values)


def reread() -> "ListenOptions":
    """The options of this process's command line, with the configuration file as it is now.

    Raises UsageError.
    """
    try:
        return options(command.make_context("kwsd listen", sys.argv[2:]))
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
