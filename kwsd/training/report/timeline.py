"""Draws a recording over time: its waveform, and posteriors, threshold and triggers of detectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from kwsd.pcm import Samples
from kwsd.runtime.spotter import Spotter, Step
from kwsd.training.report.plots import save


@dataclass(frozen=True)
class Track:
    """The steps of one detector."""

    label: str

    threshold: float
    """Of the first stage, whose posteriors are drawn."""

    threshold_label: str

    steps: list[Step]

    @classmethod
    def of(cls, spotter: Spotter, steps: list[Step], named: bool) -> Self:
        """The track of a spotter that made these steps. named: its label is the keyword, not the settings."""
        settings = spotter.settings
        return cls(
            spotter.keyword if named else f"window {settings.window}, step {settings.step}",
            spotter.first_stage_threshold,
            "candidate threshold" if spotter.model.verifier else "threshold",
            steps,
        )


def draw_timeline(
    outline: Samples, seconds: float, words: list[tuple[float, str]], tracks: list[Track], path: Path
) -> None:
    """Draw the outline of the waveform, (n,), and below it each track.

    seconds: length of the recording. words: start, in seconds, and name of each of the files in it. Raises
    UsageError if the picture cannot be written.
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
        panel.axhline(
            track.threshold, color="tab:red", linestyle="--", linewidth=0.8, label=track.threshold_label
        )
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
