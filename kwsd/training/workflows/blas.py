"""Whether torch computes matrix products with a slow library.

PyPI's torch brings a fast one. Debian's uses the machine's BLAS: the reference implementation, unless another
one is installed. OpenBLAS with threads of its own is as slow, because they and those of torch wait for each
other in busy loops. OpenBLAS with OpenMP shares the threads of torch.
"""

from pathlib import Path

from kwsd.training.workflows.progress import Progress

MAPS = Path("/proc/self/maps")
SLOW = {"blas", "openblas-pthread"}  # the folders in which Debian keeps these libraries


def warn_of_slow_blas(progress: Progress) -> None:
    """Warn if this process has loaded a BLAS of Debian that is slow with torch. Only Linux can tell."""
    try:
        mapped = [line.split(maxsplit=5) for line in MAPS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return
    files = {Path(fields[5]) for fields in mapped if len(fields) > 5}
    slow = sorted(file for file in files if file.parent.name in SLOW and file.name.startswith("libblas.so"))
    if slow:
        progress.warning(
            f"torch uses {slow[0]}, with which training takes up to ten times as long. To fix it: "
            "sudo apt install libopenblas0-openmp && sudo apt purge libopenblas0-pthread"
        )
