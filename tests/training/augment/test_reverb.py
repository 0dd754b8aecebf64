"""The rooms that are drawn: how long they sound, and how loud beside what comes directly."""

import numpy as np
import pytest

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.reverb import random_room


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


def test_a_room_falls_by_60_db_in_its_time_and_is_below_the_direct_sound() -> None:
    augmentation = Augmentation(decay=(0.4, 0.4), direct=(6.0, 6.0))
    response = random_room(np.random.default_rng(0), augmentation)
    assert len(response) == 0.4 * SAMPLE_RATE
    assert response[0] == 1
    assert not response[1:32].any()  # nothing comes back for 2 ms
    assert response[32]
    # 6 dB in all, without what would have been in the first 2 ms: 0.3 dB
    assert decibels(np.square(response[1:]).sum()) == pytest.approx(-6.3, abs=0.3)
    early, late = (np.square(response[start : start + 800]).sum() for start in (1_600, 3_200))
    assert decibels(early / late) == pytest.approx(15, abs=1)  # 0.1 s of 0.4 s
