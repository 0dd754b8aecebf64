"""`kwsd listen` stopped for half a minute while the keyword is said: what it makes of it when it goes on.

python benchmarks/stopped.py [--seconds 30] (needs pulseaudio, and kwsd in the same environment)
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import LOUD, Daemon, FakeMicrophone, speak  # noqa: E402

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        word = speak("loud", str(LOUD), [0.2 * np.random.default_rng(0).standard_normal(8_000)], folder)
        microphone = FakeMicrophone(folder)
        daemon = Daemon(folder, microphone.environment, "--model", word.model)
        try:
            daemon.wait_for_notification("READY=1")
            daemon.process.send_signal(signal.SIGSTOP)
            stopped, said = time.monotonic(), 0
            while time.monotonic() - stopped < seconds:
                microphone.play(word.path)
                said += 1
            daemon.process.send_signal(signal.SIGCONT)
            took = time.monotonic() - stopped
            print(f"stopped for {took:.1f} s, in which the word was said {said} times; now once more")
            microphone.play(word.path)
            event = daemon.event()
            code, error = daemon.stop()
            count, at = 1 + len(daemon.rest()), event["stream_time"]
            print(f"triggers: {count}, at stream time {at:.1f} s; exit code {code}")
            print(error, end="")
        finally:
            daemon.close()
            microphone.close()
