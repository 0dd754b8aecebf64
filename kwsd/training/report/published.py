"""Published solutions of the task that this project began with, for comparison with recorded runs.

The task: make the attention CRNN of 70,443 parameters ten times faster and smaller, with an area under FR
over FA of at most 1.1 times 5e-5, on clips of "sheila" in Speech Commands v0.01.
"""

from dataclasses import dataclass

LIMIT = 5.5e-5  # the task's largest au_fa_fr of a compressed model

TASK = "https://github.com/markovka17/dla/tree/main/hw2_kws"


@dataclass(frozen=True)
class Published:
    """A published model.

    macs, weight_bytes: how many times fewer it has than its teacher (bytes of the file where only those were
    published). au_fa_fr: at 1,734 of 64,721 clips. source: an address, or "" if it is not known where the
    figure is from.
    """

    name: str
    macs: float
    weight_bytes: float
    au_fa_fr: float
    source: str = ""


PUBLISHED = (
    Published("original experiment, baseline", 1, 1, 1.50e-5),
    Published("best other baseline", 1, 1, 1.10e-5, "https://github.com/ArseniyBolotin/dla-2"),
    Published("original experiment, distilled", 8.5, 10.1, 5.30e-5),
    Published("fewest multiply-adds", 14.18, 27.1, 5.21e-5, "https://github.com/erasedwalt/kws-hw"),
    Published("fewest bytes", 10.41, 38.2, 4.90e-5, "https://github.com/IHateReptiloids/kws_hw"),
    Published("least error at a tenth", 10.08, 21.3, 3.95e-5, "https://github.com/timothyxp/kws"),
    Published("least error", 7.09, 12.7, 3.0e-5, "https://github.com/iamilyasedunov/key_word_spotting"),
)
