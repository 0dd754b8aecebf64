import pytest
import torch

from kwsd.runtime.model import Architecture
from kwsd.training.fit.prune import Kept, importances, pruned, strongest
from kwsd.training.nn.crnn import CRNN

WHOLE = Architecture(channels=4, kernel=(8, 10), stride=(4, 10), hidden=7)


def indices(channels: list[int], first: list[int], second: list[int], keys: list[int]) -> Kept:
    return Kept(*map(torch.tensor, (channels, first, second, keys)))


def test_pruning_silent_units_changes_nothing() -> None:
    """Units whose outgoing weights are 0 do not matter: with and without them the logits are the same."""
    torch.manual_seed(0)
    crnn = CRNN(WHOLE).eval()
    kept = indices([0, 2], [1, 3, 4], [0, 5, 6], [2, 3, 6])
    gone = {
        name: [i for i in range(n) if i not in getattr(kept, name)]
        for name, n in {"channels": 4, "first": 7, "second": 7, "keys": 7}.items()
    }
    columns = [c * WHOLE.bands + band for c in gone["channels"] for band in range(WHOLE.bands)]
    with torch.no_grad():
        crnn.gru.weight_ih_l0[:, columns] = 0
        for weight in (crnn.gru.weight_hh_l0, crnn.gru.weight_ih_l1):
            weight[:, gone["first"]] = 0
        for weight in (crnn.gru.weight_hh_l1, crnn.attention.weight, crnn.output.weight):
            weight[:, gone["second"]] = 0
        crnn.energy.weight[:, gone["keys"]] = 0
        frames = torch.randn(3, 90, 40)
        smaller = pruned(crnn, kept)
        assert (smaller.architecture.channels, smaller.architecture.hidden) == (2, 3)
        torch.testing.assert_close(smaller(frames, 6), crnn(frames, 6))

    importance = importances(crnn, [lambda network: network(frames, 6).square().sum()] * 2)
    chosen = strongest(importance, channels=2, hidden=3)
    for name in ("channels", "first", "second", "keys"):
        assert getattr(chosen, name).tolist() == getattr(kept, name).tolist()


@pytest.mark.parametrize(
    ("weight", "kind"),
    [
        ("gru.weight_ih_l0", "channels"),
        ("gru.weight_hh_l0", "first"),
        ("gru.weight_ih_l1", "first"),
        ("gru.weight_hh_l1", "second"),
        ("attention.weight", "second"),
        ("output.weight", "second"),
        ("energy.weight", "keys"),
    ],
)
def test_importance_is_the_square_of_weight_times_gradient_summed(weight: str, kind: str) -> None:
    """The loss is the sum of one column of one matrix: its unit matters, by that sum squared."""
    torch.manual_seed(0)
    crnn = CRNN(WHOLE)
    column = crnn.get_parameter(weight)[:, 2].detach()

    def loss(network: CRNN) -> torch.Tensor:
        nothing = sum(0 * parameter.sum() for parameter in network.parameters())
        return network.get_parameter(weight)[:, 2].sum() + nothing

    importance = importances(crnn, [loss, lambda network: 3 * loss(network)])
    of = 0 if kind == "channels" else 2  # column 2 is a band of the first channel
    wanted = column.sum().square() * (1 + 9) / 2  # the mean over the batches
    found = getattr(importance, kind)
    assert found[of].item() == pytest.approx(wanted.item(), rel=1e-4)
    assert found.sum().item() == pytest.approx(wanted.item(), rel=1e-4)
    for other in {"channels", "first", "second", "keys"} - {kind}:
        assert not getattr(importance, other).any()


def test_the_strongest_are_kept_in_their_order() -> None:
    values = torch.tensor([3.0, 0.0, 9.0, 1.0, 5.0])
    kept = strongest(Kept(values, values, values.flip(0), values), channels=2, hidden=3)
    assert kept.channels.tolist() == [2, 4]
    assert kept.first.tolist() == [0, 2, 4]
    assert kept.second.tolist() == [0, 2, 4]
    assert kept.keys.tolist() == [0, 2, 4]
