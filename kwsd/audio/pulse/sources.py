"""Lists, selects and opens the sources (microphones) of the sound server."""

import logging
import re
from collections.abc import Callable

from kwsd.audio.microphone import Listed, Microphone, Opener
from kwsd.audio.pulse.microphone import PulseMicrophone
from kwsd.audio.pulse.server import NoAnswerError, NoServerError, Server, ServerState, Source
from kwsd.errors import AbsentError, AudioError, UsageError

MAX_BACKOFF = 2.0  # seconds between two attempts to open a source: short, because they cost little
ALSA_NAME = re.compile(r"(plug)?hw:|\w+:CARD=")

log = logging.getLogger(__name__)


def choose(wanted: str | None, state: ServerState) -> Source | None:
    """The source that `wanted` selects; None if none matches.

    wanted: an index, or a name or description or a part of one, ignoring case; None is the default source. An
    exact match takes precedence. A monitor needs an exact match, unless `wanted` contains "monitor".
    Raises UsageError if several match, AbsentError if there is no default source or it is a monitor.
    """
    if wanted is None:
        default = state.find(state.default)
        if default is None:
            raise AbsentError("no microphone: the sound server has no source")
        if default.monitor:
            raise AbsentError("no microphone: the default source is a monitor of a loudspeaker")
        return default
    text = wanted.lower()
    named = {source: (source.name.lower(), source.description.lower()) for source in state.sources}
    if wanted.isdigit():
        matching = [source for source in named if source.index == int(wanted)]
    else:
        matching = [source for source, names in named.items() if text in names] or [
            source
            for source, names in named.items()
            if any(text in name for name in names) and (not source.monitor or "monitor" in text)
        ]
    if len(matching) > 1:
        listed = ", ".join(map(str, matching))
        raise UsageError(f"several microphones match --device {wanted!r}; available: {listed}")
    return matching[0] if matching else None


def listed() -> list[Listed]:
    """All sources; empty without a sound server. Raises AudioError if the server does not answer."""
    try:
        server = Server()
    except AudioError as error:
        if isinstance(error, NoAnswerError):
            raise
        return []
    try:
        state = server.state()
    finally:
        server.close()
    return [
        Listed(
            index=source.index,
            name=source.name,
            description=source.description,
            system=server.program,
            rate=source.rate,
            channels=source.channels,
            default=source.name == state.default,
            problem="monitor of a loudspeaker" if source.monitor else "",
        )
        for source in state.sources
    ]


class ServerOpener:
    """Opens a source of the sound server, and later reopens the same one."""

    def __init__(
        self, wanted: str | None, channel: int | None, latency: float, make_fallback: Callable[[], Opener]
    ) -> None:
        """wanted: see `choose`. channel, latency: see `opener`.

        make_fallback: makes the opener that is used without a sound server, or if no source matches.
        """
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._make_fallback = make_fallback
        self._fallback: Opener | None = None  # made by `make_fallback` when it is needed
        self._source: Source | None = None  # the source opened last

    @property
    def name(self) -> str:
        if self._fallback:
            return self._fallback.name
        return self._source.description if self._wanted and self._source else self._wanted or "default"

    @property
    def max_backoff(self) -> float:
        return self._fallback.max_backoff if self._fallback else MAX_BACKOFF

    def open(self) -> Microphone:
        """Open the source. Raises AudioError, or UsageError if `wanted` matches none or several.

        Once a source was opened, only the sound server is used: opening its card directly would take the card
        away from a server that has lost it only for a moment.
        """
        if self._wanted and ALSA_NAME.match(self._wanted):
            return self._open_fallback()
        try:
            server = Server()
        except NoServerError:
            if self._source:
                raise
            return self._open_fallback()
        try:
            state = server.state()
            source = self._find(state)
            if source:
                return self._open_source(server, source)
        except BaseException:
            server.close()
            raise
        server.close()
        if self._source:
            raise AbsentError(f"the microphone {self.name!r} is not connected")
        return self._open_unknown(state)

    def abandon(self) -> None:
        """Let the process exit even if `open` never returns."""
        if self._fallback:
            self._fallback.abandon()

    def _find(self, state: ServerState) -> Source | None:
        """The source to open: the one opened before or, if it is gone, one that `wanted` selects."""
        if self._wanted and self._source:
            before = state.find(self._source.name)
            if before or self._wanted.isdigit():  # the index may belong to another source now
                return before
        return choose(self._wanted, state)

    def _open_source(self, server: Server, source: Source) -> Microphone:
        follow = self._wanted is None
        before, self._source, self._fallback = self._source, source, None
        microphone = PulseMicrophone(server, source, self.name, follow, self._channel, self._latency)
        if follow and (before is None or before.name != source.name):
            log.info("the default microphone is%s %s", " now" if before else "", source)
        return microphone

    def _open_fallback(self) -> Microphone:
        """Open the microphone without the sound server."""
        self._fallback = self._fallback or self._make_fallback()
        return self._fallback.open()

    def _open_unknown(self, state: ServerState) -> Microphone:
        """Open a device that is not a source. Raises UsageError, listing all names, if it does not exist."""
        try:
            return self._open_fallback()
        except (AbsentError, UsageError) as error:
            others = str(error).partition("; available: ")[2]
            names = ", ".join([*map(str, state.sources), *filter(None, [others])]) or "none"
            reason = f"no microphone matches --device {self._wanted!r}; available: {names}"
            raise UsageError(reason) from error
