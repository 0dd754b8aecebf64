"""A hundred unplugs and a hundred restarts of the sound server under `kwsd listen`: what it holds after each.

python benchmarks/microphone.py (needs pulseaudio, and kwsd in the same environment)
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import LOUD, Daemon, FakeMicrophone  # noqa: E402

TIMES = 100


def held(pid: int) -> str:
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    rss = int(status["VmRSS"].split()[0]) / 1024
    descriptors = len(list((proc / "fd").iterdir()))
    return f"{descriptors} descriptors, {status['Threads'].strip()} threads, {rss:.1f} MiB"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        microphone = FakeMicrophone(Path(folder))
        daemon = Daemon(Path(folder), microphone.environment, "--model", str(LOUD))
        try:
            daemon.wait_for_notification("READY=1")
            print(f"{'start':>13}: {held(daemon.process.pid)}")
            faults = {
                "unplug": (microphone.unplug, microphone.plug),
                "restart": (microphone.close, microphone.start),
            }
            for name, (take, give) in faults.items():
                for count in range(1, TIMES + 1):
                    take()
                    daemon.wait_for_notification("STATUS=waiting for microphone")
                    give()
                    daemon.wait_for_notification("STATUS=default: ")
                    print(f"{name:>9} {count:3}: {held(daemon.process.pid)}", flush=True)
            code, error = daemon.stop()
            lines = [line for line in error.splitlines() if line.startswith("kwsd: ")]
            print(f"exit code {code}; {sum('reconnected to' in line for line in lines)} returns reported")
        finally:
            daemon.close()
            microphone.close()
