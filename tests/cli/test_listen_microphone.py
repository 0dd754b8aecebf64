"""The installed command on a microphone: what is played into it is heard."""

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from harness import KWSD, LOUD, Daemon, FakeMicrophone, Spoken

pytestmark = pytest.mark.microphone

Listen = Callable[..., Daemon]


def test_hears_the_word_and_runs_the_hook(
    listen: Listen, microphone: FakeMicrophone, spoken: Spoken, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    daemon = listen("--model", spoken.model, "--on-trigger", f"echo $KWSD_KEYWORD >> {heard}")
    microphone.play(spoken.path)
    event = daemon.event()
    assert event["event"] == "trigger"
    assert event["keyword"] == spoken.keyword
    assert event["model"] == Path(spoken.model).with_suffix(".pt").name
    assert 0.5 <= event["posterior"] <= 1
    assert event["stream_time"] > 0
    assert datetime.fromisoformat(event["time"]).utcoffset() is not None
    daemon.wait_for_notification("STATUS=default: 1 triggers, 0 overruns")
    code, error = daemon.stop()
    assert code == 0, error
    assert heard.read_text().split()[0] == spoken.keyword


def test_a_process_that_was_frozen_goes_on(listen: Listen, microphone: FakeMicrophone, loud: Spoken) -> None:
    daemon = listen("--model", loud.model)
    daemon.process.send_signal(signal.SIGSTOP)
    microphone.play(loud.path)
    daemon.process.send_signal(signal.SIGCONT)
    microphone.play(loud.path)
    assert daemon.event()["keyword"] == loud.keyword
    assert daemon.stop()[0] == 0


def test_ctrl_c_stops_it(listen: Listen) -> None:
    daemon = listen("--model", str(LOUD))
    daemon.process.send_signal(signal.SIGINT)
    code, error = daemon.wait()
    assert code == 0
    assert "Traceback" not in error


def test_it_stays_within_45_mb_and_without_what_it_does_not_need(listen: Listen) -> None:
    daemon = listen("--model", "student")
    proc = Path(f"/proc/{daemon.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    assert int(status["VmHWM"].split()[0]) * 1024 <= 45e6
    assert not any(
        library in (proc / "maps").read_text() for library in ("libtorch", "libavcodec", "soxr", "sndfile_")
    )


def test_devices_lists_the_microphones(microphone: FakeMicrophone) -> None:
    done = subprocess.run(
        [KWSD, "devices"], env=microphone.environment, capture_output=True, text=True, check=True
    )
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line
    ]
    names = [(row[0], row[2]) for row in rows if row[1]]
    assert ("*", "mic") in names
    assert [mark for mark, _ in names].count("*") == 1
    assert "monitor of a" in done.stdout


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("nosuch", "no microphone matches --device 'nosuch'; available: "),
        ("99", "no microphone matches --device '99'; available: "),
    ],
)
def test_a_device_that_is_not_one_is_named(microphone: FakeMicrophone, device: str, says: str) -> None:
    done = subprocess.run(
        [KWSD, "listen", "--model", LOUD, "--device", device],
        env=microphone.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert "'default'" in done.stderr


def test_no_microphone_is_one_line(tmp_path: Path) -> None:
    for command in (["listen", "--model", str(LOUD), "--exit-on-loss"], ["devices"]):
        done = subprocess.run(
            [KWSD, *command],
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "no microphone" in done.stderr
