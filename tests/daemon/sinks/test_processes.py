"""All processes of a command are killed, also one that is just leaving its process group."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import gone, wait_for

from kwsd.daemon.sinks.processes import Family

LEAVES = "(until [ -e go ]; do sleep 0.01; done; exec setsid sleep 1000) & echo $! > pid; sleep 1000"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is killed")
def test_a_process_that_leaves_the_group_just_before_the_group_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = subprocess.Popen(["sh", "-c", LEAVES], cwd=tmp_path, start_new_session=True)
    written = tmp_path / "pid"
    pid = int(wait_for("the process", lambda: written.exists() and written.read_text()))
    really = os.killpg

    def killpg(group: int, number: int) -> None:
        (tmp_path / "go").touch()
        wait_for("its leaving", lambda: os.getpgid(pid) != group)
        really(group, number)

    monkeypatch.setattr(os, "killpg", killpg)
    Family(leader, {"MARK": "1"}).kill()
    wait_for("its end", lambda: gone(pid))
    leader.wait()
