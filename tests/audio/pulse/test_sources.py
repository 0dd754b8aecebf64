"""Which source of a sound server is meant."""

import pytest

from kwsd.audio.pulse.server import ServerState, Source
from kwsd.audio.pulse.sources import choose
from kwsd.errors import AbsentError, UsageError


def source(index: int, name: str, description: str) -> Source:
    monitor = name.endswith(".monitor")
    return Source(name, description, index, 1, (0,), 48_000, monitor, muted=False, suspended=False)


SOURCES = [
    source(
        0, "alsa_output.pci-0000_00_1f.3.analog-stereo.monitor", "Monitor of Built-in Audio Analog Stereo"
    ),
    source(1, "alsa_input.pci-0000_00_1f.3.analog-stereo", "Built-in Audio Analog Stereo"),
    source(7, "alsa_input.usb-Blue_Yeti-00.analog-stereo", "Yeti"),
    source(9, "alsa_input.usb-Blue_Yeti_X-00.analog-stereo", "Yeti X Analog Stereo"),
    source(12, "alsa_output.usb-Jabra-00.analog-stereo.monitor", "Monitor of Jabra Evolve"),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("9", 9),
        ("yeti x", 9),
        ("YETI", 7),  # a whole name wins
        ("pci-0000", 1),  # a monitor is not meant by a part of its name
        ("built-in audio analog stereo", 1),
        ("0", 0),
        ("Monitor of Jabra", 12),
        ("alsa_output.usb-Jabra-00.analog-stereo.monitor", 12),
        ("Monitor of Jabra Evolve", 12),
        ("jabra", None),  # its microphone is away, its loudspeaker is not
        ("5", None),
        ("plughw:1,0", None),
    ],
)
def test_a_source_is_chosen_by_index_name_or_a_part_of_it(wanted: str, index: int | None) -> None:
    found = choose(wanted, ServerState(default=SOURCES[1].name, sources=SOURCES))
    assert (found.index if found else None) == index


def test_what_several_fit_is_answered_with_them() -> None:
    with pytest.raises(UsageError) as raised:
        choose("usb-blue", ServerState(sources=SOURCES))
    for each in SOURCES:
        assert (str(each) in str(raised.value)) == (each.index in (7, 9))


def test_the_default_is_a_microphone_or_none() -> None:
    assert choose(None, ServerState(default=SOURCES[2].name, sources=SOURCES)) == SOURCES[2]
    with pytest.raises(AbsentError, match="the default source is a monitor of a loudspeaker"):
        choose(None, ServerState(default=SOURCES[0].name, sources=SOURCES))
    with pytest.raises(AbsentError, match="no microphone"):
        choose(None, ServerState(default="gone", sources=SOURCES))
