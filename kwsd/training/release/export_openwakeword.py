"""Exports the heads of a model as a word of openWakeWord, and of the programs that run its words.

These programs compute Google's speech embedding themselves. A word is a network that takes the last
embeddings, as the heads of kwsd's second stage do, and gives the probability that it was said; at 0.5 they
wake up. There is no place for kwsd's first stage, so an exported word gives more false alarms than in kwsd.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwsd.errors import UsageError, one_line
from kwsd.runtime.debouncer import logit
from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import LOWEST_THRESHOLD, Array, Model, check_number
from kwsd.runtime.shipped_embedding import shipped_embedding
from kwsd.runtime.verifier import CONTEXT
from kwsd.training.release import onnxfile, tflitefile

EMBEDDINGS = 16  # that openWakeWord's own words take; the heads see the last CONTEXT of them
WAKING_PROBABILITY = 0.5  # the default of openWakeWord, wyoming-openwakeword and Home Assistant's add-on


class Graph(Protocol):
    """What both file formats offer."""

    def last_rows(self, tensor: str, count: int) -> str: ...
    def dense(self, tensor: str, weight: NDArray[Any], bias: NDArray[Any], relu: bool = False) -> str: ...
    def one_row(self, tensor: str) -> str: ...
    def joined(self, tensors: Sequence[str]) -> str: ...
    def sigmoid(self, tensor: str) -> str: ...


def openwakeword_files(model: Model, threshold: float | None = None) -> dict[str, bytes]:
    """The word as .tflite and .onnx, and the .json that linux-voice-assistant wants, by file name.

    The networks take EMBEDDINGS embeddings, shape (1, EMBEDDINGS, 96), and give a probability, shape (1, 1).
    threshold: the posterior of the heads that becomes WAKING_PROBABILITY; None takes the model's threshold.
    The files have the keyword's name, with underscores, which Home Assistant shows as spaces.

    Raises UsageError for a threshold out of range, and if the model has no heads, or they were trained on an
    embedding of their own.
    """
    verifier = _exportable(model)
    threshold = model.settings.threshold if threshold is None else threshold
    check_number("threshold", threshold, LOWEST_THRESHOLD, 1, float)
    stem = re.sub(r"\W+", "_", model.keyword.lower()).strip("_") or "word"
    about = {
        "type": "openWakeWord",
        "wake_word": model.keyword,
        "model": f"{stem}.tflite",
        "openWakeWord": {"probability_cutoff": WAKING_PROBABILITY},
    }
    description = f"kwsd heads for {model.keyword!r}: {WAKING_PROBABILITY} is posterior {threshold:g}"
    shape = (1, EMBEDDINGS, EMBEDDING)
    tflite = tflitefile.Graph()
    tflite_input = tflite.input("embeddings", shape)
    tflite_output = probability(tflite, tflite_input, verifier, threshold)
    onnx = onnxfile.Graph()
    onnx.output(
        "probability", (1, 1), probability(onnx, onnx.input("embeddings", shape), verifier, threshold)
    )
    return {
        f"{stem}.tflite": tflite.file(tflite_input, tflite_output, description),
        f"{stem}.onnx": onnx.file(description, {"keyword": model.keyword, "threshold": threshold}),
        f"{stem}.json": (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def probability(graph: Graph, embeddings: str, verifier: dict[str, Array], threshold: float) -> str:
    """Add the heads, and the sigmoid of their mean log-odds above those of the threshold."""
    seen = graph.last_rows(embeddings, CONTEXT)
    heads = len(verifier["output.bias"])
    together = []
    for head in range(heads):
        each = graph.dense(seen, verifier["each.weight"][head], verifier["each.bias"][head, 0], relu=True)
        weight, bias = verifier["together.weight"][head], verifier["together.bias"][head, 0]
        together.append(graph.dense(graph.one_row(each), weight, bias, relu=True))
    mean_weight = np.concatenate(list(verifier["output.weight"])) / np.float32(heads)
    mean_bias = verifier["output.bias"].mean(axis=0)[0] - np.float32(logit(threshold))
    return graph.sigmoid(graph.dense(graph.joined(together), mean_weight, mean_bias))


def _exportable(model: Model) -> dict[str, Array]:
    """The model's verifier. Raises UsageError if openWakeWord cannot run its heads."""
    if model.verifier is None:
        raise UsageError(
            f"{one_line(model.name)} has no second stage, which is what openWakeWord could run; "
            "use a model that `kwsd new` made"
        )
    if any(model.verifier[name] is not array for name, array in shipped_embedding().items()):
        raise UsageError(
            f"{one_line(model.name)} has a speech embedding of its own, which openWakeWord does not compute; "
            "use a model that `kwsd new` made"
        )
    return model.verifier
