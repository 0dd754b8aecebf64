"""Draws FRR over false alarms per hour from the curves of `kwsd evaluate --json` in results/streams/."""

import json
from pathlib import Path
from typing import Any

from kwsd.training.report.plots import curve_plot

FOLDER = Path(__file__).parents[1] / "results" / "streams"
SHIPPED = {f"{model}-sky": model for model in ("happy", "alexa", "jarvis")}
STEPS = {
    "scenes-clean": "trained on the word in silence, noise or speech",
    "speech-clean": "and on 4 hours of other speech, with reverb",
    "mined-clean": "and on hard negatives",
    "happy-clean": "and with a second stage",
}
KINDS = {
    "libri10": "read English",
    "ocean10": "English read by Chinese people",
    "drascula10": "acted dialogue",
}
IN_NOISE = {  # in 10 dB of noise, in each kind of speech
    f"{word}-kinds": {f"{word}-{kind}": label for kind, label in KINDS.items()}
    for word in ("alexa", "computer", "jarvis")
}


def curve(name: str) -> list[dict[str, Any]]:
    """The points of one evaluation."""
    points: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text())["curve"]
    return points


if __name__ == "__main__":
    for figure, curves in ({"curves": SHIPPED, "steps": STEPS} | IN_NOISE).items():
        curve_plot({label: curve(name) for name, label in curves.items()}, FOLDER / f"{figure}.png")
