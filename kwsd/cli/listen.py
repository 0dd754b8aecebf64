"""``kwsd listen``: the daemon in the foreground."""

import logging
import math
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli.checked import CheckedPath, ModelName, Text, complete_file
from kwsd.cli.configfile import configured, from_file
from kwsd.cli.number import Number
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.daemon.signals import Signals
    from kwsd.runtime.detector import Detector

log = logging.getLogger(__name__)

MODELS_OWN = "[default: the model's]"


@click.command(name="listen")
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
    "input_",
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
@click.option("--gate", type=Number(0, 1), help=f"Posterior that has the verifier asked.  {MODELS_OWN}")
@click.option(
    "--patience", type=click.IntRange(min=1), help=f"Consecutive steps that make a trigger.  {MODELS_OWN}"
)
@click.option(
    "--release", type=Number(0, 1), help=f"Posterior that rearms; a verifier needs none.  {MODELS_OWN}"
)
@click.option("--refractory", type=Number(min=0), help=f"Seconds between triggers.  {MODELS_OWN}")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="How triggers are printed; auto is text on a terminal and JSON lines elsewhere.",
)
@click.option("--meter", is_flag=True, help="Show a live meter of level and posterior on the terminal.")
@click.option(
    "--on-trigger",
    "hooks",
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
def command(
    signals: "Signals",
    config: Path | None,
    input_: str | None,
    device: str | None,
    channel: int | None,
    latency: float,
    exit_on_loss: bool,
    format_: str,
    meter: bool,
    hooks: tuple[str, ...],
    hook_timeout: float,
    save_clips: Path | None,
    clip_seconds: float,
    clips_limit: float,
    stats_every: float | None,
    **model: Any,
) -> None:
    """Each trigger is printed and runs the hooks.

    A hook finds KWSD_KEYWORD, KWSD_POSTERIOR, KWSD_STREAM_TIME and KWSD_TIME in its environment and the
    trigger as a JSON line on its standard input. What it prints goes to standard error.

    SIGHUP loads model and configuration anew, but where a terminal is used; SIGUSR1 logs the counters.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: threads would only cost memory
    from kwsd.audio.open import open_source
    from kwsd.daemon import logs
    from kwsd.daemon.control import Requests
    from kwsd.daemon.events import print_json, unless_full
    from kwsd.daemon.listener import Listener, OnAudio, OnGap, OnTrigger
    from kwsd.daemon.sinks.hooks import Hooks
    from kwsd.daemon.systemd.notify import Notifier
    from kwsd.runtime.frontend import HOP

    if input_ is not None and from_file("device"):
        device = None
    logs.begin()
    detector = load(model)
    notifier = Notifier()
    runner = Hooks(hooks, hook_timeout)
    on_audio: list[OnAudio] = []
    on_trigger: list[OnTrigger] = [runner.on_trigger]
    on_gap: list[OnGap] = []
    with ExitStack() as stack:
        source = stack.enter_context(
            open_source(input_, device, exit_on_loss, notifier.heard, channel, latency)
        )
        if save_clips is not None:
            from kwsd.daemon.sinks.clips import Clips

            clips = stack.enter_context(
                Clips(save_clips, clip_seconds, round(clips_limit * 1e6), source.live)
            )
            on_audio.append(clips.on_audio)
            on_trigger.append(clips.on_trigger)
            on_gap.append(clips.on_gap)
        text = format_ == "text" or (format_ == "auto" and os.isatty(1))
        if text or meter:
            from kwsd.daemon.sinks.terminal import Terminal

            terminal = Terminal()
        if meter:
            on_audio.append(
                stack.enter_context(terminal.meter(detector.gate, lambda: source.waiting)).on_audio
            )
        print_event = terminal.on_trigger if text else print_json
        on_trigger.append(unless_full(print_event) if source.live else print_event)

        listener = Listener(source, detector, notifier, on_audio, on_trigger, on_gap)

        def tell_stats() -> None:
            counted = listener.counters
            log.info(
                "stats: frames=%d overruns=%d lost=%.1fs gaps=%d triggers=%d "
                "hooks_run=%d hooks_failed=%d hooks_dropped=%d worst_step=%.1fms",
                counted.samples // HOP,
                source.overruns,
                source.dropped,
                counted.gaps,
                counted.triggers,
                runner.run,
                runner.failed,
                runner.dropped,
                1e3 * counted.worst_step,
            )

        started = click.get_current_context().params
        requests = Requests(tell_stats, lambda: reload(started), listener.change_to, stats_every or math.inf)

        def abandon(reason: str) -> None:
            if reason:
                log.error("%s", reason)
            runner.kill()

        signals.handle(
            stop=listener.stop,
            reload=requests.ask_for_reload,
            stats=requests.ask_for_stats,
            child=runner.reap,
            abandon=abandon,
        )
        if config is not None:
            log.info("options from %s", config)
        try:
            listener.run(requests.answer)
        except BrokenPipeError:  # nobody reads on: an end as good as any
            listener.stop()
            signals.limit_way_out()
        except BaseException:
            listener.stop()
            signals.limit_way_out()
            raise
        finally:
            runner.finish(hurry=lambda: listener.stopping)
            signals.limit_way_out()


def load(parameters: dict[str, Any]) -> "Detector":
    """The detector that these of the command's parameters ask for. Raises ModelError or UsageError."""
    from kwsd.runtime.detector import Detector
    from kwsd.runtime.model import Settings
    from kwsd.runtime.modelfile import find_model, read_model

    model = read_model(find_model(parameters["model"]))
    return Detector(model, **{name: parameters[name] for name in Settings.__dataclass_fields__})


def reload(started: dict[str, Any]) -> "Detector":
    """The detector that the command line of this process asks for, with the configuration as it is now.

    `started`: the command's parameters when it began. What else has changed since then is logged.
    """
    from kwsd.runtime.model import Settings

    try:
        now = command.make_context("kwsd listen", sys.argv[2:]).params
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
    detector = load(now)
    reloaded = {"model", "config", *Settings.__dataclass_fields__}
    if changed := [
        option.opts[0]
        for option in command.params
        if option.name not in reloaded and now[str(option.name)] != started[str(option.name)]
    ]:
        log.warning("changed, but in force only after a restart: %s", ", ".join(changed))
    return detector
