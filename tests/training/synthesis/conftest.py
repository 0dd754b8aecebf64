"""Without espeak-ng there are no phonemes to test."""

import pytest

pytest.importorskip("espeakng_loader", reason="needs espeak-ng: pip install 'kwsd[synth]'")
