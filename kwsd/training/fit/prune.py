"""Structured pruning: removes convolution channels, GRU units and attention keys.

It removes those with the least importance for the loss, to first order: the squared sum of weight times
gradient over a unit's outgoing weights, averaged over batches (Molchanov et al. 2019, arXiv 1906.10771).
Rounds of pruning alternate with distillation.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from kwsd.training.augment.pool import ScenePool
from kwsd.training.fit.losses import Objective
from kwsd.training.fit.recipe import Recipe
from kwsd.training.nn.crnn import CRNN

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Kept:
    """Indices of the convolution channels, units of the two GRU layers and attention keys that are kept.

    The last three have the same length, because an architecture has one hidden size.
    """

    channels: Tensor
    first: Tensor
    second: Tensor
    keys: Tensor


def batch_losses(
    pool: ScenePool, objective: Objective, recipe: Recipe, batches: int = 16
) -> list[Callable[[CRNN], Tensor]]:
    """Losses of a few batches of the pool, for `importances`."""
    random = np.random.default_rng(recipe.seed)
    step = recipe.architecture.stride[1]
    drawn = [pool.batch(recipe.batch, random) for _ in range(batches)]
    return [partial(objective, scenes=scenes, step=step, recipe=recipe) for scenes in drawn]


def importances(crnn: CRNN, losses: list[Callable[[CRNN], Tensor]]) -> Kept:
    """The importance of every channel, unit and key: a Kept of importances instead of indices.

    losses: each gives the loss of one batch.
    """
    found = [_importance(crnn, loss) for loss in losses]
    means = (torch.stack([getattr(each, f.name) for each in found]).mean(dim=0) for f in fields(Kept))
    return Kept(*means)


def _importance(crnn: CRNN, loss: Callable[[CRNN], Tensor]) -> Kept:
    """The importance in one batch. Only outgoing weights count, because a unit has no effect without them."""
    crnn.zero_grad()
    loss(crnn).backward()  # type: ignore[no-untyped-call]
    flow = {n: (w * w.grad).detach() for n, w in crnn.named_parameters() if w.grad is not None}
    bands = crnn.architecture.bands
    channels = flow["gru.weight_ih_l0"].sum(dim=0).reshape(-1, bands).sum(dim=1)
    first = flow["gru.weight_hh_l0"].sum(dim=0) + flow["gru.weight_ih_l1"].sum(dim=0)
    second = sum(flow[n].sum(dim=0) for n in ("gru.weight_hh_l1", "attention.weight", "output.weight"))
    assert isinstance(second, Tensor)
    return Kept(channels.square(), first.square(), second.square(), flow["energy.weight"][0].square())


def strongest(importance: Kept, channels: int, hidden: int) -> Kept:
    """Indices of the `channels` most important channels and `hidden` units and keys, ascending."""

    def top(values: Tensor, count: int) -> Tensor:
        return values.topk(count).indices.sort().values

    return Kept(
        top(importance.channels, channels),
        top(importance.first, hidden),
        top(importance.second, hidden),
        top(importance.keys, hidden),
    )


def pruned(crnn: CRNN, kept: Kept) -> CRNN:
    """The smaller network, of only the units that are kept."""
    a = crnn.architecture
    w: Weights = {name: weight.detach() for name, weight in crnn.named_parameters()}
    column = (kept.channels[:, None] * a.bands + torch.arange(a.bands)).flatten()

    def gates(units: Tensor) -> Tensor:
        """Rows of a GRU matrix: the units of gate r, then z, then n."""
        return torch.cat([units + gate * a.hidden for gate in range(3)])

    first, second = gates(kept.first), gates(kept.second)
    smaller = CRNN(replace(a, channels=len(kept.channels), hidden=len(kept.first)))
    smaller.load_state_dict(
        {
            "conv.weight": w["conv.weight"][kept.channels],
            "conv.bias": w["conv.bias"][kept.channels],
            "gru.weight_ih_l0": w["gru.weight_ih_l0"][first][:, column],
            "gru.weight_hh_l0": w["gru.weight_hh_l0"][first][:, kept.first],
            "gru.bias_ih_l0": w["gru.bias_ih_l0"][first],
            "gru.bias_hh_l0": w["gru.bias_hh_l0"][first],
            "gru.weight_ih_l1": w["gru.weight_ih_l1"][second][:, kept.first],
            "gru.weight_hh_l1": w["gru.weight_hh_l1"][second][:, kept.second],
            "gru.bias_ih_l1": w["gru.bias_ih_l1"][second],
            "gru.bias_hh_l1": w["gru.bias_hh_l1"][second],
            "attention.weight": w["attention.weight"][kept.keys][:, kept.second],
            "attention.bias": w["attention.bias"][kept.keys],
            "energy.weight": w["energy.weight"][:, kept.keys],
            "energy.bias": w["energy.bias"],
            "output.weight": w["output.weight"][:, kept.second],
            "output.bias": w["output.bias"],
        }
    )
    return smaller
