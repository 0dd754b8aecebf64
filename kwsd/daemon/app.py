"""Starts the parts of the daemon in order, listens, and stops them in reverse order."""

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwsd.audio.open import open_source
from kwsd.audio.source import Source
from kwsd.daemon import logs
from kwsd.daemon.control.address import VARIABLE, own_path
from kwsd.daemon.control.commands import Commands
from kwsd.daemon.control.requests import ControlRequests
from kwsd.daemon.events import CommandEvent
from kwsd.daemon.listener import Listener
from kwsd.daemon.pause import Pause
from kwsd.daemon.signals import Signals
from kwsd.daemon.sinks.activity import RecentActivity
from kwsd.daemon.sinks.clip_folder import ClipFolder
from kwsd.daemon.sinks.ding import Ding
from kwsd.daemon.sinks.hooks import Hooks
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.sinks.stdout import DropWhenFull, JsonLines
from kwsd.daemon.systemd.notify import Notifier
from kwsd.errors import ReaderLeftError, UsageError
from kwsd.runtime.detector import Detector
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.modelfile import read_models

if TYPE_CHECKING:
    from kwsd.daemon.sinks.command_recorder import CommandRecorder

RELOADED = {"config", "words", "on_trigger", "on_command"}  # options whose changes a reload puts into effect

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Word:
    """A word to listen for."""

    model: str
    """Model file, or the name of a shipped model."""

    settings: Mapping[str, Any]
    """Settings that replace the model's own, see `Settings`. A value of None keeps the model's setting."""

    on_trigger: tuple[str, ...] = ()
    """Shell commands to run on each trigger of this word, besides those for every word."""

    on_command: tuple[str, ...] = ()
    """Shell commands to run on what is said after this word, besides those for every word."""

    keyword: str | None = None
    """What its triggers are called; None is the model's own keyword."""


