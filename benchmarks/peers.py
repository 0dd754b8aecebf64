"""kwsd beside other wake-word engines: CPU and memory for one word and for four, in one run, in turns.

python benchmarks/peers.py [--environments DIR] [--rounds 3]

Installs each engine from PyPI into an environment of its own, once, and feeds all of them the same
recordings: noise at -50 dBFS, speech without the words, and clips of "alexa", as a check that each detects
its words with its own default settings. The speech and the clips are continuous_speech and wake_words/alexa
in the folder that KWSD_DATA names.

CPU is that of the process in one thread, without capture, per second of audio: the least of the rounds,
because others use the machine, too. Memory is resident, with Python, at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Int16, to_int16
from kwsd.training.data.speech_commands import read_audio

PEERS = {"pymicro_wakeword": "2.5.0", "pvporcupine": "1.9.5", "openwakeword": "0.4.0"}
WORDS = {
    "kwsd": ["alexa", "computer", "jarvis", "happy"],
    "pymicro_wakeword": ["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"],
    "pvporcupine": ["alexa", "computer", "jarvis", "porcupine"],
    "openwakeword": ["alexa", "hey_jarvis", "hey_mycroft", "weather"],
}
COUNTS = (1, 4)
SECONDS = 65  # of noise and of speech
PAUSE = np.zeros(3 * SAMPLE_RATE // 2, np.int16)  # before each clip of the word
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def environment(folder: Path, name: str) -> Path:
    """The Python of an environment with this engine, which is created if it does not exist."""
    python = folder / f"{name}-{PEERS[name]}" / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{name}=={PEERS[name]}"], check=True)
    return python


def speech(folder: Path) -> Int16:
    """SECONDS of the recordings in a folder, end to end."""
    parts: list[Int16] = []
    paths = iter(sorted(folder.rglob("*.flac")))
    while sum(map(len, parts)) < SECONDS * SAMPLE_RATE:
        parts.append(read_audio(next(paths)))
    return np.concatenate(parts)[: SECONDS * SAMPLE_RATE]


def run(python: Path, name: str, words: list[str], recordings: list[Path]) -> dict[str, Any]:
    """What benchmarks/peer.py measures."""
    program = Path(__file__).with_name("peer.py")
    command = [str(python), str(program), name, ",".join(words), *map(str, recordings)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--environments", type=Path, default=Path("/var/tmp/kwsd-peers"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    data = Path(os.environ["KWSD_DATA"])
    pythons = {"kwsd": Path(sys.executable)}
    pythons |= {name: environment(options.environments, name) for name in PEERS}
    clips = [read_audio(path) for path in sorted((data / "wake_words" / "alexa").rglob("*.flac"))]
    noise = np.random.default_rng(0).normal(0, 10 ** (-50 / 20), SECONDS * SAMPLE_RATE)
    sounds = {
        "noise": to_int16(noise),
        "speech": speech(data / "continuous_speech"),
        "alexa": np.concatenate([part for clip in clips for part in (PAUSE, clip)] + [PAUSE]),
    }
    with tempfile.TemporaryDirectory() as folder:
        recordings = [Path(folder, name) for name in sounds]
        for path, samples in zip(recordings, sounds.values(), strict=True):
            path.write_bytes(samples.tobytes())
        rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for _ in range(options.rounds):
            for count in COUNTS:
                played = recordings if count == 1 else recordings[:2]  # clips of one word are for one word
                for name, python in pythons.items():
                    measured = run(python, name, WORDS[name][:count], played)
                    rows.setdefault((name, count), []).append(measured)
    print(
        "| engine | words | noise, CPU ms per s | speech, CPU ms per s | resident, MB | of the clips heard |"
    )
    print("|" + "---|" * 6)
    for (name, count), found in rows.items():
        noise_ms, speech_ms = (min(one["cpu_ms"][sound] for one in found) for sound in (0, 1))
        resident = max(one["resident_mb"] for one in found)
        heard = f"{found[0]['detections'][2]} of {len(clips)}" if count == 1 else ""
        version = f" {PEERS[name]}" if name in PEERS else ""
        print(f"| {name}{version} | {count} | {noise_ms:.2f} | {speech_ms:.2f} | {resident:.1f} | {heard} |")


if __name__ == "__main__":
    main()
