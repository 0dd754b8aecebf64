"""What `kwsd listen` hears and costs with little processor, little memory, and a microphone that goes away.

python benchmarks/faults.py [--plays 5] (needs pulseaudio, and kwsd in the same environment)

In each row a new daemon listens to a fake microphone, and docs/sample.flac, which holds the keyword twice, is
played `--plays` times: under the limits of processor and memory, which need root, and after the other faults.
CPU is the whole process's while the fault lasts.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import Daemon, FakeMicrophone, wait_for  # noqa: E402
from listen import cpu, resident  # noqa: E402

SAMPLE = ROOT / "docs" / "sample.flac"
WORDS = 2  # in the sample
GROUPS = Path("/sys/fs/cgroup")
LATE = 3.0  # seconds that a trigger may come after the sample
SUSPENDED = 30.0  # seconds
FLAPS = 20
FLAP = (0.1, 0.7)  # seconds that the microphone is away, and then there, at least and at most
RECONNECTED = "reconnected to the microphone"  # in the log line of each reconnection


class NotPossibleError(Exception):
    """This machine cannot produce the fault."""


@dataclass
class Row:
    """What is measured while a fault lasts."""

    cpu: float  # ms a second
    back: float | None = None  # seconds from the end of the fault until audio comes again


class Session:
    """A daemon that listens to a fake microphone of its own."""

    def __init__(self, folder: Path, plays: int) -> None:
        self.microphone = FakeMicrophone(folder)
        self.daemon = Daemon(folder, self.microphone.environment, "--format", "json")
        self.pid = self.daemon.process.pid
        self._plays = plays

    def ready(self) -> None:
        """Wait until audio comes."""
        self.daemon.wait_for_notification("READY=1")

    def speak(self) -> None:
        """Play the sample as often as was asked for."""
        for _ in range(self._plays):
            self.microphone.play(SAMPLE)
        time.sleep(LATE)

    def cost(self, during: Callable[[], None]) -> float:
        """Milliseconds of processor that the daemon takes a second."""
        before, began = cpu(self.pid), time.monotonic()
        during()
        return 1000 * (cpu(self.pid) - before) / (time.monotonic() - began)

    def close(self) -> None:
        self.daemon.close()
        self.microphone.close()


@contextmanager
def limited(pid: int, controller: str, limits: dict[str, str]) -> Iterator[None]:
    """Put the process into a control group with these limits, in files of version 1 or 2 of such groups."""
    version_2 = (GROUPS / "cgroup.controllers").exists()
    group = (GROUPS if version_2 else GROUPS / controller) / "kwsd-faults"
    try:
        group.mkdir()
    except OSError as error:
        raise NotPossibleError(f"no control group: {error.strerror}") from error
    try:
        possible = {name: limit for name, limit in limits.items() if (group / name).exists()}
        if not possible:
            raise NotPossibleError(f"no control group limits {controller}")
        for name, limit in possible.items():
            (group / name).write_text(limit)
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        with suppress(OSError):  # it has ended
            (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def unhindered(session: Session) -> Row:
    session.ready()
    return Row(session.cost(session.speak))


def little_processor(session: Session) -> Row:
    with limited(session.pid, "cpu", {"cpu.max": "2000 100000", "cpu.cfs_quota_us": "2000"}):
        return unhindered(session)


def little_memory(session: Session) -> Row:
    limit = str(45 << 20)
    with limited(session.pid, "memory", {"memory.max": limit, "memory.limit_in_bytes": limit}):
        return unhindered(session)


def suspended(session: Session) -> Row:
    session.ready()
    assert session.microphone.control("suspend-source", "mic", "1")
    session.daemon.wait_for_notification("is suspended")
    cost = session.cost(lambda: time.sleep(SUSPENDED))
    resumed = time.monotonic()
    assert session.microphone.control("suspend-source", "mic", "0")
    session.daemon.wait_for_line(RECONNECTED)
    back = time.monotonic() - resumed
    session.speak()
    return Row(cost, back)


def flapping(session: Session) -> Row:
    """A loose plug. Before it comes back for the last time the daemon has time to notice that it is away."""
    chance = random.Random(0)

    def flap() -> None:
        for left in reversed(range(FLAPS)):
            session.microphone.unplug()
            time.sleep(chance.uniform(*FLAP) if left else 2.0)
            session.microphone.plug()
            if left:
                time.sleep(chance.uniform(*FLAP))

    session.ready()
    cost = session.cost(flap)
    plugged = time.monotonic()
    wait_for("the microphone", lambda: RECONNECTED in session.daemon.log().splitlines()[-1])
    back = time.monotonic() - plugged
    session.speak()
    return Row(cost, back)


FAULTS: dict[str, Callable[[Session], Row]] = {
    "none": unhindered,
    "2 % of a core": little_processor,
    "45 MB of memory": little_memory,
    f"suspended for {SUSPENDED:.0f} s": suspended,
    f"unplugged {FLAPS} times": flapping,
}


def measure(fault: Callable[[Session], Row], plays: int) -> str:
    """The row of the table, without the fault's name."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder), plays)
        try:
            row = fault(session)
            memory = resident(session.pid)
            _, log = session.daemon.stop()
        except (NotPossibleError, AssertionError) as reason:
            return f"not measured: {reason} |"
        finally:
            session.close()
    heard, lines = len(session.daemon.rest()), log.splitlines()
    back = "" if row.back is None else f"{row.back:.1f}"
    reconnects = sum(RECONNECTED in line for line in lines)
    said = WORDS * plays
    return f"{said} | {heard} | {row.cpu:.1f} | {memory:.1f} | {back} | {reconnects} | {len(lines)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plays", type=int, default=5)
    plays = parser.parse_args().plays
    print(
        "| Fault | Words said | Words heard | CPU, ms/s | RSS, MB | Back after, s | Reconnects | Log lines |"
    )
    print("|---" * 8 + "|")
    for name, fault in FAULTS.items():
        print(f"| {name} | {measure(fault, plays)}", flush=True)


if __name__ == "__main__":
    main()
