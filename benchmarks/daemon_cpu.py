"""What `kwsd listen` costs by thread with PulseAudio and PipeWire, beside what nothing can go below.

python benchmarks/daemon_cpu.py [--seconds 30] [--rounds 3] [--beside FOLDER] [LISTEN OPTIONS...]

Everything runs at the same time on one fake microphone that plays noise: kwsd, the kwsd of another checkout
(FOLDER), `parec`, a C program that takes the same audio in pieces of 0.2 s and does nothing with it, and the
detector alone, which gets 0.2 s every 0.2 s from memory, without a microphone. Between two pieces other
programs have the processor and its caches, so the detector alone also runs without these pauses.

Needs pulseaudio, pulseaudio-utils and, for PipeWire, pipewire-pulse, wireplumber and dbus-run-session.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import Daemon, FakeMicrophone, FakePipeWire  # noqa: E402

PIECE = 0.2  # seconds, the default --latency
PAREC = ["parec", "--device=mic", "--rate=16000", "--format=s16le", "--latency-msec=200"]
DETECTOR = f"""
import sys, time
import numpy as np
from kwsd import Detector
detector = Detector.load("happy")
noise = np.random.default_rng(0).normal(0, 0.01, {round(PIECE * 16_000)}).astype(np.float32)
pause = float(sys.argv[1])
for _ in range(100):  # noise that begins wakes the second stage
    detector.feed(noise)
spent = heard = 0.0
while True:
    if pause:
        time.sleep(pause)
    before = time.thread_time()
    detector.feed(noise)
    spent += time.thread_time() - before
    heard += {PIECE}
    if not pause and heard > 20:
        print(1000 * spent / heard)
        break
"""


def cpu(pid: int) -> dict[str, float]:
    """Seconds of processor that each thread of a process has used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {thread.name: int((thread / "schedstat").read_text().split()[0]) / 1e9 for thread in threads}


def named(pid: int, spent: dict[str, float]) -> dict[str, float]:
    """The same of the main thread, which listens, and of all others together."""
    main, everything = spent[str(pid)], sum(spent.values())
    return {"all": everything, "main": main, "others": everything - main}


def measure(
    microphone: FakeMicrophone,
    folder: Path,
    seconds: float,
    rounds: int,
    trees: dict[str, Path],
    options: list[str],
) -> list[tuple[str, dict[str, float]]]:
    """Milliseconds of processor per second, of each program: the lowest of some rounds."""
    import soundfile

    noise = folder / "noise.wav"
    length = round((seconds * rounds + 60) * 16_000)
    soundfile.write(noise, np.random.default_rng(0).normal(0, 300, length).astype(np.int16), 16_000)
    lowest: dict[str, dict[str, float]] = {}
    with ExitStack() as running:
        play = ["paplay", "--device=speaker", str(noise)]
        kills = [subprocess.Popen(play, env=microphone.environment)]
        daemons: dict[str, int] = {}
        for name, tree in trees.items():
            place = folder / f"daemon{len(daemons)}"
            place.mkdir()
            environment = microphone.environment | {"PYTHONPATH": str(tree)}
            control = ("--control", str(place / "kwsd.sock"))
            daemon = Daemon(place, environment, "--model", "happy", *control, *options)
            running.callback(daemon.close)
            daemon.wait_for_notification("READY=1")
            daemons[name] = daemon.process.pid
        detector = subprocess.Popen([sys.executable, "-c", DETECTOR, str(PIECE)])
        recorder = subprocess.Popen(PAREC, env=microphone.environment, stdout=subprocess.DEVNULL)
        kills += [detector, recorder]
        time.sleep(5)
        programs = daemons | {"parec": recorder.pid, "the detector alone": detector.pid}
        for _ in range(rounds):
            began, before = time.monotonic(), {name: cpu(pid) for name, pid in programs.items()}
            time.sleep(seconds)
            passed = time.monotonic() - began
            for name, pid in programs.items():
                spent = {key: 1000 * (s - before[name][key]) / passed for key, s in cpu(pid).items()}
                costs = named(pid, spent) if name in daemons else {"all": sum(spent.values())}
                if name not in lowest or costs["all"] < lowest[name]["all"]:
                    lowest[name] = costs
        for program in kills:
            program.kill()
            program.wait()
    return list(lowest.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout to measure as well")
    arguments, options = parser.parse_known_args()
    trees = {"kwsd": ROOT} | (
        {f"kwsd of {arguments.beside.name}": arguments.beside} if arguments.beside else {}
    )
    print("| server | program | CPU, ms per second | main thread | other threads |")
    print("|---|---|---|---|---|")
    for server, kind in (("PulseAudio", FakeMicrophone), ("PipeWire", FakePipeWire)):
        with tempfile.TemporaryDirectory() as name:
            microphone = kind(Path(name))
            try:
                rows = measure(microphone, Path(name), arguments.seconds, arguments.rounds, trees, options)
            finally:
                microphone.close()
        for program, costs in rows:
            cells = [f"{costs[key]:.2f}" if key in costs else "" for key in ("all", "main", "others")]
            print(f"| {server} | {program} | {' | '.join(cells)} |", flush=True)
    warm = subprocess.run([sys.executable, "-c", DETECTOR, "0"], capture_output=True, text=True, check=True)
    print(f"| | the detector alone, without pauses | {float(warm.stdout):.2f} | | |")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
