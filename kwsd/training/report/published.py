"""Published solutions of the task that this project began with, for comparison with recorded runs.

The task: make the attention CRNN of 70,443 parameters ten times faster and smaller, with an area under FR
over FA of at most 1.1 times 5e-5, on clips of "sheila" in Speech Commands v0.01.
"""

from dataclasses import dataclass

LIMIT = 5.5e-5  # the task's largest au_fa_fr of a compressed model

TASK = "https://github.com/markovka17/dla/tree/main/hw2_kws"
KWS_HW = "https://github.com/erasedwalt/kws-hw"


@dataclass(frozen=True)
class Published:
    """A published model.

    macs, weight_bytes: how many times fewer it has than its teacher (bytes of the file where only those were
    published); None if that was not published. au_fa_fr: at 1,734 of 64,721 clips. source: an address, or ""
    if it is not known where the figure is from.
    """

    name: str
    macs: float | None
    weight_bytes: float | None
    au_fa_fr: float
    source: str = ""


PUBLISHED = (
    Published("original experiment, baseline", 1, 1, 1.50e-5),
    Published("best other baseline", 1, 1, 1.63e-5),
    Published("original experiment, distilled", 8.5, 10.1, 5.30e-5),
    Published("fewest multiply-adds", 14.18, 27.1, 5.21e-5, KWS_HW),
    Published("fewest bytes", None, 38.2, 4.90e-5),
)
