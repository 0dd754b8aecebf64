"""Writes model cards (Mitchell et al. 2019, arXiv 1810.03993) from recorded facts."""

import shlex
from pathlib import Path
from typing import Any

from kwsd.runtime.model import Model
from kwsd.training.data.speech_commands import NOISE_FOLDER
from kwsd.training.release.cost import cost, verifier_cost
from kwsd.training.release.notes import notes_beside


def card(path: Path, metrics: dict[str, Any], facts: dict[str, Any]) -> str:
    """The card of the model file in Markdown, with its hand-written notes (`notes_beside`).

    metrics: `clip_metrics` by split. facts: as the model file holds them.
    """
    model, _ = cost(path)
    file = shlex.quote(path.name)  # the card's commands are for the folder of the model
    data, recipe = facts["data"], facts["recipe"]
    sections = [
        f'# {path.name}: "{model.keyword}"',
        "## Details",
        _details(path, facts),
        "## Intended use",
        f'To run a command when somebody says "{model.keyword}": `kwsd listen --model {file}`, in the folder '
        "of the file, as all commands below. It does not recognize who speaks; a television can say the "
        "word, too. Do not let it unlock a door.",
        "## Data",
        _data(data),
        "## Performance on clips",
        _clips(metrics),
        "A clip's score is the highest posterior of the first stage, after silence, as the runtime computes "
        f"it ({_scored(data, file)}). {_chosen(model, recipe)}.",
        "## Limits",
        _limits(model, data, file),
        "## How it was made",
        f"    {facts['command']}" if facts["command"] else "From Python, with kwsd.training.workflows.",
        _recipe(recipe),
    ]
    if notes := notes_beside(path):
        sections.append(notes)
    return "\n\n".join(sections) + "\n"


def _details(path: Path, facts: dict[str, Any]) -> str:
    """The first section: the network, its size, its cost and its settings."""
    model, spent = cost(path)
    recipe = facts["recipe"]
    a, s = model.architecture, model.settings
    lines = [
        f"- Network: attention CRNN with channels {a.channels}, kernel {a.kernel} and stride {a.stride} "
        f"(bands, frames), hidden size {a.hidden}.",
        f"- Size: {spent.parameters:,} parameters, {spent.weight_bytes:,} bytes of weights, "
        f"{spent.file_bytes:,} bytes of file.",
        f"- Cost: {spent.macs_per_second:,.0f} multiply-adds per second of audio, without the front end "
        f"(`kwsd info {shlex.quote(path.name)}`).",
    ]
    if verifier := verifier_cost(model):
        tuned = "tuning_batches" in recipe or recipe.get("teaching", {}).get("tune_embedding")
        lines.append(
            "- Second stage: heads on the speech embedding (Apache-2.0)"
            f"{', which was fine-tuned with them' if tuned else ''}; {verifier['parameters']:,} parameters, "
            f"{verifier['macs_per_second_awake']:,} multiply-adds per second while awake. "
            f"It verifies candidates, posterior {s.candidate_threshold} or more. "
            "The threshold is for both stages together."
        )
    lines += [
        f"- Settings: window {s.window}, step {s.step}, threshold {s.threshold}, patience {s.patience}.",
        f"- Date: {facts['date']}.",
    ]
    return "\n".join(lines)


def _data(data: dict[str, Any]) -> str:
    """The recordings that it was trained and evaluated on."""
    source, whose = "Speech Commands v0.01", "speaker"
    if data.get("synthetic"):
        source, whose = "synthetic voices", "voice"
        if NOISE_FOLDER in data.get("noise", ()):  # the noise of a tree, which has other words, too
            source += "; Speech Commands v0.01 for other words"
    return "\n".join(
        [
            f"Clips: {source}. No {whose} is in two splits.",
            "",
            "| split | clips of the keyword | of other words |",
            "|---|---|---|",
            *(f"| {split} | {n['keyword']} | {n['others']} |" for split, n in data["clips"].items()),
            "",
            f"- Noise: {', '.join(data['noise']) or 'none'}.",
            f"- Running speech: {', '.join(data['speech']) or 'none'}.",
            f"- Hard negatives: {data.get('hard', 0):,}.",
        ]
    )


def _clips(metrics: dict[str, Any]) -> str:
    """A table of the metrics, with the bootstrap interval of 1 - AUROC."""
    rows = [
        f"| {split} | {m['clips'][0]} + {m['clips'][1]} | {m['one_minus_auroc']:.2e} ({interval(m)}) "
        f"| {m['au_fa_fr']:.2e} | {m['au_fa_fr_speech_commands']:.2e} "
        f"| {m['frr_at_fa_1_percent']:.2%} | {m['frr_at_fa_0.1_percent']:.2%} |"
        for split, m in metrics.items()
    ]
    head = (
        "| split | clips (keyword + others) | 1 - AUROC (95 % interval) | au_fa_fr | at 1,734 of 64,721 "
        "| FRR at FA 1 % | at 0.1 % |"
    )
    return "\n".join([head, "|" + "---|" * 7, *rows])


def interval(metrics: dict[str, Any]) -> str:
    """The bootstrap interval of 1 - AUROC, as text."""
    low, high = metrics["one_minus_auroc_95"]
    return f"{low:.1e} to {high:.1e}"


def _scored(data: dict[str, Any], file: str) -> str:
    """The command that scores the clips. Synthetic clips are not kept, so they have none."""
    if data.get("synthetic"):
        return "the clips are of synthetic voices"
    return f"`kwsd evaluate --model {file} --data DIR --split dev-test`"


def _chosen(model: Model, recipe: dict[str, Any]) -> str:
    """How epoch and threshold were chosen."""
    last_epoch = "examples" in recipe  # as tools/train_students.py trains
    if model.verifier and not {"scenes", "teaching"} & recipe.keys():  # it was not trained with this verifier
        weights = (
            "The weights are those of the end of training" if last_epoch else "Validation chose the epoch"
        )
        return f"{weights}; the threshold was inherited with the second stage"
    return f"Validation chose the {'threshold, but no epoch' if last_epoch else 'epoch and the threshold'}"


def _limits(model: Model, data: dict[str, Any], file: str) -> str:
    """Limits that the table of clips does not show."""
    lines = [
        "- Clips do not show how often it fires in an hour of speech. Measure that on recordings of yours: "
        f"`kwsd evaluate --model {file} --positives DIR --negatives DIR`."
    ]
    if not model.verifier:
        lines.append("- It has no second stage, so it fires more often in speech that it does not know.")
    if data.get("synthetic"):
        lines.append("- It was trained on synthetic voices of the keyword only: expect more misses in noise.")
    return "\n".join(lines)


def _recipe(recipe: dict[str, Any]) -> str:
    """Every value of the recipe. Each nested part has its own paragraph."""
    parts: dict[str, dict[str, Any]] = {"Recipe": {}}
    for name, value in recipe.items():
        if isinstance(value, dict):
            parts[name.capitalize()] = value
        else:
            parts["Recipe"][name] = value
    return "\n\n".join(
        f"{part}: {', '.join(f'{name} {value}'.replace('_', ' ') for name, value in values.items())}."
        for part, values in parts.items()
    )