@dataclass(frozen=True)
class ListenOptions:
    """The options of ``kwsd listen``. Each field has the name of its option."""

    config: Path | None
    """Configuration file that some of the options come from; None without one."""

    words: tuple[Word, ...]
    """What to listen for."""

    input: str | None
    """Audio file to listen to, or "-" for standard input; None listens to a microphone."""

    device: str | None
    """Name of the microphone, a part of it, or its index; None is the default microphone."""

    channel: int | None
    """Channel to listen to, counted from 1; None averages all channels."""

    latency: float
    """Seconds of microphone audio that are read at a time."""

    exit_on_loss: bool
    """Whether to exit, instead of reconnecting, when the microphone is lost."""

    format: str
    """How triggers are printed: "text", "json", or "auto", which is text on a terminal and JSON elsewhere."""

    meter: bool
    """Whether to show level and posterior on the terminal."""

    on_trigger: tuple[str, ...]
    """Shell commands to run on each trigger of every word."""

    hook_timeout: float
    """Seconds that each of those commands may run."""

    save_clips: Path | None
    """Folder in which the audio before each trigger is saved; None saves nothing."""

    save_near_misses: Path | None
    """Folder in which the audio before each near miss is saved; None saves nothing."""

    clip_seconds: float
    """Seconds of audio saved before each trigger (pre-roll) or near miss."""

    clips_limit: float
    """Megabytes that the saved clips in each folder may take."""

    on_command: tuple[str, ...]
    """Shell commands to run on what is said after each word."""

    pre_roll: float
    """Seconds before the end of the word with which a recorded command begins."""

    silence: float
    """Seconds without speech that end a recorded command."""

    max_command: float
    """Seconds after the word that end a recorded command in any case."""

    save_commands: Path | None
    """Folder in which recorded commands are saved; None saves nothing."""

    ding: str | None
    """Sound to play on each trigger: a file, or "builtin"; None plays nothing."""

    control: Path | None
    """Control socket of ``kwsd ctl``; None is the usual place for a microphone, and no socket otherwise."""

    stats_every: float | None
    """Seconds between two log lines with the counters; None logs them on SIGUSR1 only."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """All shell commands, those of single words too."""
        own = [hook for word in self.words for hook in (*word.on_trigger, *word.on_command)]
        return (*self.on_trigger, *self.on_command, *own)


@dataclass(frozen=True)
class LoadedWords:
    """The detector of the words, and the shell commands of each keyword."""

    detector: Detector
    on_trigger: Mapping[str, Sequence[str]]
    on_command: Mapping[str, Sequence[str]]


def run(options: ListenOptions, signals: Signals, reread: Callable[[], ListenOptions]) -> None:
    """Listen until the source ends or a signal stops it.

    reread: parses the command line and the current configuration file again, for a reload. Raises KwsdError.
    """
    logs.begin()  # from here on, log lines go to standard error
    loaded = _load_words(options)
    notifier = Notifier()
    hooks = Hooks(loaded.on_trigger, options.hook_timeout)
    if _records(options, loaded):
        from kwsd.daemon.sinks.speech import check_installed

        check_installed()  # before the microphone is opened
    pause, activity = Pause(), RecentActivity()
    with ExitStack() as running:
        source = running.enter_context(
            open_source(
                options.input,
                options.device,
                exit_on_loss=options.exit_on_loss,
                wait_for_device=notifier.is_service,
                channel=options.channel,
                latency=options.latency,
            )
        )
        sinks: list[Sink] = [hooks, activity]
        if options.ding is not None:
            sinks.insert(0, Ding(options.ding, hooks))
        sinks += _start_sinks(options, source, loaded.detector, pause, running)
        recorder = _recorder(options, loaded, hooks, sinks, source)
        if recorder is not None:
            sinks.append(recorder)
        listener = Listener(source, loaded.detector, notifier, sinks, pause)

        def statistics() -> dict[str, float]:
            return _statistics(listener, source, hooks)

        requests = ControlRequests(
            log_statistics=lambda: _log_statistics(statistics()),
            load=lambda: _reload(options, reread()),
            swap_detector=lambda reloaded: _put_to_work(reloaded, listener, hooks, recorder),
            statistics_interval=options.stats_every or math.inf,
        )
        commands = Commands(requests, listener, source, pause, activity, statistics)
        _start_control(options, source, commands, running)
        _connect_signals(signals, listener, requests, hooks)
        if options.config is not None:
            log.info("read options from %s", options.config)
        _listen(listener, requests, hooks, recorder, signals)


def load_detector(words: Sequence[Word]) -> Detector:
    """A detector of these words. Raises ModelError or UsageError."""
    models = [
        replace(model, keyword=word.keyword or model.keyword)
        for model, word in zip(read_models(word.model for word in words), words, strict=True)
    ]
    return Detector(models, [_settings(model, word) for model, word in zip(models, words, strict=True)])


def _settings(model: Model, word: Word) -> Settings:
    """How the model of a word is run. Raises UsageError, which names the word."""
    try:
        return model.settings.override(**word.settings)
    except UsageError as error:
        raise UsageError(f"{model.keyword}: {error}") from error


def _load_words(options: ListenOptions) -> LoadedWords:
    """Load the words of these options. Raises ModelError or UsageError."""
    detector = load_detector(options.words)
    words = dict(zip(detector.keywords, options.words, strict=True))
    return LoadedWords(
        detector,
        {keyword: options.on_trigger + word.on_trigger for keyword, word in words.items()},
        {keyword: options.on_command + word.on_command for keyword, word in words.items()},
    )


def _records(options: ListenOptions, loaded: LoadedWords) -> bool:
    """Whether what is said after a keyword is recorded."""
    return any(loaded.on_command.values()) or options.save_commands is not None


def _recorder(
    options: ListenOptions, loaded: LoadedWords, hooks: Hooks, sinks: Sequence[Sink], source: Source
) -> "CommandRecorder | None":
    """The sink that records what is said after a keyword, if something is to be done with that.

    sinks: those that learn of each command.
    """
    if not _records(options, loaded):
        return None
    from kwsd.daemon.sinks.command_recorder import CommandRecorder

    def report(command: CommandEvent) -> None:
        for sink in sinks:
            sink.on_command(command)

    folder = None
    if options.save_commands is not None:
        longest = options.pre_roll + options.max_command
        folder = ClipFolder(options.save_commands, longest, round(options.clips_limit * 1e6), source.live)
    durations = (options.pre_roll, options.silence, options.max_command)
    return CommandRecorder(loaded.on_command, hooks, report, *durations, folder)


def _start_sinks(
    options: ListenOptions, source: Source, detector: Detector, pause: Pause, running: ExitStack
) -> list[Sink]:
    """Start the sinks that save and show what happens. running: the context that stops them."""
    sinks: list[Sink] = []
    if options.save_clips is not None or options.save_near_misses is not None:
        from kwsd.daemon.sinks.clips import Clips, NearMissClips

        limit = round(options.clips_limit * 1e6)
        for kind, folder in ((Clips, options.save_clips), (NearMissClips, options.save_near_misses)):
            if folder is not None:
                clips = kind(folder, options.clip_seconds, limit, source.live)
                sinks.append(running.enter_context(clips))
    printer: Sink = JsonLines()
    text = options.format == "text" or (options.format == "auto" and os.isatty(1))
    if text or options.meter:
        from kwsd.daemon.sinks.terminal import Terminal

        terminal = Terminal()
        if options.meter:
            threshold = min(spotter.first_stage_threshold for spotter in detector.spotters)
            meter = terminal.meter(threshold, lambda: source.waiting or ("paused" if pause.active else ""))
            sinks.append(running.enter_context(meter))
        if text:
            printer = terminal
    # live audio cannot wait for a slow reader of standard output
    sinks.append(DropWhenFull(printer) if source.live else printer)
    return sinks


def _start_control(options: ListenOptions, source: Source, commands: Commands, running: ExitStack) -> None:
    """Open the control socket, if there is to be one. Hooks get its path in an environment variable.

    Raises UsageError if it cannot be made where the options say. In the usual place it is done without.
    """
    os.environ.pop(VARIABLE, None)  # that of another kwsd, which this one is a hook of
    path = options.control or (own_path() if source.live else None)
    if path is None:
        return
    from kwsd.daemon.control.server import ControlSocket

    try:
        running.enter_context(ControlSocket(path, commands.begin))
    except UsageError as error:
        if options.control:
            raise
        log.warning("%s; kwsd ctl does not work", error)
    else:
        os.environ[VARIABLE] = str(path.absolute())


def _connect_signals(
    signals: Signals, listener: Listener, requests: ControlRequests[LoadedWords], hooks: Hooks
) -> None:
    """Connect each signal to the part that handles it."""

    def before_exit(reason: str) -> None:
        if reason:
            log.error("%s", reason)
        hooks.kill()

    signals.handle(
        stop=listener.stop,
        reload=requests.request_reload,
        statistics=requests.request_statistics,
        child=hooks.reap,
        before_exit=before_exit,
    )


def _listen(
    listener: Listener,
    requests: ControlRequests[LoadedWords],
    hooks: Hooks,
    recorder: "CommandRecorder | None",
    signals: Signals,
) -> None:
    """Listen, then wait for the running hooks. A request to stop limits this to SHUTDOWN_TIMEOUT."""
    try:
        with recorder or nullcontext():  # its end starts the hooks that wait for a recording to be saved
            listener.run(requests.handle)
    except ReaderLeftError:
        listener.stop()
        signals.limit_shutdown()
    except BaseException:
        listener.stop()
        signals.limit_shutdown()
        raise
    finally:
        hooks.finish(stopping=lambda: listener.stopping)
        signals.limit_shutdown()


def _put_to_work(
    reloaded: LoadedWords, listener: Listener, hooks: Hooks, recorder: "CommandRecorder | None"
) -> None:
    """Use the new commands from now on, and the new detector as soon as it is warm."""
    hooks.set_commands(reloaded.on_trigger)
    if recorder is not None:
        recorder.set_commands(reloaded.on_command)
    elif any(reloaded.on_command.values()):
        log.warning("the first --on-command takes effect after a restart")
    listener.swap_detector(reloaded.detector)


def _reload(started: ListenOptions, now: ListenOptions) -> LoadedWords:
    """Load the words of the current options. Log which other options have changed since the start."""
    loaded = _load_words(now)
    changed = [
        f"--{field.name.replace('_', '-')}"
        for field in fields(now)
        if field.name not in RELOADED and getattr(now, field.name) != getattr(started, field.name)
    ]
    if changed:
        log.warning("these changed options take effect after a restart: %s", ", ".join(changed))
    return loaded


def _statistics(listener: Listener, source: Source, hooks: Hooks) -> dict[str, float]:
    """The counters. `lost` is the length of lost audio in seconds.

    `worst_step` is how many milliseconds the slowest step of the detector took.
    """
    counters = listener.counters
    return {
        "frames": counters.samples // HOP,
        "overruns": source.overruns,
        "lost": round(source.dropped, 1),
        "gaps": counters.gaps,
        "triggers": counters.triggers,
        "hooks_run": hooks.run,
        "hooks_failed": hooks.failed,
        "hooks_dropped": hooks.dropped,
        "worst_step": round(1e3 * counters.worst_step, 1),
    }


def _log_statistics(statistics: Mapping[str, float]) -> None:
    units = {"lost": "s", "worst_step": "ms"}
    pairs = (f"{name}={value}{units.get(name, '')}" for name, value in statistics.items())
    log.info("stats: %s", " ".join(pairs))
