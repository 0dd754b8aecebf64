"""How far the most similar part of other speech is from a keyword."""

import pytest

from kwsd.training.synthesis.keyword import Keyword

pytest.importorskip("espeakng_loader", reason="needs the extra synth")


def test_the_distance_of_the_nearest_part() -> None:
    keyword = Keyword("happy")
    alone = keyword.distance("hˈipi")
    assert keyword.distance_in("hˈipi") == alone > 0
    assert keyword.distance_in("ðə hˈipi sˈɔŋ") == alone  # the words around it do not count
    assert keyword.distance("ðə hˈipi sˈɔŋ") > alone + 3
    assert keyword.distance_in("ɐ hˈæpi sˈɔŋ") == 0  # it says the keyword
