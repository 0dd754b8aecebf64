"""Trains small networks on many more examples than `kwsd distill` shows them.

    python tools/train_students.py examples EXAMPLES --teacher teacher.pt --heads happy.pt \
        --data data/speech_commands_v0.01 --noise data/esc10 data/music --speech data/queen ...
    python tools/train_students.py train EXAMPLES student --start student.pt --out student.weights
    python tools/train_students.py release student.weights student --second-stage student.pt \
        --data ... --out better.pt

`examples` makes --chunks of a thousand examples with all processors, half of them cut out of their scene, and
annotates them once with what the teachers say at every step: three parts the mean of the first stages, seven
parts the heads on the speech embedding. `train` starts from random weights or from those of a model. The
weights are the moving average at the end, so no validation takes part. `release` rounds them to --bits,
measures the network on held-out speakers and writes model file, card and record as `kwsd distill` does. On an
H200 eleven networks at once take five minutes for 10,000 batches; a core of a server takes half an hour for
3,500 batches of one network.
"""

import argparse
import multiprocessing
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.model import STUDENT, Architecture, Array
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.runtime.verifier import CONTEXT
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.features import LogMel
from kwsd.training.augment.pool import Scenes, StillPool
from kwsd.training.augment.scenes import SceneBatch, SceneMaker
from kwsd.training.augment.training_set import Recordings
from kwsd.training.evaluate.metrics import one_minus_auroc
from kwsd.training.fit.clip_scores import clip_frames, clip_scores
from kwsd.training.fit.distillation import teacher_annotator
from kwsd.training.fit.losses import DistillationLoss, interpolate_at
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Trainer
from kwsd.training.nn.convert import to_torch
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends
from kwsd.training.nn.quantize import quantized
from kwsd.training.release.release import FinishedRun, Output, release
from kwsd.training.workflows.run import read_teachers, with_inherited_verifier

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SEED = 77  # of the examples, which all networks share
AUGMENTATION = Augmentation(cut_out=0.5)  # clips are scored in digital silence
HEADS_SHARE = 0.7  # of the teachers' log-odds
NETWORKS = {  # and the attention's window in steps
    "small": (Architecture(6, (9, 20), (4, 8), 32), 20),
    "student": (STUDENT, 22),
    "mini": (Architecture(6, (5, 20), (5, 15), 18), 13),
    "nano": (Architecture(6, (5, 20), (5, 20), 16), 9),
}


