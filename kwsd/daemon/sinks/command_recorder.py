"""Records what is said after a keyword, and gives it to the user's commands."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Self

from kwsd.daemon.events import CommandEvent, Event
from kwsd.daemon.sinks.clip_folder import ClipFolder, clip_name, wav
from kwsd.daemon.sinks.hooks import Hooks
from kwsd.daemon.sinks.recent_audio import RecentAudio
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.sinks.speech import FRAME, HANGOVER, SpeechDetector
from kwsd.pcm import SAMPLE_RATE, Samples

START_SECONDS = 3.0  # that speech may take to begin after the keyword
# seconds after the trigger for which reported speech may be the keyword (0.73 at most in 70 recordings)
KEYWORD_SECONDS = 0.85
CONTEXT_SAMPLES = SAMPLE_RATE  # before the trigger, with which the speech detector adapts to the room


class CommandRecorder(Sink):
    """Records from shortly before the end of a keyword until the speaker is silent.

    Detection goes on meanwhile, but a trigger during a recording does not begin another one.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        hooks: Hooks,
        report: Callable[[CommandEvent], None],
        pre_roll: float,
        silence: float,
        longest: float,
        folder: ClipFolder | None = None,
    ) -> None:
        """commands: the shell commands of each keyword. hooks: runs them. report: gets each command's event.

        pre_roll: seconds recorded before the trigger. silence: seconds without speech that end a recording.
        longest: seconds after the trigger that end it in any case. folder: where recordings are saved.
        Raises UsageError if the package that recognizes speech is not installed.
        """
        SpeechDetector()
        self._commands = commands
        self._hooks = hooks
        self._report = report
        self._pre_roll = round(pre_roll * SAMPLE_RATE)
        self._silence = round(silence * SAMPLE_RATE)
        self._longest = round(longest * SAMPLE_RATE)
        self._folder = folder
        self._recent = RecentAudio(max(pre_roll, CONTEXT_SAMPLES / SAMPLE_RATE) + longest)
        self._recording: Recording | None = None

    def __enter__(self) -> Self:
        if self._folder:
            self._folder.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wait until all recordings are saved, which starts their commands."""
        if self._folder:
            self._folder.__exit__(*exception)

    def set_commands(self, commands: Mapping[str, Sequence[str]]) -> None:
        """Run these commands from now on, those of each keyword."""
        self._commands = commands

    def on_audio(self, samples: Samples, _posterior: float) -> None:
        """Keep the newest audio, and look for the end of a recording in it."""
        self._recent.push(samples)
        if self._recording:
            self._continue(self._recording)

    def on_gap(self, seconds: float) -> None:
        """End a recording: what was said next is missing."""
        if self._recording:
            self._finish(self._recording, self._recent.position, "gap")
        self._recent.gap(seconds)

    def on_trigger(self, event: Event) -> None:
        """Begin a recording if something is to be done with it."""
        wanted = self._folder or self._commands.get(event.keyword)
        if wanted and self._recording is None:
            word_end = round(event.stream_time * SAMPLE_RATE)
            before = self._recent.between(word_end - CONTEXT_SAMPLES, word_end)
            self._recording = Recording(event, word_end, judged=word_end - len(before))
            self._continue(self._recording)

    def on_end(self) -> None:
        """End a recording."""
        if self._recording:
            self._finish(self._recording, self._recent.position, "end")

    def _continue(self, recording: "Recording") -> None:
        """Judge the audio that has come since the last call, and finish the recording if it ends there."""
        audio = self._recent.between(recording.judged, self._recent.position)
        for start in range(0, len(audio) - FRAME + 1, FRAME):
            spoken = recording.detector.push(audio[start : start + FRAME])
            recording.judged += FRAME
            if ended := self._end(recording, recording.judged, spoken):
                self._finish(recording, recording.judged, ended)
                return

    def _end(self, recording: "Recording", position: int, spoken: bool) -> str:
        """Why the recording ends at this position; empty if it goes on. spoken: whether there is speech."""
        after = position - recording.word_end
        if spoken and after > KEYWORD_SECONDS * SAMPLE_RATE:
            recording.last_speech = position - round(HANGOVER * SAMPLE_RATE)
        if after >= self._longest:
            return "nothing said" if recording.last_speech is None else "limit"
        if recording.last_speech is None:
            return "nothing said" if after >= START_SECONDS * SAMPLE_RATE else ""
        return "silence" if position - recording.last_speech >= self._silence else ""

    def _finish(self, recording: "Recording", end: int, ended: str) -> None:
        """Report a recording. If something was said, save it and run the commands."""
        self._recording = None
        event = recording.event
        start = max(0, recording.word_end - self._pre_roll)
        time = event.time - timedelta(seconds=(recording.word_end - start) / SAMPLE_RATE)
        self._report(CommandEvent(event.keyword, start / SAMPLE_RATE, end / SAMPLE_RATE, ended, time))
        if recording.last_speech is None:
            return
        content = wav(self._recent.between(start, end))
        run = partial(self._run, event, content)
        if self._folder:
            self._folder.save(clip_name(time, f"{event.keyword}-command"), content, run)
        else:
            run(None)

    def _run(self, event: Event, content: bytes, path: Path | None) -> None:
        """Run the commands of the keyword. path: where the recording is saved, if it is."""
        environment = event.environment() | ({"KWSD_COMMAND_FILE": str(path.absolute())} if path else {})
        for command in self._commands.get(event.keyword, ()):
            self._hooks.start(command, environment, content)


class Recording:
    """A recording that has not ended."""

    def __init__(self, event: Event, word_end: int, judged: int) -> None:
        """word_end: position of the trigger. judged: position up to which the audio was judged."""
        self.event = event
        self.word_end = word_end
        self.judged = judged
        self.last_speech: int | None = None  # position of the last speech after the keyword
        self.detector = SpeechDetector()
