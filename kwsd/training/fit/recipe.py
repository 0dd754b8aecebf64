"""The recipe: everything that a training run depends on except the data. The model card lists it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT
from kwsd.runtime.model import Architecture
from kwsd.training.augment.augmentation import Augmentation, check_fields, within

MAX_SEED = 2**31 - 1
MIN_STEPS = 4  # in an example, at the widest step that is used in training
MAX_WINDOW_FRAMES = 3_000  # 30 s; each clip is scored after this much silence


def check_window(window: int, step: int) -> None:
    """Raise UsageError for an attention window that is too long to score clips with."""
    if window * step > MAX_WINDOW_FRAMES:
        raise UsageError(
            f"a window of {window:,} steps of {step:,} frames is {window * step / 100:,.1f} s; "
            f"clips can be scored with at most {MAX_WINDOW_FRAMES / 100:g} s"
        )


@dataclass(frozen=True)
class Teaching:
    """How the teacher (heads on the speech embedding) is trained, and how the CRNN learns from it.

    The defaults are for a model that keeps the heads as its second stage. Raises UsageError for a value that
    is out of range.
    """

    second_stage: bool = True  # the heads stay in the model and verify its candidates
    tune_embedding: bool = True  # the upper layers of the embedding are fine-tuned with the heads
    heads: int = within(1, 100, 3)  # their mean is a better teacher than any of them
    head_batches: int = within(1, 1_000_000, 1_000)  # per head, if the embedding is not fine-tuned
    tuning_batches: int = within(1, 1_000_000, 768)  # in all, if it is fine-tuned
    tuning_chunks: int = within(1, 1_000, 24)  # chunks of examples for fine-tuning; each is used twice
    first_chunks: int = within(1, 1_000, 14)  # as Augmentation.first_chunks, for the CRNN
    new_examples: bool = True  # each epoch of the CRNN adds a chunk to these
    head_words: int = within(1, 100_000, 64)  # examples of the keyword in a batch for a head
    head_others: int = within(1, 100_000, 384)  # windows without it in a batch for a head
    noise: float = within(0, 10, 1.0)  # Gaussian, on the heads' normalized embeddings; standard deviation
    dropout: float = within(0, 0.99, 0.2)
    weight_decay: float = within(0, 1, 1e-2)
    head_rate: float = within(1e-9, 1, 2e-3)  # highest learning rate of the heads
    tuning_rate: float = within(1e-9, 1, 5e-4)  # highest learning rate of the embedding
    head_late: float = within(0, 10, 0.35)  # as Recipe.late; embeddings see the end of the word later
    head_highest_share: float = within(0, 1, 0.5)  # as Recipe.highest_share, if the embedding is fine-tuned
    temperature: float = within(0.1, 100, 2.0)  # softens the heads' posteriors
    posterior_weight: float = within(0, 1_000, 1.0)  # of the loss on the heads' posteriors
    embedding_weight: float = within(0, 1_000, 0.3)  # of the loss on the embeddings
    label_weight: float = within(0, 1_000, 0.3)  # of the label loss
    snr: float = within(-60, 100, 10.0)  # dB, of the noisy streams that choose the threshold

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def without_second_stage(cls) -> "Teaching":
        """For a model of one stage. Labels weigh more, because no second stage corrects its mistakes."""
        return cls(second_stage=False, tune_embedding=False, posterior_weight=0.5, label_weight=1.0)

    @classmethod
    def for_synthetic_voices(cls) -> "Teaching":
        """For synthetic voices. Fine-tuned on these, the embedding would learn to tell them from people.

        The CRNN needs little training, because the heads know the word, and it only has to wake them.
        """
        return cls(tune_embedding=False, new_examples=False)


@dataclass(frozen=True)
class Recipe:
    """Everything that a run depends on except the data. Raises UsageError for a value out of range."""

    architecture: Architecture
    window: int = within(1, 100_000, 20)  # steps that the attention sees
    epochs: int = within(1, 100_000, 60)
    batches: int = within(1, 100_000, 60)  # per epoch
    batch: int = within(1, 100_000, 128)  # examples
    learning_rate: float = within(1e-9, 1, 3e-3)  # the highest, after the warm-up
    averaging: float = within(0, 1, 0.995)  # decay per batch of the moving average of the weights
    seed: int = within(0, MAX_SEED, 0)
    early: float = within(
        0, 10, 0.1
    )  # seconds before the end of the word from which the posterior may be high
    late: float = within(0, 10, 0.25)  # seconds after the end of the word by which it must have been high
    highest_share: float = within(0, 1, 0.5)  # weight of the highest step in the loss of negatives
    onset: float = within(0, 10, 0.15)  # seconds after the start of the word until which it must be low
    own_step: float = within(0, 1, 0.6)  # share of the batches at the architecture's own step
    other_steps: tuple[int, int] = within(-1_000, 1_000, (-3, 1))  # frames added to the step of others
    carried_share: float = within(
        0, 1, 0.75
    )  # of the examples, which start in GRU states of the previous batch
    warm_up: float = within(0.001, 0.999, 0.1)  # share of the batches in which the learning rate rises
    gradient_norm: float = within(1e-6, 1e6, 1.0)  # to which gradients are clipped
    augmentation: Augmentation = field(default_factory=Augmentation)
    teaching: Teaching | None = None  # None: the CRNN learns from the labels alone

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
        """Frames of an example of the minimum length."""
        return (int(self.augmentation.seconds * SAMPLE_RATE) - N_FFT) // HOP + 1

    def facts(self) -> dict[str, Any]:
        """Everything but the architecture, for the card and the record."""
        found = {name: value for name, value in asdict(self).items() if name != "architecture"}
        return {name: value for name, value in found.items() if value is not None}
