"""What `kwsd listen` costs on this machine: time to READY, resident memory, CPU while it listens.

python benchmarks/listen.py [--seconds 20] [LISTEN OPTIONS...]

It listens to the default microphone unless the options say otherwise (`--device NAME`).
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5  # for the time to READY


def start(options: list[str], notify: socket.socket) -> tuple[subprocess.Popen[bytes], float]:
    """A daemon that is READY, and the seconds that took."""
    command = [str(Path(sys.executable).with_name("kwsd")), "listen", "--format", "json", *options]
    began = time.perf_counter()
    daemon = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"NOTIFY_SOCKET": notify.getsockname()},
    )
    notify.settimeout(30)
    while b"READY=1" not in notify.recv(4096):
        pass
    return daemon, time.perf_counter() - began


def resident(pid: int) -> float:
    """Megabytes resident (VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"{folder}/notify")
        ready = []
        for _ in range(RUNS):
            daemon, seconds = start(options, notify)
            ready.append(seconds)
            daemon.terminate()
            daemon.wait()
        daemon, _ = start(options, notify)
        before, began = cpu(daemon.pid), time.perf_counter()
        time.sleep(arguments.seconds)
        heard = time.perf_counter() - began
        spent, memory = cpu(daemon.pid) - before, resident(daemon.pid)
        daemon.terminate()
        daemon.wait()
    print(f"READY after           {min(ready):.2f} s best, {sorted(ready)[RUNS // 2]:.2f} s median of {RUNS}")
    print(f"resident memory       {memory:.1f} MB after {heard:.0f} s")
    print(f"CPU while listening   {1000 * spent / heard:.2f} ms per second of audio")
    print(f"peak of all           {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MB")


def cpu(pid: int) -> float:
    """Seconds of processor that the process has used, user and system."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
