"""Teaches Google's speech embedding to say of noisy speech what it says of the same speech without the noise.

    python tools/make_embedding.py google.pt
    python tools/train_embedding.py google.pt OUT --speech FOLDER ... --noise FOLDER ... [--seconds 460]

Self-distillation: the target is Google's embedding of the clean audio, the input the same audio in noise, in
a room and through a device. The loss is the smooth L1 distance, each dimension divided by its standard
deviation. No labels and no keywords take part. It takes 8 minutes on a large GPU, and prints how far the
embeddings of a held-out tenth of the speech are in noise from those without it, as a share of their variance.
OUT holds the arrays in float16, as the file in models/embedding does.
"""

import argparse
import copy
import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE
from kwsd.runtime.embedding import EMBEDDING_N_FFT, EMBEDDING_POWER_FLOOR, FRAMES, STRIDE
from kwsd.runtime.frontend import HOP
from kwsd.training.data.speech_commands import files_of, read_audio
from kwsd.training.nn.embedding import SpeechEmbedding
from kwsd.training.release.torchfile import write_torch

EMBEDDINGS = 16  # in a piece
PIECE = (FRAMES + STRIDE * (EMBEDDINGS - 1) - 1) * HOP + EMBEDDING_N_FFT  # samples
BEFORE = 4_000  # samples before a piece, whose reverb continues into it
ROOM = 8_000  # samples of a room's impulse response
RATE = 1.2e-3  # highest learning rate
WARM_UP = 0.03  # share of the time in which the learning rate rises
AVERAGING = 0.999  # decay per batch of the moving average of the weights, which is the result
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
KNOTS = torch.tensor(
    [40.0, 150, 400, 1000, 2200, 4000, 6000, 8001], device=DEVICE
).log2()  # of a device's response
SIZE = 1 << (BEFORE + PIECE + ROOM - 1).bit_length()  # of the FFT
FREQUENCIES = torch.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE, device=DEVICE)


def uniform(low: float, high: float, count: int) -> Tensor:
    """Random numbers, (count, 1)."""
    return low + (high - low) * torch.rand(count, 1, device=DEVICE)


def logarithmic(low: float, high: float, count: int) -> Tensor:
    """Random numbers whose logarithms are uniform, (count, 1)."""
    return uniform(math.log(low), math.log(high), count).exp()


def chance(share: float, count: int) -> Tensor:
    """True for this share, at random, (count, 1) bool."""
    return torch.rand(count, 1, device=DEVICE) < share


def decibels(level: Tensor) -> Tensor:
    """The factor of an amplitude."""
    return 10 ** (level / 20)


def unit(audio: Tensor) -> Tensor:
    """The audio (n, samples), each with an RMS of 1."""
    return audio / audio.square().mean(1, keepdim=True).sqrt().clamp(min=1e-5)


