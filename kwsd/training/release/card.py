"""Model cards: what a model is, what it is for, how good it is and how it was made, from recorded facts."""

import shlex
from pathlib import Path
from typing import Any

from kwsd.training.release.cost import cost, verifier_cost
from kwsd.training.release.notes import notes_beside


def card(path: Path, metrics: dict[str, Any], facts: dict[str, Any]) -> str:
    """The model card, in Markdown, with the notes that lie beside the model (`notes_beside`)."""
    model, spent = cost(path)
    file = shlex.quote(path.name)  # as its commands name it, where it lies
    a, s = model.architecture, model.settings
    rows = [
        f"| {split} | {m['clips'][0]} + {m['clips'][1]} "
        f"| {m['one_minus_auroc']:.2e} ({interval(m)}) "
        f"| {m['au_fa_fr']:.2e} | {m['au_fa_fr_speech_commands']:.2e} "
        f"| {m['frr_at_fa_1_percent']:.2%} | {m['frr_at_fa_0.1_percent']:.2%} |"
        for split, m in metrics.items()
    ]
    data = facts["data"]
    clips = "; ".join(f"{split} {n['keyword']} + {n['others']}" for split, n in data["clips"].items())
    recipe = facts["recipe"]
    made = [(name, value) for name, value in recipe.items() if not isinstance(value, dict)]
    parts = {"Recipe": dict(made)} | {n.capitalize(): v for n, v in recipe.items() if isinstance(v, dict)}
    recipes = [
        f"{part}: {', '.join(f'{name} {value}'.replace('_', ' ') for name, value in values.items())}."
        for part, values in parts.items()
    ]
    judged = f"(`kwsd evaluate --model {file} --data DIR --split dev-test`). No speaker is in two splits;"
    source = "Speech Commands v0.01"
    if data.get("synthetic"):
        judged = "(these clips are of synthetic voices). No voice is in two splits;"
        source = "synthesized keyword and near misses, other words of Speech Commands v0.01"
    chose = "the epoch and the threshold."
    asked = verifier_cost(model)
    if asked and not {"scenes", "teaching"} & recipe.keys():  # it was not trained with this verifier
        chose = "the epoch; the threshold was inherited with the verifier."
    verified = []
    if asked:
        tuned = "tuning_batches" in recipe or recipe.get("teaching", {}).get("tune_embedding")
        learned = " that learned with them, too" if tuned else ""
        verified = [
            "",
            f"Candidates (posterior {s.candidate_threshold} or more) are verified by heads on Google's "
            f"speech embedding (Apache-2.0){learned}:",
            f"{asked['parameters']:,} parameters, {asked['macs_per_verification']:,} multiply-adds "
            "a verification; the threshold is what both stages must reach together.",
        ]
    notes = notes_beside(path)
    lines = [
        f'# {path.name}: "{model.keyword}"',
        "",
        f"Attention CRNN: channels {a.channels}, kernel {a.kernel}, stride {a.stride} (bands, frames), "
        f"hidden {a.hidden}.",
        f"Listen with it: `kwsd listen --model {file}`, in its folder, as the commands below.",
        f"Best run with window {s.window}, step {s.step}, threshold {s.threshold}, patience {s.patience}.",
        f"Made on {facts['date']} by",
        "",
        f"    {facts['command']}",
        "",
        f"{spent.parameters:,} parameters, {spent.macs_per_second:,.0f} multiply-adds per second of audio "
        f"(front end apart),",
        f"{spent.weight_bytes:,} bytes of weights, {spent.file_bytes:,} of file (`kwsd info {file}`).",
        *verified,
        "",
        "| split | clips (keyword + others) | 1 - AUROC (95 % interval) | au_fa_fr | at 1,734 of 64,721 "
        "| FRR at FA 1 % | at 0.1 % |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "A clip's score is the CRNN's highest posterior, heard after silence, as the runtime hears it",
        judged,
        f"validation chose {chose}",
        "",
        *([notes, ""] if notes else []),
        f"Data: {source}, clips with the keyword + others: {clips}; noise: "
        f"{', '.join(data['noise']) or 'none'}; running speech: {', '.join(data['speech']) or 'none'}.",
        *recipes,
        "",
    ]
    return "\n".join(lines)


def interval(metrics: dict[str, Any]) -> str:
    """The bootstrap interval of 1 - AUROC, for a person."""
    low, high = metrics["one_minus_auroc_95"]
    return f"{low:.1e} to {high:.1e}"
