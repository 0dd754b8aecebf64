"""``kwsd listen``: runs the daemon in the foreground."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli.checked import CheckedPath, ModelName, Text, complete_file
from kwsd.cli.configfile import configured, is_from_file
from kwsd.cli.number import POSTERIOR, Number
from kwsd.cli.renamed import current_name
from kwsd.cli.words import DEFAULT_WORD, chosen_words
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.daemon.app import ListenOptions
    from kwsd.daemon.signals import Signals

MODEL = "[default: the model's]"

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported, to save memory


@click.command(
    name="listen",
    context_settings={"token_normalize_func": current_name, "help_option_names": ["-h", "--help"]},
)
@click.pass_obj
@configured
@click.argument("words", nargs=-1, type=ModelName(), metavar="[WORD]...")
@click.option(
    "--model",
    type=ModelName(),
    multiple=True,
    help=f"Listen for this word, as WORD does.  [default: {DEFAULT_WORD}]",
)
@click.option(
    "--input",
    metavar="FILE",
    shell_complete=complete_file,
    help="Audio file to listen to, or - for raw 16 kHz mono int16 on standard input.",
)
@click.option(
    "--device", metavar="NAME|INDEX", help="Microphone, by index or part of its name; see kwsd devices."
)
@click.option(
    "--channel", type=click.IntRange(min=1), help="Listen to this channel only.  [default: the mean of all]"
)
@click.option(
    "--latency",
    type=Number(0.02, 1),
    default=0.2,
    show_default=True,
    help="Seconds of audio read at a time. A larger value takes less CPU time but delays triggers.",
)
@click.option("--exit-on-loss", is_flag=True, help="Exit if the microphone is lost, instead of reconnecting.")
@click.option("--window", type=click.IntRange(min=1), help=f"Steps that the attention sees.  {MODEL}")
@click.option(
    "--step", type=click.IntRange(min=1), help=f"Frames of 10 ms from one step to the next.  {MODEL}"
)
@click.option("--threshold", type=POSTERIOR, help=f"Posterior that makes a trigger.  {MODEL}")
@click.option(
    "--candidate-threshold",
    type=POSTERIOR,
    help=f"Posterior of the first stage at which the second stage runs.  {MODEL}",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help=f"Consecutive steps at or above the threshold that are needed.  {MODEL}",
)
@click.option(
    "--release",
    type=POSTERIOR,
    help=f"Posterior below which the keyword can trigger again (unused with a second stage).  {MODEL}",
)
@click.option("--refractory", type=Number(min=0), help=f"Minimum seconds between two triggers.  {MODEL}")
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
    help="Run this shell command on each trigger. Repeatable.",
)
@click.option(
    "--hook-timeout",
    type=Number(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds after which a hook is terminated.",
)
@click.option(
    "--save-clips",
    type=CheckedPath(),
    metavar="DIR",
    help="Save the audio before each trigger in this folder.",
)
@click.option(
    "--save-near-misses",
    type=CheckedPath(),
    metavar="DIR",
    help="Save what was almost a trigger in this folder, for kwsd label and kwsd teach.",
)
@click.option(
    "--clip-seconds",
    type=Number(0.1, 600),
    default=3.0,
    show_default=True,
    help="Seconds of audio saved before each trigger (pre-roll) or near miss.",
)
@click.option(
    "--clips-limit",
    type=Number(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="Maximum megabytes of the clips in each folder; the oldest are removed.",
)
@click.option(
    "--on-command",
    type=Text(),
    multiple=True,
    metavar="CMD",
    help="Run this shell command on what is said after the word, a WAV on its standard input. Repeatable.",
)
@click.option(
    "--pre-roll",
    type=Number(0, 10),
    default=0.3,
    show_default=True,
    help="Seconds before the end of the word with which the command's WAV begins.",
)
@click.option(
    "--silence",
    type=Number(0.2, 60),
    default=0.8,
    show_default=True,
    help="Seconds without speech that end the command.",
)
@click.option(
    "--max-command",
    type=Number(1, 120),
    default=15.0,
    show_default=True,
    help="Seconds after the word that end the command in any case.",
)
@click.option(
    "--save-commands",
    type=CheckedPath(),
    metavar="DIR",
    help="Save what is said after the word in this folder, up to --clips-limit.",
)
@click.option(
    "--ding",
    metavar="FILE|builtin",
    shell_complete=complete_file,
    type=Text(),
    help="Play this WAV file, or kwsd's own sound, on each trigger.",
)
@click.option(
    "--control",
    type=CheckedPath(),
    metavar="PATH",
    help="Socket for kwsd ctl.  [default: for a microphone, kwsd.sock in $XDG_RUNTIME_DIR]",
)
@click.option("--stats-every", type=Number(min=1), metavar="SECONDS", help="Log the counters every SECONDS.")
def command(signals: "Signals", **_: Any) -> None:
    """Prints each trigger, and runs the commands of --on-trigger (hooks).

    WORD is the name of a shipped model, a model file, whose .pt may be left out, or a [word.NAME] table of
    the configuration file. Several words may be given.

    A hook gets KWSD_KEYWORD, KWSD_POSTERIOR, KWSD_STREAM_TIME and KWSD_TIME in its environment, and the
    trigger as a JSON line on its standard input. Its output goes to standard error.

    A command of --on-command gets a 16 kHz mono WAV on its standard input instead, and in KWSD_COMMAND_FILE
    the path at which --save-commands has saved it.

    SIGUSR1 logs the counters. SIGHUP reloads the models and the configuration, unless kwsd runs on a
    terminal.
    """
    from kwsd.daemon import app

    app.run(options(click.get_current_context()), signals, reread)


def options(context: click.Context) -> "ListenOptions":
    """The options that a command line was parsed into."""
    from kwsd.daemon.app import ListenOptions
    from kwsd.runtime.model import Settings

    values = dict(context.params)
    if values["input"] is not None and is_from_file(context, "device"):
        values["device"] = None  # a recording on the command line replaces the configured microphone
    for name in ("model", *Settings.__dataclass_fields__):  # these options are part of the words
        del values[name]
    values["words"] = tuple(chosen.word for chosen in chosen_words(context))
    return ListenOptions(**values)


def reread() -> "ListenOptions":
    """The options of this process's command line, with the configuration file as it is now.

    Raises UsageError.
    """
    try:
        return options(command.make_context("kwsd listen", sys.argv[2:]))
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
