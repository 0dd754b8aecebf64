"""Finishing a trained network: its threshold, its metrics on held-out speakers, the file and its card."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.runtime.model import Model, Settings
from kwsd.training.crnn import CRNN, parameter_count
from kwsd.training.metrics import au_fa_fr, bootstrap_interval, det_curve, frr_at_fa, one_minus_auroc
from kwsd.training.metrics import SPEECH_COMMANDS_BALANCE, Scores
from kwsd.training.modelfile import save_model, weights_of
from kwsd.training.recordings import Recordings
from kwsd.training.scoring import clip_frames, clip_scores


def split_scores(
    crnn: CRNN, recordings: Recordings, split: str, window: int, step: int
) -> tuple[Scores, Scores]:
    """Log-odds of the split's clips with and without the keyword."""
    kernel = crnn.architecture.kernel[1]
    keyword, others = (
        clip_scores(crnn, clip_frames(audio, kernel, window, step), window, step)
        for audio in recordings.clips(split)
    )
    return keyword, others


def clip_metrics(keyword: Scores, others: Scores) -> dict[str, Any]:
    """The metrics that a card and ``kwsd evaluate`` give of clip scores."""
    low, high = bootstrap_interval(keyword, others)
    return {
        "clips": [len(keyword), len(others)],
        "one_minus_auroc": one_minus_auroc(keyword, others),
        "one_minus_auroc_95": [low, high],
        "au_fa_fr": au_fa_fr(keyword, others),
        "au_fa_fr_speech_commands": au_fa_fr(keyword, others, SPEECH_COMMANDS_BALANCE),
        "frr_at_fa_1_percent": frr_at_fa(keyword, others, 0.01),
        "frr_at_fa_0.1_percent": frr_at_fa(keyword, others, 0.001),
    }


def threshold_from(keyword: Scores, others: Scores) -> float:
    """Posterior that no more than one in a thousand other words of validation reaches, within 0.5 and 0.95."""
    false_alarms, _ = det_curve(keyword, others)
    thresholds = np.unique(np.concatenate((keyword, others, [np.inf])))
    log_odds = thresholds[np.flatnonzero(false_alarms <= 0.001)[0]]
    return round(float(np.clip(1 / (1 + np.exp(-log_odds)), 0.5, 0.95)), 3)


def ship(
    crnn: CRNN, keyword: str, window: int, recordings: Recordings, facts: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Write the model and, beside it, its card. Returns the facts with the metrics added."""
    step = crnn.architecture.stride[1]
    validation = split_scores(crnn, recordings, "validation", window, step)
    metrics = {
        "validation": clip_metrics(*validation),
        "dev-test": clip_metrics(*split_scores(crnn, recordings, "dev-test", window, step)),
    }
    facts = {**facts, "parameters": parameter_count(crnn), "metrics": metrics}
    settings = Settings(window=window, step=step, threshold=threshold_from(*validation))
    weights = {name: value.numpy() for name, value in weights_of(crnn).items()}
    save_model(Model(keyword, crnn.architecture, weights, settings, facts), out)
    out.with_suffix(".md").write_text(card(out.name, keyword, settings, facts))
    return facts


def card(name: str, keyword: str, settings: Settings, facts: dict[str, Any]) -> str:
    """The model card, in Markdown."""
    rows = []
    for split, m in facts["metrics"].items():
        low, high = m["one_minus_auroc_95"]
        rows.append(
            f"| {split} | {m['clips'][0]} + {m['clips'][1]} | {m['one_minus_auroc']:.2e} ({low:.1e} to {high:.1e}) "
            f"| {m['au_fa_fr']:.2e} | {m['au_fa_fr_speech_commands']:.2e} "
            f"| {m['frr_at_fa_1_percent']:.2%} | {m['frr_at_fa_0.1_percent']:.2%} |"
        )
    table = "\n".join(rows)
    return f"""# {name}: "{keyword}"

{facts["parameters"]:,} parameters. Best run with window {settings.window}, step {settings.step}, threshold
{settings.threshold}. Trained on {facts["date"]} by

    {facts["command"]}

| split | clips (keyword + others) | 1 - AUROC (95 % interval) | au_fa_fr | at 1,734 of 64,721 | FRR at FA 1 % | at 0.1 % |
|---|---|---|---|---|---|---|
{table}

A clip's score is the highest posterior over its steps, heard after silence, as the runtime hears it. No speaker
is in two splits; validation chose the epoch and the threshold, dev-test chose nothing.

Data and recipe:

```json
{json.dumps({"data": facts["data"], "recipe": facts["recipe"]}, indent=1)}
```
"""
