from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unblemish.contrast.negatives import AdaptiveNegatives, HistoryNegatives, NegativeModels
from unblemish.networks.base import Network
from unblemish.networks.srresnet import srresnet
from unblemish.training.task import Batch


def fresh() -> Network:
    return srresnet(blocks=1, width=4)


def values(network: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().float().flatten().clone() for p in network.parameters()])


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return fresh()


def history(network: Network, **changes: object) -> HistoryNegatives:
    options: dict[str, object] = {"steps": [2, 3], "decay": 0.1, "initial": 0.1} | changes
    return HistoryNegatives(network, fresh, **options)  # pyright: ignore


def test_start_is_one_blend_with_random_weights_of_their_own(network: Network) -> None:
    torch.manual_seed(5)
    randoms = [values(fresh()) for _ in range(2)]
    torch.manual_seed(5)
    negatives = history(network)
    for negative, random in zip(negatives.networks, randoms, strict=True):
        torch.testing.assert_close(values(negative), 0.1 * random + 0.9 * values(network))
    for negative in history(network, initial=0.0).networks:
        assert torch.equal(values(negative), values(network))


def test_each_follows_at_its_own_pace_and_keeps_w_of_the_old(network: Network) -> None:
    """Eq. 3, with w on the old negative."""
    negatives = history(network, decay=0.25)
    wanted = [values(negative) for negative in negatives.networks]
    for step in range(1, 7):
        torch.manual_seed(step)
        for p in network.parameters():
            p.data.normal_()
        negatives.follow(step, network)
        for number, every in enumerate((2, 3)):
            if step % every == 0:
                wanted[number] = 0.25 * wanted[number] + 0.75 * values(network)
        for negative, expected in zip(negatives.networks, wanted, strict=True):
            torch.testing.assert_close(values(negative), expected)


def test_buffers_are_not_averaged() -> None:
    network, other = fresh(), fresh()
    for one, value in ((network, 1.0), (other, 2.0)):
        one.register_buffer("mean", torch.tensor(value))
    negatives = HistoryNegatives(network, lambda: other, steps=[1], decay=0.1, initial=0.1)
    negatives.follow(1, network)
    assert negatives.networks[0].get_buffer("mean") == 2.0


def test_they_restore_the_same_batch_one_after_another(network: Network) -> None:
    negatives, x = history(network), torch.rand(3, 3, 8, 8, requires_grad=True)
    found = negatives.restore(x)
    assert not found.requires_grad
    for number, negative in enumerate(negatives.networks):
        torch.testing.assert_close(found[3 * number : 3 * number + 3], negative(x).detach())


def test_they_are_frozen_and_stay_in_evaluation_mode(network: Network) -> None:
    negatives = history(network).train()
    assert not any(p.requires_grad for p in negatives.parameters())
    assert not any(module.training for module in negatives.modules())


def test_half_the_memory_on_request(network: Network) -> None:
    whole, half = history(network), history(network, dtype=torch.bfloat16)
    taken = [sum(p.nbytes for p in negatives.parameters()) for negatives in (whole, half)]
    assert taken[0] == 2 * taken[1]
    half.follow(2, network)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert half.restore(torch.rand(1, 3, 8, 8)).dtype == torch.float32
    torch.testing.assert_close(values(half.networks[0]), values(network), rtol=0.05, atol=0.05)


def test_frozen_ones_never_change(network: Network) -> None:
    negatives = NegativeModels([fresh()])
    before = values(negatives)
    negatives.follow(100, network)
    assert torch.equal(values(negatives), before)


def test_adaptive_ones_take_turns_after_strong_deviations(network: Network) -> None:
    def make() -> AdaptiveNegatives:
        return AdaptiveNegatives(network, fresh, threshold=0.022, steps=[1, 1], initial=0.5)

    clean = torch.rand(2, 3, 8, 8)
    good, bad = clean + 0.001 * torch.randn_like(clean), clean + 0.1 * torch.randn_like(clean)
    negatives = make()
    start = [values(negative) for negative in negatives.networks]
    changed = []
    for step, output in enumerate([good, bad, good, bad, bad], start=1):
        negatives.observe(output, Batch(clean, clean))
        before = [values(negative) for negative in negatives.networks]
        negatives.follow(step, network)
        changed.append([not torch.equal(a, values(b)) for a, b in zip(before, negatives.networks, strict=True)])
    assert changed[:4] == [[False, False], [True, False], [False, False], [False, True]]
    assert int(negatives.turn) == 1
    torch.testing.assert_close(values(negatives.networks[1]), 0.001 * start[1] + 0.999 * values(network))
    resumed = make()
    resumed.load_state_dict(negatives.state_dict())
    assert int(resumed.turn) == 1
