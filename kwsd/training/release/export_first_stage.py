"""Exports the first stage of a model as ONNX: one step of the stream, from samples to the posterior.

All that the stream remembers is one vector, the state, which is an input and an output. A stream begins
with zeros, which stand for silence. The network is that of kwsd.runtime in ONNX's operators. Its front end is
a convolution, with the window and the Fourier transform in the kernels. Its attention is a softmax over the
energies of the last steps.
"""

from pathlib import PurePath

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR, mel_filterbank
from kwsd.runtime.model import Array, Model
from kwsd.training.release.onnxfile import Graph

OVERLAP_SAMPLES = N_FFT - HOP  # shared by two consecutive frames
SILENCE = np.log(np.float32(POWER_FLOOR))  # log-mel of silence; frames are stored relative to it
NEVER = 1e9  # by which the energy of a step before the stream's beginning is lowered: its weight becomes 0


def first_stage_files(model: Model) -> dict[str, bytes]:
    """The first stage as .onnx, by file name, for the window and the step of the model's settings.

    Inputs: `samples`, those of one step, float32 with full scale 1, and `state`. Outputs: `posterior`;
    `warm`, 1 if the attention has seen a whole window, else 0; `next_state`. Keyword and settings are in the
    metadata.
    """
    name = PurePath(model.name).stem
    graph = _graph(model)
    content = graph.file(f"kwsd: the first stage for {model.keyword!r}", _facts(model))
    return {f"{name}-first-stage.onnx": content}


def _facts(model: Model) -> dict[str, object]:
    """What a program that runs the network needs to know."""
    settings = model.settings
    facts: dict[str, object] = {"keyword": model.keyword, "sample_rate": SAMPLE_RATE}
    names = ["window", "step", "patience", "refractory"]
    names += ["candidate_threshold"] if model.verifier else ["threshold", "release"]
    return facts | {name: getattr(settings, name) for name in names}


def _graph(model: Model) -> Graph:
    weights, window, step = model.weights, model.settings.window, model.settings.step
    receptive, hidden = model.architecture.kernel[1], model.architecture.hidden
    sizes = (OVERLAP_SAMPLES, N_MELS * receptive, hidden, hidden, 3 * window)
    graph = Graph()
    samples = graph.input("samples", (step * HOP,))
    state = graph.input("state", (sum(sizes),))
    held, frames, first, second, steps = graph.split(state, *sizes)

    audio = graph.add("Concat", held, samples, axis=0)
    held = graph.last(audio, OVERLAP_SAMPLES, axis=0)
    frames = graph.reshape(frames, N_MELS, receptive)
    frames = graph.last(graph.add("Concat", frames, _log_mels(graph, audio), axis=1), receptive, axis=1)
    first = _gru(graph, weights, "l0", _column(graph, model, frames), first)
    second = _gru(graph, weights, "l1", first, second)
    steps = graph.reshape(steps, 3, window)
    steps = graph.last(graph.add("Concat", steps, _step(graph, weights, second), axis=1), window, axis=1)
    energies, margins, seen = graph.split(steps, 1, 1, 1)

    never = graph.add("Mul", graph.add("Sub", seen, graph.number(1)), graph.number(NEVER))
    attention = graph.add("Softmax", graph.add("Add", energies, never), axis=1)
    margin = graph.add("MatMul", attention, graph.reshape(margins, window, 1))
    graph.output("posterior", (1,), graph.reshape(graph.sigmoid(margin), 1))
    graph.output("warm", (1,), graph.add("ReduceMin", seen, axes=[1], keepdims=0))
    parts = [graph.reshape(part, -1) for part in (held, frames, first, second, steps)]
    graph.output("next_state", (sum(sizes),), graph.add("Concat", *parts, axis=0))
    return graph


def _log_mels(graph: Graph, audio: str) -> str:
    """The frames of the samples above SILENCE, shape (N_MELS, frames)."""
    turns = np.outer(np.arange(N_FFT // 2 + 1), np.arange(N_FFT)) / N_FFT
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    kernels = hann * np.vstack((np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)))
    filters = mel_filterbank().T  # once for the real parts, once for the imaginary ones
    spectrum = graph.add(
        "Conv", graph.reshape(audio, 1, 1, -1), graph.floats(kernels[:, None]), strides=[HOP]
    )
    spectrum = graph.reshape(spectrum, len(kernels), -1)
    power = graph.add(
        "MatMul", graph.floats(np.hstack((filters, filters))), graph.add("Mul", spectrum, spectrum)
    )
    log_mels = graph.add("Log", graph.add("Max", power, graph.number(POWER_FLOOR)))
    return graph.add("Sub", log_mels, graph.number(SILENCE))


def _column(graph: Graph, model: Model, frames: str) -> str:
    """The convolution's output for these frames, shape (1, 1, features)."""
    kernels, arch = model.weights["conv.weight"], model.architecture
    bias = model.weights["conv.bias"] + SILENCE * kernels.sum(axis=(1, 2, 3))
    column = graph.add(
        "Conv",
        graph.reshape(frames, 1, 1, N_MELS, -1),
        graph.floats(kernels),
        graph.floats(bias),
        strides=list(arch.stride),
    )
    return graph.reshape(column, 1, 1, arch.features)


def _gru(graph: Graph, weights: dict[str, Array], layer: str, inputs: str, hidden: str) -> str:
    """The next hidden state (1, 1, hidden) of a layer. ONNX has the gates in the order z, r, n."""

    def ordered(name: str) -> Array:
        reset, update, new = np.split(weights[f"gru.{name}_{layer}"], 3)
        return np.concatenate((update, reset, new))[None]

    biases = np.concatenate((ordered("bias_ih"), ordered("bias_hh")), axis=1)
    constants = [graph.floats(array) for array in (ordered("weight_ih"), ordered("weight_hh"), biases)]
    units = weights[f"gru.weight_hh_{layer}"].shape[1]
    initial = graph.reshape(hidden, 1, 1, units)
    output = graph.add("GRU", inputs, *constants, "", initial, hidden_size=units, linear_before_reset=1)
    return graph.reshape(output, 1, 1, units)


def _step(graph: Graph, weights: dict[str, Array], hidden: str) -> str:
    """What the attention remembers of a step: energy, margin of the two logits, and 1. Shape (3, 1)."""
    row = graph.one_row(hidden)
    keys = graph.add("Tanh", graph.dense(row, weights["attention.weight"].T, weights["attention.bias"]))
    energy = graph.dense(keys, weights["energy.weight"].T, weights["energy.bias"])
    margin = graph.dense(row, np.diff(weights["output.weight"], axis=0).T, np.diff(weights["output.bias"]))
    return graph.add("Concat", energy, margin, graph.reshape(graph.number(1), 1, 1), axis=0)
