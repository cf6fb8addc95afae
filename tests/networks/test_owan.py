"""OWAN's layers against their formulas, and its parameters against the published code's."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.owan import OPERATIONS, OperationAttention, OperationLayer, Separable, owan


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def operations(layer: OperationLayer) -> nn.ModuleList:
    return layer.get_submodule("_ops")  # pyright: ignore[reportReturnType]


def test_parameters_of_the_published_code() -> None:
    network = owan()
    assert count(network.FEB) == 3 * 16 * 9 + 4 * 2 * 16 * 9
    assert [count(layer) for layer in network.layers] == [3_168, 256 + 4 * 8_880] * 10
    assert count(network.conv2) == 16 * 3 * 9
    assert network.parameter_count == 391_456


def test_names_of_the_published_weights() -> None:
    keys = owan(groups=2, layers=2).state_dict().keys()
    assert len(keys) == 1 + 8 + 2 * (4 + 1 + 2 * (4 * 4 + 3 * 2 + 1)) + 1
    for key in (
        *("FEB.0.weight", "FEB.4.conv2.weight", "layers.2.ca_fc.2.bias", "layers.3.preprocess.op.0.weight"),
        *("layers.1._ops.1._ops.3.op.4.weight", "layers.1._ops.0._ops.6.op.1.weight", "layers.3._ops.1._out.0.weight"),
        "conv2.weight",
    ):
        assert key in keys


def test_only_attention_has_biases() -> None:
    biases = [key for key in owan(groups=1).state_dict() if key.endswith("bias")]
    assert biases == ["layers.0.ca_fc.0.bias", "layers.0.ca_fc.2.bias"]


def test_a_layer_weighs_each_operation_of_each_picture() -> None:
    torch.manual_seed(0)
    layer, x = OperationLayer(4), noise(2, 4, 9, 7)
    weights = noise(2, OPERATIONS).softmax(1)
    weighed = [weights[:, i, None, None, None] * each(x) for i, each in enumerate(operations(layer))]
    joint = F.conv2d(torch.cat(weighed, dim=1), layer.get_parameter("_out.0.weight"))
    torch.testing.assert_close(layer(x, weights), (x + joint.relu()).relu())


def test_how_far_the_operations_see() -> None:
    torch.manual_seed(0)
    seen = []
    for operation in operations(OperationLayer(4)):
        x = noise(1, 4, 25, 25).requires_grad_()
        (gradient,) = torch.autograd.grad(operation(x)[0, :, 12, 12].sum(), x)
        seen.append((gradient.abs().amax(dim=(0, 1, 2)).nonzero() - 12).max().item())
    assert seen == [0, 2, 4, 6, 2, 4, 6, 1]


def test_separable_convolution() -> None:
    torch.manual_seed(0)
    operation, x = Separable(4, 5), noise(1, 4, 9, 7)
    depthwise, pointwise, _, depthwise2, pointwise2 = operation.op
    torch.testing.assert_close(operation(x), pointwise2(depthwise2(pointwise(depthwise(x)).relu())))


@pytest.mark.parametrize(("scaled", "least", "most"), [(False, 0.0, 0.01), (True, 0.1, 10.0)])
def test_a_scaled_start_keeps_features_in_size(scaled: bool, least: float, most: float) -> None:
    torch.manual_seed(0)
    network, x = owan(scaled=scaled), torch.rand(1, 3, 32, 32)
    sizes: list[float] = []
    for part in (network.FEB, *network.layers[1::2]):
        part.register_forward_hook(lambda _part, _inputs, output: sizes.append(output.std().item()))
    network(x)
    assert least < sizes[-1] / sizes[0] < most


def test_averages_leave_the_padding_out() -> None:
    average = operations(OperationLayer(4))[-1]
    torch.testing.assert_close(average(torch.ones(1, 4, 5, 6)), torch.ones(1, 4, 5, 6))


def test_attention_is_a_distribution_from_the_means() -> None:
    torch.manual_seed(0)
    attention, x = OperationAttention(4, 3), noise(2, 4, 6, 5)
    weights = attention(x)
    assert weights.shape == (2, 3, OPERATIONS)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert (weights[0] - weights[1]).abs().max() > 1e-3
    torch.testing.assert_close(attention(x.mean(dim=(2, 3), keepdim=True)), weights)


@pytest.mark.parametrize("residual", [False, True])
def test_only_a_residual_is_added_to_the_picture(residual: bool) -> None:
    network = owan(width=4, groups=1, layers=1, residual=residual).bfloat16()
    nn.init.zeros_(network.conv2.weight)
    x = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), x if residual else torch.zeros_like(x))


def test_weights_in_bfloat16_without_a_residual() -> None:
    """Of one group: ten in a row, with random weights, multiply what rounding does by seven."""
    torch.manual_seed(0)
    network, x = owan(groups=1), noise(1, 3, 17, 29).sigmoid().bfloat16()
    with torch.inference_mode():
        coarse, fine = copy.deepcopy(network).bfloat16()(x).float(), network(x.float())
    assert (coarse - fine).norm() < 2**-7 * fine.norm()


def test_gradients_under_autocast_are_those_of_float32() -> None:
    """OneDNN's own are wrong for the weights of dilated depthwise convolutions in channels_last memory."""
    torch.manual_seed(0)
    network = owan(groups=1, layers=1)
    x = noise(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    wanted, got = [], []
    for gradients, enabled in ((wanted, False), (got, True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = network(x)
        assert y.is_contiguous(memory_format=torch.channels_last)
        gradients += torch.autograd.grad(y.float().square().mean(), list(network.parameters()))
    for (key, _), one, other in zip(network.named_parameters(), got, wanted, strict=True):
        assert (one - other).norm() < 0.05 * other.norm(), key


def test_learns_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = owan(width=4, groups=1, layers=2)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = noise(2, 3, 16, 16).sigmoid().contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        with torch.autocast("cpu", torch.bfloat16):
            y = network(x)
        loss = (y - x).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("option", ["width", "groups", "layers"])
def test_wrong_options(option: str) -> None:
    with pytest.raises(NetworkError, match=r"owan: give width, groups and layers from 1, not .*0"):
        create("owan", {option: 0})