def loudness(audio: Tensor) -> Tensor:
    """The RMS of the loudest quarter of the frames, (n, 1)."""
    power = audio[:, : audio.shape[1] // HOP * HOP].reshape(len(audio), -1, HOP).square().mean(2)
    return power.topk(power.shape[1] // 4, dim=1).values.mean(1, keepdim=True).sqrt()


class Recordings:
    """Folders of recordings, one after another. Each folder is drawn from equally often."""

    def __init__(self, folders: Sequence[Path], first: float, last: float) -> None:
        """first, last: the share of each folder's audio that is used."""
        wholes = [np.concatenate([read_audio(path) for path in files_of(folder)]) for folder in folders]
        parts = [whole[int(first * len(whole)) : int(last * len(whole))] for whole in wholes]
        self._audio = torch.from_numpy(np.concatenate(parts)).to(DEVICE)
        self._sizes = torch.tensor([len(part) for part in parts], device=DEVICE)
        self._starts = self._sizes.cumsum(0) - self._sizes
        self.hours = len(self._audio) / SAMPLE_RATE / 3600

    def draw(self, count: int, retimed: float = 0.0) -> Tensor:
        """Pieces (count, BEFORE + PIECE), float32 in [-1, 1]; a share is resampled to another tempo."""
        folder = torch.randint(len(self._sizes), (count,), device=DEVICE)
        tempo = torch.where(chance(retimed, count), uniform(0.85, 1.17, count), torch.ones(1, device=DEVICE))
        spare = self._sizes[folder] - 1.2 * (BEFORE + PIECE) - 2
        start = self._starts[folder] + (torch.rand(count, device=DEVICE) * spare).long()
        place = torch.arange(BEFORE + PIECE, device=DEVICE) * tempo
        whole = place.long()
        index = start[:, None] + whole
        both: Tensor = torch.lerp(self._audio[index].float(), self._audio[index + 1].float(), place - whole)
        return both / float(FULL_SCALE)


def coloured_noise(count: int) -> Tensor:
    """Noise whose spectrum falls by 0 to 6 dB an octave, (count, BEFORE + PIECE)."""
    length = BEFORE + PIECE
    spectrum = torch.fft.rfft(torch.randn(count, length, device=DEVICE))
    frequencies = torch.fft.rfftfreq(length, 1 / SAMPLE_RATE, device=DEVICE).clamp(min=20)
    found: Tensor = torch.fft.irfft(spectrum * frequencies ** -uniform(0, 1, count), length)
    return found


def rooms(count: int) -> Tensor:
    """Impulse responses: direct sound, sparse reflections for 50 ms, noise that decays, (count, ROOM)."""
    time_ = torch.arange(ROOM, device=DEVICE) / SAMPLE_RATE
    response = torch.randn(count, ROOM, device=DEVICE) * 10 ** (-3 * time_ / uniform(0.1, 0.9, count))
    reflected = torch.rand(count, ROOM, device=DEVICE) < uniform(0.01, 0.2, count)
    response = response * (reflected | (time_ > 0.05))
    response[:, :32] = 0  # 2 ms
    energy = response.square().sum(1, keepdim=True).sqrt()
    response = response / (energy * decibels(uniform(-4, 14, count)) + 1e-9)
    response[:, 0] = 1
    return response


def responses(count: int) -> Tensor:
    """Frequency responses of devices: uneven, some without high or low frequencies, (count, bins)."""
    octave = FREQUENCIES.clamp(min=40).log2()
    knot = (torch.bucketize(octave, KNOTS, right=True) - 1).clamp(0, len(KNOTS) - 2)
    between = (octave - KNOTS[knot]) / (KNOTS[knot + 1] - KNOTS[knot])
    gains = torch.randn(count, len(KNOTS), device=DEVICE) * uniform(1, 5, count)
    uneven = decibels(torch.lerp(gains[:, knot], gains[:, knot + 1], between))
    cutoff, order = logarithmic(2800, 7000, count), logarithmic(2, 40, count)
    low_pass = (1 + (FREQUENCIES / cutoff).clamp(max=8) ** (2 * order)).clamp(max=1e12) ** -0.5
    high_pass = (1 + (uniform(60, 450, count) / FREQUENCIES.clamp(min=1)) ** 4) ** -0.5
    found = torch.ones(count, len(FREQUENCIES), device=DEVICE)
    for share, response in ((0.5, uneven), (0.25, low_pass), (0.25, high_pass)):
        found = torch.where(chance(share, count), found * response, found)
    return found


def filtered(audio: Tensor, response: Tensor) -> Tensor:
    """The audio (n, samples) through frequency responses (n, bins)."""
    found: Tensor = torch.fft.irfft(torch.fft.rfft(audio, SIZE) * response, SIZE)
    return found[:, : audio.shape[1]]


def noise_of(clean: Tensor, noise: Recordings, silent: Tensor) -> tuple[Tensor, Tensor]:
    """Noise with an RMS of 1, and where it is babble: recorded, two at once, coloured, or other speech."""
    count = len(clean)
    kind = torch.rand(count, 1, device=DEVICE)
    found = unit(noise.draw(count))
    two = unit(found + unit(noise.draw(count)) * decibels(uniform(-10, 0, count)))
    found = torch.where(kind < 0.15, two, found)
    found = torch.where((kind >= 0.15) & (kind < 0.30), unit(coloured_noise(count)), found)
    babble = (kind >= 0.30) & (kind < 0.42) & ~silent
    others = clean.roll(1, 0) + clean.roll(2, 0) + clean.roll(5, 0) * (kind < 0.36)
    return torch.where(babble, unit(others), found), babble


def pairs(
    count: int,
    speech: Recordings,
    noise: Recordings,
    snr: tuple[float, float] = (-4.0, 24.0),
    *,
    unchanged: float = 0.08,
) -> tuple[Tensor, Tensor]:
    """The same speech clean and disguised, each (count, PIECE).

    snr: dB; of babble 8 dB more. unchanged: share that is not disguised; as many are noise alone.
    """
    clean = speech.draw(count, retimed=0.6)
    clean = clean / clean.abs().amax(1, keepdim=True).clamp(min=1e-3)
    silent = chance(unchanged, count)
    same = chance(unchanged, count) & ~silent
    level = loudness(clean).clamp(min=1e-3)
    wet = filtered(clean, torch.fft.rfft(rooms(count), SIZE))
    wet = wet * (level / loudness(wet).clamp(min=1e-4))
    heard = torch.where(chance(0.4, count), wet, clean) * ~silent
    sound, babble = noise_of(clean, noise, silent)
    noisy = chance(0.88, count) | silent
    heard = heard + sound * level * decibels(-uniform(*snr, count) - 8.0 * babble) * noisy
    heard = filtered(heard, responses(count))[:, BEFORE:]
    clean = clean[:, BEFORE:]
    peak = uniform(-42, -1, count)
    heard = heard / heard.abs().amax(1, keepdim=True).clamp(min=1e-3)
    heard = torch.where(same, clean, heard) * decibels(peak)
    clipped = (heard * decibels(uniform(0, 10, count) - peak)).clamp(-1, 1)
    heard = torch.where(chance(0.05, count) & ~same, clipped, heard)
    scale = float(FULL_SCALE)
    heard = (heard.clamp(-1, 1) * scale).round() / scale  # as a microphone's int16
    return clean * decibels(peak.clamp(-30, -3)) * ~silent, heard


def embed(embedding: SpeechEmbedding, audio: Tensor) -> Tensor:
    """`embedding(audio)`, with gradients in all layers."""
    frames = (audio * float(FULL_SCALE)).unfold(1, EMBEDDING_N_FFT, HOP) * embedding.window
    mels = (torch.fft.rfft(frames).abs().square() @ embedding.mel).clamp(
        min=EMBEDDING_POWER_FLOOR
    ).log10() + 2
    found: Tensor = embedding.upper(embedding.lower(mels[:, None]))
    return found


def train(google: Path, out: Path, speech: list[Path], noise: list[Path], seconds: float, batch: int) -> None:
    """Train for so many seconds and write the result."""
    torch.manual_seed(1)
    arrays = torch.load(google, weights_only=True)
    teacher = SpeechEmbedding({name: array.float().numpy() for name, array in arrays.items()})
    student = copy.deepcopy(teacher).requires_grad_(True)
    average = copy.deepcopy(teacher).to(DEVICE)
    teacher, student = teacher.to(DEVICE), student.to(DEVICE)
    spoken, held = Recordings(speech, 0, 0.9), Recordings(speech, 0.9, 1)
    sounds, held_sounds = Recordings(noise, 0, 0.9), Recordings(noise, 0.9, 1)
    print(f"{spoken.hours:.1f} h of speech, {sounds.hours:.1f} h of noise, on {DEVICE}", flush=True)
    with torch.no_grad():
        spread = embed(teacher, pairs(batch, spoken, sounds)[0]).flatten(0, 1).std(0) + 1e-3
        checks = [pairs(batch, held, held_sounds, (0, 20), unchanged=0) for _ in range(4)]

    def distances(model: SpeechEmbedding) -> str:
        with torch.no_grad():
            wanted = [embed(teacher, clean) for clean, _ in checks]
            noisy, clean = (
                sum(
                    ((embed(model, pair[side]) - target) / spread).square().mean().item()
                    for pair, target in zip(checks, wanted, strict=True)
                )
                / len(checks)
                for side in (1, 0)
            )
        return f"distance in noise {noisy:.3f}, clean {clean:.3f}"

    print(f"Google's: {distances(teacher)}", flush=True)
    optimizer = torch.optim.Adam(student.parameters(), betas=(0.9, 0.99))
    begin = shown = time.monotonic()
    count = 0
    while (part := (time.monotonic() - begin) / seconds) < 1:
        rising, falling = part / WARM_UP, 0.5 + 0.5 * math.cos(math.pi * (part - WARM_UP) / (1 - WARM_UP))
        optimizer.param_groups[0]["lr"] = max(1e-6, RATE * (rising if part < WARM_UP else falling))
        clean, heard = pairs(batch, spoken, sounds)
        with torch.no_grad():
            target = embed(teacher, clean)
        error = (embed(student, heard) - target) / spread
        loss = functional.smooth_l1_loss(error, torch.zeros_like(error))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        count += 1
        decay = min(AVERAGING, (1 + count) / (10 + count))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), student.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(f"{count} batches, loss {loss.item():.3f}, {distances(average)}", flush=True)
    print(f"{count} batches: {distances(average)}")
    trained = average.cpu().arrays()
    write_torch({name: np.ascontiguousarray(array, np.float16) for name, array in trained.items()}, out)
    print(hashlib.sha256(out.read_bytes()).hexdigest(), out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("google", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--speech", type=Path, nargs="+", required=True)
    parser.add_argument("--noise", type=Path, nargs="+", required=True)
    parser.add_argument("--seconds", type=float, default=460)
    parser.add_argument("--batch", type=int, default=256)
    given = parser.parse_args()
    train(given.google, given.out, given.speech, given.noise, given.seconds, given.batch)
