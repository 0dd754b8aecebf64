"""Recipes: everything that a training run depends on except the data. The model's card lists it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT
from kwsd.runtime.model import Architecture
from kwsd.training.augment.augmentation import Augmentation, check_fields, within

MAX_SEED = 2**31 - 1
MIN_STEPS = 4  # of an example, at the widest step that is trained
LONGEST_WINDOW = 3_000  # frames, 30 s: every clip is scored after as much silence


def check_window(window: int, step: int) -> None:
    """Raise UsageError for an attention window that is too long to score clips with."""
    if window * step > LONGEST_WINDOW:
        raise UsageError(
            f"a window of {window:,} steps of {step:,} frames is {window * step / 100:,.1f} s; "
            f"clips are scored with at most {LONGEST_WINDOW / 100:g} s"
        )


@dataclass(frozen=True)
class Teaching:
    """How a teacher, heads on Google's speech embedding, is trained, and what the CRNN learns from it.

    The defaults are for a model that keeps the heads as its second stage. Raises UsageError for a value out
    of its limits.
    """

    second_stage: bool = True  # the heads stay in the model and verify its candidates
    tune_embedding: bool = True  # its upper groups are fine-tuned with the heads
    heads: int = within(1, 100, 3)  # their mean is a better teacher than any of them
    head_batches: int = within(1, 1_000_000, 700)  # for each head, where the embedding is not fine-tuned
    tuning_batches: int = within(1, 1_000_000, 768)  # where it is
    tuning_chunks: int = within(1, 1_000, 24)  # of examples for that: each is seen twice
    first_chunks: int = within(1, 1_000, 14)  # in the CRNN's pool at first, instead of the augmentation's
    noise: float = within(0, 10, 1.0)  # standard deviations, added to the embeddings that heads learn from
    dropout: float = within(0, 0.99, 0.2)
    weight_decay: float = within(0, 1, 1e-2)
    head_rate: float = within(1e-9, 1, 2e-3)  # highest learning rate of the heads
    tuning_rate: float = within(1e-9, 1, 5e-4)  # highest learning rate of the embedding
    head_late: float = within(0, 10, 0.35)  # as Recipe.late: embeddings see the word's end later than frames
    temperature: float = within(0.1, 100, 2.0)  # softens the heads' posteriors
    posterior_weight: float = within(0, 1_000, 1.0)  # of the loss to the heads' posteriors
    embedding_weight: float = within(0, 1_000, 0.3)  # of the loss to the embeddings
    label_weight: float = within(0, 1_000, 0.3)  # of the loss to the labels
    snr: float = within(
        -60, 100, 10.0
    )  # dB, at which the threshold is chosen and negatives are mined as well
    mined_from: float = within(0.001, 1, 0.2)  # posterior from which `kwsd new` mines hard negatives

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def without_second_stage(cls) -> "Teaching":
        """For a model of one stage, which learns more from labels: nothing corrects its mistakes later."""
        return cls(second_stage=False, tune_embedding=False, posterior_weight=0.5, label_weight=1.0)

    @classmethod
    def for_synthetic_voices(cls) -> "Teaching":
        """For words of synthetic voices, from which the embedding would learn what tells them from people."""
        return cls(tune_embedding=False)


@dataclass(frozen=True)
class Recipe:
    """Everything that a run depends on except the data. Raises UsageError for a value out of its limits."""

    architecture: Architecture
    window: int = within(1, 100_000, 20)  # steps that the attention sees
    epochs: int = within(1, 100_000, 60)
    batches: int = within(1, 100_000, 60)  # per epoch
    batch: int = within(1, 100_000, 128)  # examples
    learning_rate: float = within(1e-9, 1, 3e-3)  # the highest
    averaging: float = within(0, 1, 0.995)  # decay per batch of the mean of the weights, which is kept
    seed: int = within(0, MAX_SEED, 0)
    early: float = within(0, 10, 0.1)  # seconds before the word's end from which the posterior may rise
    late: float = within(0, 10, 0.25)  # seconds after the word's end by which it must have risen
    onset: float = within(0, 10, 0.15)  # seconds after the word's start until which it must stay low
    own_step: float = within(0, 1, 0.6)  # share of the batches at the architecture's own step
    other_steps: tuple[int, int] = within(
        -1_000, 1_000, (-3, 1)
    )  # frames by which the step of others differs
    carried_share: float = within(0, 1, 0.75)  # of examples that start in GRU states of the last batch
    warm_up: float = within(0.001, 0.999, 0.1)  # share of the batches in which the learning rate rises
    gradient_norm: float = within(1e-6, 1e6, 1.0)  # gradients are clipped to it
    augmentation: Augmentation = field(default_factory=Augmentation)
    teaching: Teaching | None = None  # None: the CRNN learns without heads on an embedding

    def __post_init__(self) -> None:
        check_fields(self)
        check_window(self.window, self.architecture.stride[1])
        widest = self.architecture.stride[1] + max(0, self.other_steps[1])
        steps = (self.frames - self.architecture.kernel[1]) // widest + 1
        if steps < MIN_STEPS:
            raise UsageError(
                f"kernel and stride (time) leave {max(0, steps)} steps in an example of {self.frames} "
                f"frames; at least {MIN_STEPS} are needed"
            )

    @property
    def frames(self) -> int:
        """Frames of the shortest example."""
        return (int(self.augmentation.seconds * SAMPLE_RATE) - N_FFT) // HOP + 1

    def facts(self) -> dict[str, Any]:
        """All of it but the architecture, for the card and the record."""
        found = {name: value for name, value in asdict(self).items() if name != "architecture"}
        return {name: value for name, value in found.items() if value is not None}