class Heads(nn.Module):
    """The heads of a model's second stage, for whole examples."""

    def __init__(self, verifier: Mapping[str, Array]) -> None:
        super().__init__()
        self.embedding = SpeechEmbedding(verifier)
        self.layers = {
            name: [
                torch.tensor(verifier[f"{name}.{kind}"], device=DEVICE)[:, None]
                for kind in ("weight", "bias")
            ]
            for name in ("each", "together", "output")
        }

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (n, samples) to mean log-odds, (n, count). Before an example the first units are 0."""
        x = self.embedding(audio)  # (n, count, EMBEDDING), multiplied by weights (heads, 1, inputs, outputs)
        for name, (weight, bias) in self.layers.items():
            if name == "together":
                x = functional.pad(x, (0, 0, CONTEXT - 1, 0)).unfold(2, CONTEXT, 1).transpose(3, 4).flatten(3)
            x = x @ weight + bias
            x = x if name == "output" else x.relu()
        odds: Tensor = x.mean(dim=0)[..., 0]
        return odds


def draw(number: int) -> SceneBatch:
    """The examples of a chunk, which depend on SEED and its number only."""
    return scenes[0].draw(scenes[0].augmentation.chunk, np.random.default_rng([SEED, number]))


scenes: list[SceneMaker] = []  # one, that the processes inherit


def recordings(given: argparse.Namespace) -> Recordings:
    """The recordings of the options."""
    return Recordings.read(given.data, given.keyword, tuple(given.noise), tuple(given.speech))


def make_examples(given: argparse.Namespace) -> None:
    """Make the examples, annotate them and save them."""
    networks, first = read_teachers((given.teacher, given.heads), given.keyword)
    verifier = read_model(find_model(given.heads)).verifier
    assert verifier is not None, f"{given.heads} has no second stage"
    annotate = teacher_annotator([network.to(DEVICE) for network in networks], first.settings.window)
    heads, log_mel = Heads(verifier).to(DEVICE), LogMel().to(DEVICE)
    scenes.append(recordings(given).scenes(AUGMENTATION))
    numbers = range(given.chunks)
    parts: dict[str, list[Tensor]] = {}
    jobs = multiprocessing.cpu_count()
    with multiprocessing.get_context("fork").Pool(jobs) as processes, torch.no_grad():
        # in rounds, so that chunks do not pile up where annotating them takes longer
        rounds = (processes.map(draw, numbers[first : first + jobs]) for first in numbers[::jobs])
        for chunk in chain.from_iterable(rounds):
            for audio in torch.split(torch.from_numpy(chunk.audio).to(DEVICE), 256):
                frames = log_mel(audio)
                found, heard = annotate(audio, frames), heads(audio)
                ends, known = found["ends"][0], embedding_ends(heard.shape[1], DEVICE)
                both = torch.lerp(found["odds"], interpolate_at(ends, heard, known), HEADS_SHARE)
                odds = torch.where(ends >= known[0], both, found["odds"])
                parts.setdefault("frames", []).append(frames.half().cpu())
                parts.setdefault("odds", []).append(odds.cpu())
            for name in ("keyword", "onset", "end"):
                parts.setdefault(name, []).append(torch.from_numpy(getattr(chunk, name)))
    made = {name: torch.cat(values) for name, values in parts.items()}
    torch.save(made | {"ends": ends.cpu()}, given.examples)


class Examples(StillPool):
    """The saved examples, of which any are drawn."""

    def __init__(self, path: Path) -> None:
        nothing = np.zeros(16_000, np.int16)
        super().__init__(SceneMaker([nothing], [], [], nothing, [], Augmentation()), SEED, device=DEVICE)
        saved = {name: values.to(DEVICE) for name, values in torch.load(path).items()}
        annotations = {"odds": saved["odds"], "ends": saved["ends"].expand(len(saved["odds"]), -1)}
        self._all = Scenes(saved["frames"], saved["keyword"], saved["onset"], saved["end"], annotations)

    def move(self, epoch: int, on_chunk: object = None, jobs: int | None = None) -> None:
        """Nothing moves: all examples are there."""

    def pick(self, count: int, random: np.random.Generator) -> Scenes:
        """`count` random examples, unchanged."""
        return self._all.rows(
            torch.from_numpy(random.integers(len(self._all.keyword), size=count)).to(DEVICE)
        )


def recipe_of(given: argparse.Namespace) -> Recipe:
    """The recipe of a network."""
    architecture, window = NETWORKS[given.network]
    return Recipe(
        architecture,
        window,
        epochs=10,
        batches=given.batches // 10,
        batch=1_024,
        learning_rate=given.rate,
        averaging=0.999,
        seed=given.seed,
        augmentation=AUGMENTATION,
    )


def train(given: argparse.Namespace) -> None:
    """Train a network and save its weights."""
    nothing = np.zeros((2, 16_000), np.int16)  # the last weights count, not those that are best in validation
    recipe = recipe_of(given)
    start = to_torch(read_model(find_model(given.start))) if given.start else None
    examples = Examples(given.examples)
    trainer = Trainer(recipe, examples, (nothing, nothing), None, DistillationLoss(), start)
    trainer.run(lambda epoch: print(f"{epoch.number} of {recipe.epochs}: loss {epoch.loss:.4f}", flush=True))
    torch.save(trainer.averaged.cpu().state_dict(), given.out)


def release_network(given: argparse.Namespace) -> None:
    """Measure a trained network, and write its model file, card and record."""
    recipe, read = recipe_of(given), recordings(given)
    crnn = CRNN(recipe.architecture)
    crnn.load_state_dict(torch.load(given.weights))
    facts = recipe.facts() | {"examples": given.chunks * recipe.augmentation.chunk, "heads": HEADS_SHARE}
    if given.start:
        facts["start"] = Path(given.start).name
    if given.bits:
        crnn, facts = quantized(crnn, given.bits), facts | {"bits": given.bits}
    run = FinishedRun(crnn.eval(), read, "quantize" if given.bits else "distill", recipe.window, facts)
    if given.second_stage:
        run = with_inherited_verifier(run, read_model(find_model(given.second_stage)))
    window, step = recipe.window, recipe.architecture.stride[1]
    scores = [
        clip_scores(crnn, clip_frames(clips, recipe.architecture.kernel[1], window, step), window, step)
        for clips in read.validation()
    ]
    print(f"{given.out}: validation as recorded and in noise, 1 - AUROC {one_minus_auroc(*scores):.2e}")
    for split, found in release(run, Output(given.out, given.record, command=command_lines(given))).items():
        print(f"{given.out}: {split} 1 - AUROC {found['one_minus_auroc']:.2e}")


def command_lines(given: argparse.Namespace) -> str:
    """The two commands that train and release a network, for its record."""
    options = f"{given.network} --seed {given.seed} --batches {given.batches} --rate {given.rate:g}"
    options += f" --start {Path(given.start).name}" if given.start else ""
    steps = (
        f"python tools/train_students.py {step} {options}" for step in ("train EXAMPLES", "release WEIGHTS")
    )
    bits = f" --bits {given.bits}" if given.bits else ""
    second_stage = f" --second-stage {Path(given.second_stage).name}" if given.second_stage else ""
    return "; ".join(steps) + bits + second_stage


def main() -> None:
    """Parse the options and do one of the three steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(required=True)
    for name, step in (("examples", make_examples), ("train", train), ("release", release_network)):
        options = steps.add_parser(name)
        options.set_defaults(step=step)
        options.add_argument("weights" if name == "release" else "examples", type=Path)
        if name != "examples":
            options.add_argument("network", choices=NETWORKS)
            options.add_argument("--seed", type=int, default=0)
            options.add_argument("--batches", type=int, default=10_000)
            options.add_argument("--rate", type=float, default=6e-3, help="highest learning rate")
            options.add_argument("--start", help="model whose weights it starts from")
            options.add_argument("--out", type=Path, required=True)
        if name != "train":
            options.add_argument("--keyword", default="happy")
            options.add_argument("--data", type=Path, required=True)
            options.add_argument("--noise", type=Path, nargs="+", default=[])
            options.add_argument("--speech", type=Path, nargs="+", default=[])
            options.add_argument("--chunks", type=int, default=160, help="of a thousand examples each")
        if name == "examples":
            options.add_argument("--teacher", required=True)
            options.add_argument("--heads", required=True)
        if name == "release":
            options.add_argument("--bits", type=int, choices=(16, 8, 4))
            options.add_argument("--second-stage", help="model whose second stage and settings it gets")
            options.add_argument("--record", type=Path)
    given = parser.parse_args()
    given.step(given)


if __name__ == "__main__":
    main()
