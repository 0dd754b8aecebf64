"""Writes model files in the present format, and their size into their cards; weights and settings stay equal.

python tools/rewrite_models.py models/*.pt
"""

import sys
from pathlib import Path

from kwsd.files import replace_file
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.training.release.card import details
from kwsd.training.release.modelfile import write_settings


def content(model: Model) -> list[object]:
    """All that a model file holds, to be compared; weights as bytes."""
    arrays = model.weights | (model.verifier or {})
    weights = {name: array.tobytes() for name, array in arrays.items()}
    return [model.keyword, model.architecture, model.settings, model.facts, weights]


def main(path: Path) -> None:
    model, card = read_model(path), path.with_suffix(".md")
    size, described, text = path.stat().st_size, details(path, model.facts), card.read_text("utf-8")
    if text.count(described) != 1:
        sys.exit(f"{card} does not describe {path}")
    write_settings(path, model.settings, path)
    if content(read_model(path)) != content(model):
        sys.exit(f"{path} has changed; restore it")
    replace_file(card, text.replace(described, details(path, model.facts)))
    print(f"{path}: {size:,} bytes before, {path.stat().st_size:,} now")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
