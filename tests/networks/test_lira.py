"""LIRA's network: its size, its tasks, the parts that the paper leaves out in turn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.lira import Lira, lira, lira_compact
from unblemish.networks.lira_amalgam import Amalgam, BidirectionalGates, SequentialGate
from unblemish.networks.lira_blocks import ChannelGateBlock, Scales, SelectiveKernelBlock, Widths

TINY = {"width": 16, "coarse_width": 16, "experts": 2, "blocks": 2}
NAF_TINY = {"width": 16, "coarse_width": 16}


def tiny(name: str = "lira_compact", **options: Any) -> Lira:
    torch.manual_seed(0)
    network = create(name, {**TINY, **options} if name == "lira_compact" else {**NAF_TINY, **options})
    assert isinstance(network, Lira)
    for branch in range(network.grown + 1):
        nn.init.normal_(network.branch(branch).decoder.last.weight, std=0.02)  # it starts as the identity
    return network.eval()


def picture(*shape: int) -> Tensor:
    return torch.rand(*(shape or (2, 3, 24, 20)), generator=torch.Generator().manual_seed(1))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_size() -> None:
    """The reconstruction in the project's notes has 21.3 million, 5.4 an expert (4.9 of DuRB-M's), 3.7 in the gates."""
    network = lira()
    assert network.parameter_count == 21_430_365
    assert [count(expert) for expert in network.experts] == [5_402_880] * 3
    assert count(lira(block="durb_m").experts[0]) == 4_958_400
    assert count(network.amalgams[0].gates) == 3_734_856  # pyright: ignore[reportAttributeAccessIssue]
    assert lira_compact().parameter_count == 2_042_127


def test_the_size_of_one_made_of_a_nafnet() -> None:
    """The compact NAFNet's 1,399,260 and what joins g, the decoder's way up and its block."""
    assert create("lira_naf").parameter_count == 1_451_580
    assert create("lira_naf", {"grown": 2}).parameter_count == 3 * 1_451_580


@pytest.mark.parametrize("name", ["lira_compact", "lira_naf"])
def test_starts_at_the_identity(name: str) -> None:
    x = picture(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(create(name)(x), x)


@pytest.mark.parametrize(
    "options",
    [
        {"block": "durb_m"},
        {"gates": "coarse"},
        {"gates": "none"},
        {"attention": False},
        {"bi_sgu": False},
        {"experts": 1},
        {"blocks": 4},
    ],
)
def test_parts_can_be_left_out(options: dict[str, Any]) -> None:
    whole, changed = tiny(), tiny(**options)
    assert count(changed) != count(whole)
    loss = changed(picture()).square().mean()
    loss.backward()
    assert all(parameter.grad is not None for parameter in changed.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"width": 24},
        {"coarse_width": 0},
        {"experts": 0},
        {"blocks": 3},
        {"blocks": 10},
        {"block": "x"},
        {"gates": "x"},
        {"grown": -1},
        {"task": 1},
        {"grown": 1, "task": 2},
        {"task": -2},
    ],
)
def test_options_that_make_no_network(options: dict[str, Any]) -> None:
    with pytest.raises(NetworkError):
        tiny(**options)


@pytest.mark.parametrize(
    ("options", "reach"),
    [
        ({}, 69),
        ({"blocks": 4, "experts": 2}, 136),
        ({"gates": "all"}, None),
        ({"gates": "coarse"}, None),
        ({"attention": True}, None),
        ({"bi_sgu": True}, None),
    ],
)
def test_nafnets_layers_see_as_far_as_what_joins_them(options: dict[str, Any], reach: int | None) -> None:
    network = tiny("lira_naf", **options)
    assert network.receptive_field == reach
    network(picture()).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", ["lira_compact", "lira_naf"])
def test_growing_leaves_older_tasks_as_they_are(name: str) -> None:
    old, x = tiny(name), picture()
    grown = tiny(name, grown=2)
    grown.load_state_dict({**grown.state_dict(), **old.state_dict()})
    with torch.inference_mode():
        torch.testing.assert_close(grown.on_task(0)(x), old(x))
        newest = grown(x)
        torch.testing.assert_close(newest, grown.on_task(2)(x))
        assert not torch.allclose(newest, grown.on_task(1)(x))


def test_the_new_task_uses_the_old_experts() -> None:
    """Eq. 10 to 13: its result depends on all that the base network knows but its extractor, gating and decoder."""
    network = tiny(grown=1)
    network.on_task(1)(picture()).square().mean().backward()
    without = {key.split(".")[0] for key, p in network.named_parameters() if p.grad is None}
    assert without == {"branches"}
    assert all(p.grad is None for p in network.branches[0].parameters())
    network.zero_grad()
    network.on_task(0)(picture()).square().mean().backward()
    assert all(p.grad is None for part in (network.experts[-1], network.amalgams[1]) for p in part.parameters())


def test_a_task_may_be_chosen_for_good() -> None:
    first, newest = tiny(grown=1, task=0), tiny(grown=1)
    x = picture()
    with torch.inference_mode():
        torch.testing.assert_close(first(x), newest.on_task(0)(x))
        torch.testing.assert_close(first.on_task(1)(x), newest(x))
    assert "task=0" in first.extra_repr()


def test_views_share_weights_and_leave_the_network_alone() -> None:
    network = tiny(grown=1)
    view = network.on_task(0)
    assert network.task == -1
    assert {id(p) for p in view.parameters()} == {id(p) for p in network.parameters()}


def test_each_picture_by_its_own_expert() -> None:
    network, x = tiny(), picture(4, 3, 16, 16)
    experts = torch.tensor([1, 0, 1, 1])
    with torch.inference_mode():
        found = network.by_experts(x, experts)
        for row, expert in enumerate(experts.tolist()):
            torch.testing.assert_close(found[row : row + 1], network.on_expert(expert)(x[row : row + 1]))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 9), (33, 18)])
def test_any_size(size: tuple[int, int]) -> None:
    x = picture(1, 3, *size)
    with torch.inference_mode():
        assert tiny(blocks=6)(x).shape == tiny("lira_naf")(x).shape == x.shape


@pytest.mark.parametrize("options", [{}, {"blocks": 6}, {"block": "durb_m"}])
def test_gradients_in_bfloat16_are_those_in_float32(options: dict[str, Any]) -> None:
    """PyTorch's weight gradients of dilated convolutions are wrong there for other widths than multiples of 16."""
    torch.manual_seed(0)
    network = create("lira_compact", options).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    assert isinstance(network, Lira)
    nn.init.normal_(network.branch(0).decoder.last.weight, std=0.02)
    x = picture(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    found = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = network(x)
        (y.float() - x).square().mean().backward()
        found.append({key: p.grad.clone() for key, p in network.named_parameters() if p.grad is not None})
    for key, exact in found[0].items():
        if key.endswith(("up.2.weight", "fields.1.0.weight")):  # dilated
            alike = torch.cosine_similarity(exact.flatten(), found[1][key].flatten(), dim=0)
            assert alike > 0.9, key


def test_selective_kernels_choose_between_two_fields() -> None:
    block = SelectiveKernelBlock(16)
    with torch.no_grad():
        block.select.weight.zero_()
        block.select.bias.copy_(torch.tensor([100.0] * 16 + [0.0] * 16))  # all for the nearer field
        x = picture(1, 16, 9, 9)
        y = block.first(x)
        torch.testing.assert_close(block(x), torch.relu(x + block.fields[0](y)))


def test_the_channel_gate_sees_total_variation() -> None:
    """Two features of equal mean and other variation are weighed differently."""
    block = ChannelGateBlock(16, 16)
    flat = torch.full((1, 16, 8, 8), 0.5)
    striped = flat + 0.5 * torch.tensor([1.0, -1.0]).repeat(4)
    block.convolutions = nn.Sequential()  # pyright: ignore[reportAttributeAccessIssue]
    with torch.inference_mode():
        shares = [(block(x) - x) / x.clamp(min=1e-6) for x in (flat, striped)]
    assert not torch.allclose(shares[0][..., ::2], shares[1][..., ::2])


def test_attention_shares_sum_to_one_and_count_alike_without() -> None:
    widths, x = Widths(16, 16), picture(1, 3, 16, 16)
    shared = Scales(picture(1, 16, 8, 8), picture(1, 16, 4, 4))
    one = [Scales(torch.ones(1, 16, 8, 8), torch.ones(1, 16, 4, 4))]
    with torch.inference_mode():
        for attention in (True, False):
            amalgam = Amalgam(widths, sources=3, levels=1, gates="none", attention=attention)
            for level in amalgam([one] * 3, shared, x):
                torch.testing.assert_close(level.fine, torch.ones(1, 16, 8, 8))
        other = Amalgam(widths, sources=2, levels=1, gates="none", attention=False)
        double = [Scales(2 * one[0].fine, 2 * one[0].coarse)]
        torch.testing.assert_close(other([one, double], shared, x)[0].coarse, torch.full((1, 16, 4, 4), 1.5))


def test_gates_only_lower_features() -> None:
    widths, x = Widths(16, 16), picture(1, 3, 16, 16)
    shared = Scales(picture(1, 16, 8, 8), picture(1, 16, 4, 4))
    features = [[Scales(picture(1, 16, 8, 8), picture(1, 16, 4, 4))]]
    with torch.inference_mode():
        both, coarse = (
            Amalgam(widths, sources=1, levels=1, gates=gates, attention=False)(features, shared, x)[0]
            for gates in ("all", "coarse")
        )
    assert bool((both.fine < features[0][0].fine).all())
    assert bool((coarse.coarse < features[0][0].coarse).all())
    torch.testing.assert_close(coarse.fine, features[0][0].fine)


def test_eq_6_the_active_input_decides() -> None:
    gate = SequentialGate(16)
    active, passive = picture(1, 16, 6, 6), torch.zeros(1, 16, 6, 6)
    with torch.inference_mode():
        own = torch.sigmoid(gate.decide(active)[:, :16])
        torch.testing.assert_close(gate(active, passive), own * active)


def test_eq_7_reads_levels_in_both_directions() -> None:
    gates, levels = BidirectionalGates(16, 3), [picture(1, 16, 6, 6) + number for number in range(3)]
    first, second, third = levels
    with torch.inference_mode():
        last = gates.forth[1](third, gates.forth[0](second, first))
        start = gates.back[1](first, gates.back[0](second, third))
        torch.testing.assert_close(gates(levels), gates.join(torch.cat([last, start], dim=1)))
