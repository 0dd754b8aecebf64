"""The sound server's sources: listing them, choosing one, opening it."""

import logging
import re
from collections.abc import Callable

from kwsd.audio.microphone import Listed, Microphone, Opener
from kwsd.audio.pulse.microphone import PulseMicrophone
from kwsd.audio.pulse.server import Answer, NoAnswerError, NoServerError, Server, Source
from kwsd.errors import AbsentError, AudioError, UsageError

MAX_BACKOFF = 2.0  # seconds between two attempts to open a source: short, because they cost little
ALSA_NAME = re.compile(r"(plug)?hw:|\w+:CARD=")

log = logging.getLogger(__name__)


def choose(wanted: str | None, answer: Answer) -> Source | None:
    """The source of this index, name or description, or of a part of them, in any case; None: the default.

    A whole name wins. A monitor is chosen by its whole name, or by a part with "monitor" in it. Returns
    None where nothing fits. Raises UsageError where several do, AbsentError where the default is a
    monitor, or there is none.
    """
    if wanted is None:
        default = answer.find(answer.default)
        if default is None:
            raise AbsentError("no microphone: the sound server has no source")
        if default.monitor:
            raise AbsentError("no microphone: the default source is a monitor of a loudspeaker")
        return default
    text = wanted.lower()
    named = {source: (source.name.lower(), source.description.lower()) for source in answer.sources}
    if wanted.isdigit():
        fitting = [source for source in named if source.index == int(wanted)]
    else:
        fitting = [source for source, names in named.items() if text in names] or [
            source
            for source, names in named.items()
            if any(text in name for name in names) and (not source.monitor or "monitor" in text)
        ]
    if len(fitting) > 1:
        listed = ", ".join(map(str, fitting))
        raise UsageError(f"several microphones fit --device {wanted!r}; there are: {listed}")
    return fitting[0] if fitting else None


def listed() -> list[Listed]:
    """All sources; none where there is no server. Raises AudioError where it does not answer."""
    try:
        server = Server()
    except AudioError as error:
        if isinstance(error, NoAnswerError):
            raise
        return []
    try:
        answer = server.look()
    finally:
        server.close()
    return [
        Listed(
            source.index,
            source.name,
            source.description,
            server.program,
            source.rate,
            source.channels,
            source.name == answer.default,
            "a monitor of a loudspeaker" if source.monitor else "",
        )
        for source in answer.sources
    ]


class ServerOpener:
    """Opens the source `wanted`, chosen as `choose` does it, or, where it is none, what `otherwise` opens."""

    def __init__(
        self, wanted: str | None, channel: int | None, latency: float, otherwise: Callable[[], Opener]
    ) -> None:
        """channel, latency: see PulseMicrophone. otherwise: makes an opener for what is not the server's."""
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._otherwise = otherwise
        self._other: Opener | None = None  # made once there was no such source
        self._source: Source | None = None  # the one opened last

    @property
    def name(self) -> str:
        if self._other:
            return self._other.name
        return self._source.description if self._wanted and self._source else self._wanted or "default"

    @property
    def max_backoff(self) -> float:
        return self._other.max_backoff if self._other else MAX_BACKOFF

    def open(self) -> Microphone:
        """Raises AudioError, or UsageError where what was asked for fits none or several.

        What was a source once is waited for at the server, from which no card is to be taken that it has lost
        for a moment.
        """
        if self._wanted and ALSA_NAME.match(self._wanted):
            return self._open_other()
        try:
            server = Server()
        except NoServerError:
            if self._source:
                raise
            return self._open_other()
        try:
            answer = server.look()
            source = self._find(answer)
            if source:
                return self._open_source(server, source)
        except BaseException:
            server.close()
            raise
        server.close()
        if self._source:
            raise AbsentError(f"the microphone {self.name!r} is not there")
        return self._open_unknown(answer)

    def abandon(self) -> None:
        if self._other:
            self._other.abandon()

    def _find(self, answer: Answer) -> Source | None:
        """The source to open: the one that was open before or, without it, one that is named so."""
        if self._wanted and self._source:
            before = answer.find(self._source.name)
            if before or self._wanted.isdigit():  # an index may mean another source by now
                return before
        return choose(self._wanted, answer)

    def _open_source(self, server: Server, source: Source) -> Microphone:
        follow = self._wanted is None
        before, self._source, self._other = self._source, source, None
        microphone = PulseMicrophone(server, source, self.name, follow, self._channel, self._latency)
        if follow and (before is None or before.name != source.name):
            log.info("the default microphone is%s %s", " now" if before else "", source)
        return microphone

    def _open_other(self) -> Microphone:
        self._other = self._other or self._otherwise()
        return self._other.open()

    def _open_unknown(self, answer: Answer) -> Microphone:
        """Open what is no source. Raises UsageError with all names where it is nothing else either."""
        try:
            return self._open_other()
        except (AbsentError, UsageError) as error:
            others = str(error).partition("; there are: ")[2]
            names = ", ".join([*map(str, answer.sources), *filter(None, [others])]) or "none"
            raise UsageError(f"no microphone fits --device {self._wanted!r}; there are: {names}") from error
