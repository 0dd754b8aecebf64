"""Whether this machine has the disk and the memory that a word from text takes, and for how many workers."""

from pathlib import Path

from kwsd.files import check_room
from kwsd.training.data.speech_commands import files_of
from kwsd.training.data.spool import spool_folder
from kwsd.training.workflows.blas import warn_of_slow_blas
from kwsd.training.workflows.material import Material
from kwsd.training.workflows.progress import Progress

MEMORY_BYTES = 1_800_000_000  # clips, training examples, torch
WORKER_BYTES = 900_000_000  # of each process that makes examples, which lives on for some minutes
DISK_BYTES = 300_000_000  # of synthesized speech
UNPACKED = 4  # bytes of a recording while it is in use, by a byte of its file


def check_machine(folder: Path, progress: Progress) -> None:
    """Raise KwsdError if the disk has no room for synthesized speech.

    Warn if memory may be too little, or if torch is slow here.
    """
    warn_of_slow_blas(progress)
    check_room(folder, DISK_BYTES, "synthesized speech")
    memory = available_memory()
    if memory is not None and memory < MEMORY_BYTES:
        progress.warning(
            f"{memory / 1e9:.1f} GB of memory are available; training takes {MEMORY_BYTES / 1e9:.1f} GB"
        )


def check_disks(folder: Path, material: Material) -> None:
    """Raise KwsdError if the disks lack room for synthesized speech, or for the recordings while in use."""
    recordings = (*material.sources.speech, *material.sources.unseen, *material.test)
    in_use = UNPACKED * sum(path.stat().st_size for each in recordings for path in files_of(each))
    check_room(folder, DISK_BYTES, "synthesized speech")
    check_room(spool_folder(), in_use, "recordings while they are in use")


def affordable_jobs(jobs: int | None) -> int | None:
    """`jobs`, or as many as there is memory for, but at least one."""
    memory = available_memory()
    if jobs is None or memory is None:
        return jobs
    return max(1, min(jobs, (memory - MEMORY_BYTES) // WORKER_BYTES))


def available_memory() -> int | None:
    """Bytes of memory that new programs can have; None where that is not known (Linux tells)."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return 1024 * kilobytes[0] if kilobytes else None
