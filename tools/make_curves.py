"""Draws results/streams/curves.png from the curves that `kwsd evaluate --json` wrote to results/streams/."""

import json
from pathlib import Path

from kwsd.training.report.plots import field_plot

FOLDER = Path(__file__).parents[1] / "results" / "streams"
STEPS = {
    "scenes": "trained on scenes",
    "speech": "and 4 hours of other speech, in rooms",
    "mined": "and what it had mistaken for the word",
    "happy": "taught by the embedding, and verified by it",
}

if __name__ == "__main__":
    curves = {
        label + (", 10 dB" if noise == "10db" else ""): json.loads(
            (FOLDER / f"{name}-{noise}.json").read_text()
        )["curve"]
        for noise in ("clean", "10db")
        for name, label in STEPS.items()
    }
    field_plot(curves, FOLDER / "curves.png")
