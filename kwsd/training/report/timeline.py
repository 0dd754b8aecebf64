"""The picture of a recording as the detector hears it: waveform, posterior, threshold and triggers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kwsd.pcm import Samples
from kwsd.runtime.spotter import Step
from kwsd.training.report.plots import save


@dataclass(frozen=True)
class Track:
    """The steps of one pass over the recording, and the level from which a posterior counts."""

    label: str
    level: float
    named: str  # the level: threshold or, if the model has a second stage, candidate threshold
    steps: list[Step]


def draw_timeline(
    outline: Samples, seconds: float, words: list[tuple[float, str]], tracks: list[Track], path: Path
) -> None:
    """Draw the waveform's outline, (n,), of a recording of so many seconds, and each track.

    words: (start in seconds, name) of the files joined.
    """
    figure = Figure(figsize=(11, 1.6 + 1.9 * len(tracks)), layout="constrained")
    axes = figure.subplots(1 + len(tracks), sharex=True)
    wave, *panels = axes
    wave.plot(np.linspace(0, seconds, len(outline)), outline, linewidth=0.4, color="tab:gray")
    wave.set(ylabel="samples", ylim=(-1, 1.3))
    for start, name in words:
        for axis in axes:
            axis.axvline(start, color="black", linewidth=0.3, alpha=0.5)
        wave.text(start + 0.05, 1.05, name, fontsize=8)
    for panel, track in zip(panels, tracks, strict=True):
        times = [step.time for step in track.steps]
        panel.step(
            times, [step.posterior for step in track.steps], where="post", linewidth=1, label="posterior"
        )
        panel.axhline(track.level, color="tab:red", linestyle="--", linewidth=0.8, label=track.named)
        fired = [step for step in track.steps if step.trigger]
        panel.plot(
            [step.time for step in fired],
            [step.posterior for step in fired],
            linestyle="none",
            marker="v",
            color="tab:red",
            label="trigger",
        )
        panel.set(ylabel=track.label, ylim=(-0.05, 1.12))
    panels[0].legend(loc="upper left", fontsize=8, ncols=3)
    panels[-1].set(xlabel="seconds", xlim=(0, seconds))
    save(figure, path)
