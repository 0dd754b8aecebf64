import tracemalloc
import wave
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from harness import PATIENCE, wait_for

from kwsd.daemon.events import Event
from kwsd.daemon.sinks import clip_folder, clip_writer
from kwsd.daemon.sinks.clip_folder import WAV_HEADER_BYTES
from kwsd.daemon.sinks.clips import Clips
from kwsd.errors import UsageError

SIZE = WAV_HEADER_BYTES + 2 * 16_000  # bytes of a clip of a second


def event(stream_time: float) -> Event:
    time = datetime(2030, 1, 2, tzinfo=UTC) + timedelta(seconds=stream_time)
    return Event("../the word", 0.9, stream_time, time, "word.pt")


def saved(path: Path) -> list[int]:
    with wave.open(str(path)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(wav.readframes(wav.getnframes()), np.int16).tolist()


def ramp(start: int, count: int) -> np.ndarray:
    """Samples that tell when they were heard."""
    return (np.arange(start, start + count) / 10 % 30_000 / 32_768).astype(np.float32)


def test_only_the_owner_may_read_the_seconds_before_the_trigger(tmp_path: Path) -> None:
    folder = tmp_path / "new/clips"
    with Clips(folder, 1.0, 10 * SIZE) as clips:
        for start in range(0, 80_000, 4_000):
            clips.on_audio(ramp(start, 4_000), 0.0)
        clips.on_trigger(event(4.9))
    (path,) = folder.iterdir()
    assert path.name == "kwsd-20300102T000004.900000Z-___the_word.wav"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    expected = np.rint(ramp(62_400, 16_000) * 32_768).astype(int).tolist()
    assert saved(path) == expected


def test_no_clip_reaches_back_beyond_a_gap(tmp_path: Path) -> None:
    with Clips(tmp_path, 1.0, 10 * SIZE) as clips:
        clips.on_audio(ramp(0, 32_000), 0.0)
        clips.on_gap(3_600.0)
        clips.on_audio(ramp(32_000, 8_000), 0.0)
        clips.on_trigger(event(3_602.4))
    (path,) = tmp_path.iterdir()
    assert saved(path) == np.rint(ramp(32_000, 6_400) * 32_768).astype(int).tolist()


def test_a_microphone_that_is_away_for_long_costs_no_memory(tmp_path: Path) -> None:
    with Clips(tmp_path, 1.0, 10 * SIZE) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        tracemalloc.start()
        for _ in range(10_000):
            clips.on_audio(ramp(0, 0), 0.0)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert grown < 10_000


def test_the_oldest_go_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "kwsd-mine.wav").write_bytes(bytes(10 * SIZE))
    with Clips(tmp_path, 1.0, 3 * SIZE) as clips:
        for second in range(1, 7):
            clips.on_audio(ramp(16_000 * second, 16_000), 0.0)
            clips.on_trigger(event(second))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"kwsd-20300102T00000{second}.000000Z-___the_word.wav" for second in (4, 5, 6)),
        "kwsd-mine.wav",
    ]


def test_a_link_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = tmp_path / "target"
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "kwsd-20300102T000001.000000Z-___the_word.wav").symlink_to(target)
    with Clips(folder, 1.0, 3 * SIZE) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        clips.on_trigger(event(1.0))
    assert not target.exists()
    assert "is lost: File exists" in caplog.text


def test_what_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And how many there were, once one is written again."""
    folder = tmp_path / "clips"
    with Clips(folder, 1.0, 10 * SIZE) as clips:
        folder.rmdir()
        folder.write_text("in the way")
        for second in (1, 2, 3):
            clips.on_audio(ramp(16_000 * second, 16_000), 0.0)
            clips.on_trigger(event(second))
        wait_for("the losses", lambda: clips._folder._lost == 3)
        folder.unlink()
        clips.on_trigger(event(4))
    assert len(list(folder.iterdir())) == 1
    lost, again = caplog.messages
    assert lost.endswith("000001.000000Z-___the_word.wav is lost: File exists")
    assert again == "clips are saved again; 3 were lost"


def test_what_cannot_be_removed_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "writer.py"
    program.write_text("""print('{"kept": {"old.wav": "Operation not permitted"}, "error": null}')""")
    monkeypatch.setattr(clip_writer, "__file__", str(program))
    with Clips(tmp_path, 1.0, 10 * SIZE) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        for second in (1, 2, 3):
            clips.on_trigger(event(second))
    assert caplog.messages == [f"cannot remove the old clip {tmp_path}/old.wav: Operation not permitted"]


def test_a_disk_that_hangs_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "writer.py"
    program.write_text("import time; time.sleep(3)")
    monkeypatch.setattr(clip_writer, "__file__", str(program))
    monkeypatch.setattr(clip_folder, "WRITE_TIMEOUT", 0.1)
    with Clips(tmp_path, 1.0, 10 * SIZE) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        clips.on_trigger(event(0))
        wait_for("the first to be written", clips._folder._queue.empty)
        for second in range(1, 12):
            clips.on_trigger(event(second))
    lost, unwritten = caplog.messages
    assert lost.endswith(
        "000009.000000Z-___the_word.wav is lost: 8 other clips are still waiting to be written"
    )
    assert unwritten == f"9 clips were not written: {tmp_path} does not respond"


def test_a_recording_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_folder, "WRITE_TIMEOUT", PATIENCE)
    with Clips(tmp_path, 1.0, 100 * SIZE, live=False) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        for second in range(20):
            clips.on_trigger(event(second))
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.parametrize(
    "keyword", ["あ" * 100, "\U00020000" * 100, "é" * 100, "/", "..", "a/../b", "-", "\u3164"]
)
def test_any_keyword_gives_a_file_name(tmp_path: Path, keyword: str) -> None:
    with Clips(tmp_path, 1.0, 10 * SIZE) as clips:
        clips.on_audio(ramp(0, 16_000), 0.0)
        clips.on_trigger(replace(event(1.0), keyword=keyword))
    (path,) = tmp_path.iterdir()
    assert clip_writer.OURS.fullmatch(path.name)
    assert len(path.name.encode()) <= 255


def test_a_limit_that_fits_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than the limit"):
        Clips(tmp_path, 1.0, SIZE - 1)
