"""What every network promises, over the whole catalogue."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create, defaults, names
from unblemish.networks.errors import NetworkError

Build = Callable[..., Network]

STATED_COUNTS = {
    "lira": 21_430_365,
    "lira_compact": 2_042_127,
    "owan": 391_456,
    "srresnet": 1_222_147,
    "srresnet_x4": 1_517_571,
    "restormer": 26_126_644,
    "nafnet": 29_159_715,
    "nafnet_deblur": 17_111_907,
    "nafnet_compact": 1_399_260,
    "srresnet_compact": 530_028,
    "edsr_light_x2": 1_369_859,
    "edsr_light_x4": 1_517_571,
    "swinir_light_x2": 910_152,
    "swinir_light_x4": 929_628,
    "swinir_x4": 11_900_199,
    "ffanet": 4_455_913,
    "dehazeformer_t": 687_372,
    "dehazeformer_s": 1_284_828,
    "dehazeformer_b": 2_517_500,
    "idt": 16_416_463,
    "idt_small": 629_586,
    "multiscale": 6_073_920,
    "multiscale_compact": 1_523_840,
    "multiscale_supernet": 12_558_552,
}
UNITS = {"replay_generator": 4}
"""Normalised to the last layer, it makes no small change to a picture: the roundings of all layers come through."""
FINITE = [name for name in names() if create(name).receptive_field is not None]
every_network = pytest.mark.parametrize("name", names())


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


@every_network
@pytest.mark.parametrize("size", [(17, 29), (5, 7), (1, 1)])
def test_any_size(name: str, size: tuple[int, int], lively: Build) -> None:
    network = lively(name)
    with torch.inference_mode():
        restored = network(noise(1, 3, *size))
    assert restored.shape == (1, 3, size[0] * network.scale, size[1] * network.scale)
    assert restored.isfinite().all()


@every_network
def test_every_parameter_gets_a_gradient(name: str, lively: Build) -> None:
    network = copy.deepcopy(lively(name))
    network(noise(1, 3, 17, 29)).square().sum().backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@every_network
def test_depends_on_its_weights(name: str, lively: Build) -> None:
    """A residual that vanishes would let the comparisons below pass for any network."""
    network, x = lively(name), noise(1, 3, 17, 29)
    with torch.inference_mode():
        y = network(x)[..., :: network.scale, :: network.scale]
    assert (y - x).abs().mean() > 0.01


@every_network
def test_pictures_of_a_batch_are_independent(name: str, lively: Build) -> None:
    network, x = lively(name), noise(2, 3, 17, 29)
    with torch.inference_mode():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=0, atol=1e-5)


@every_network
def test_repeats_itself(name: str, lively: Build) -> None:
    network, x = lively(name), noise(1, 3, 17, 29)
    with torch.inference_mode():
        assert torch.equal(network(x), network(x))


@every_network
def test_channels_last_changes_nothing(name: str, lively: Build) -> None:
    network, x = lively(name), noise(1, 3, 17, 29)
    turned = copy.deepcopy(network).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        y = turned(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(y, network(x), rtol=0, atol=1e-5)


@every_network
def test_bfloat16_stays_within_two_units_in_the_last_place(name: str, lively: Build) -> None:
    # Without the picture, what random weights make of large features can be too small to measure against.
    whole = {"residual": True} if "residual" in defaults(name) else {}
    network, x = lively(name, **whole), noise(1, 3, 17, 29).bfloat16()
    with torch.inference_mode():
        coarse = copy.deepcopy(network).bfloat16()(x)
        fine = network(x.float())
    assert coarse.dtype == torch.bfloat16
    unit = torch.finfo(torch.bfloat16).eps / 2  # next to a value just below a power of two
    assert (coarse.float() - fine).norm() < UNITS.get(name, 2) * unit * fine.norm()


@every_network
def test_weights_in_bfloat16_give_a_picture_in_its_own_type(name: str, lively: Build) -> None:
    with torch.inference_mode():
        assert copy.deepcopy(lively(name)).bfloat16()(noise(1, 3, 17, 29)).dtype == torch.float32


@every_network
def test_same_seed_same_weights(name: str) -> None:
    torch.manual_seed(3)
    first = create(name).state_dict()
    torch.manual_seed(3)
    second = create(name).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(("name", "count"), STATED_COUNTS.items())
def test_published_parameter_count(name: str, count: int, lively: Build) -> None:
    assert lively(name).parameter_count == count


@pytest.mark.parametrize("name", FINITE)
def test_receptive_field(name: str, lively: Build) -> None:
    """Pixels beyond it change nothing; pixels just inside do, but for the width of the network's cells."""
    narrow = {"width": 8} if "width" in defaults(name) else {}  # quicker; how far it sees does not change
    network = copy.deepcopy(lively(name, **narrow)).double()
    reach, cell, scale = network.receptive_field, network.size_multiple, network.scale
    assert reach is not None
    start = -(-reach // cell) * cell
    side = 2 * start + cell
    x, other = noise(1, 3, side, side, dtype=torch.float64), noise(1, 3, side, side, dtype=torch.float64) + 1
    x.requires_grad_()
    y = network(x)
    farthest = 0
    # The first and the last output pixel of a cell see farthest to either side.
    for place in (start * scale, (start + cell) * scale - 1):
        centre = place // scale
        (gradient,) = torch.autograd.grad(y[0, :, place, place].sum(), x, retain_graph=True)
        rows = gradient.abs().amax(dim=(0, 1, 3)).nonzero()
        columns = gradient.abs().amax(dim=(0, 1, 2)).nonzero()
        farthest = max(farthest, *((index - centre).abs().max().item() for index in (rows, columns)))
        box = slice(max(0, centre - reach), centre + reach + 1)
        far_changed = other.clone()
        far_changed[..., box, box] = x.detach()[..., box, box]
        with torch.no_grad():
            torch.testing.assert_close(
                network(far_changed)[0, :, place, place], y[0, :, place, place], rtol=0, atol=1e-12
            )
    assert reach - cell < farthest <= reach


def test_unknown_name() -> None:
    with pytest.raises(NetworkError, match=r"'restormr'; did you mean restormer\? Known are: srresnet, .*nafnet"):
        create("restormr")
    with pytest.raises(NetworkError, match="known are: srresnet"):
        defaults("xyz")


def test_options_reach_the_network() -> None:
    assert create("srresnet", {"blocks": 2, "width": 8}).receptive_field == 7
    assert create("restormer_small", {"norm_bias": False}).parameter_count < create("restormer_small").parameter_count


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("srresnet", {"depth": 3}, "srresnet has no option 'depth'; its options are: blocks=16, width=64"),
        ("nafnet", {"width": 3}, "nafnet has no option 'width'; its options are: none"),
        ("srresnet", {"blocks": "3"}, "srresnet: blocks='3' is not allowed; give a whole number"),
        ("srresnet", {"blocks": True}, "srresnet: blocks=True is not allowed; give a whole number"),
        ("restormer", {"norm_bias": 1}, "restormer: norm_bias=1 is not allowed; give true or false"),
        ("srresnet", {"blocks": 0}, "srresnet: give scale 1 or 4, blocks and width from 1, not 1, 0 and 64"),
    ],
)
def test_bad_options(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        create(name, options)
    assert str(caught.value) == message
