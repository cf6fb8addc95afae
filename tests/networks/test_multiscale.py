from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.multiscale import multiscale, parse_architecture
from unblemish.networks.multiscale_modules import Bottleneck, Fusion, Parallel, Transition

Weights = dict[str, Tensor]

WIDTHS = (32, 64, 128, 256)

TABLE_5 = [
    ("FPFP/FPFF/PFFP", 6_307_968, 6.31),
    ("FPPF/FFFF/PFFP", 6_073_536, 6.07),
    ("FFFF/PFFF/FFFF", 4_595_968, 4.59),
    ("FFFF/FFFF/FFFF", 4_361_536, 4.36),
    ("PFPP/PPPF/FPPP", 7_632_832, 7.63),
    ("FFPF/PFPF/PPFP", 7_254_656, 7.25),
]
"""Architecture, parameters in gray and the paper's millions; it rounds some and cuts others."""


def lively(module: nn.Module) -> Any:
    """Every parameter and statistic drawn, in evaluation mode and float64."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, 0, part.weight[0].numel() ** -0.5, generator=generator)
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight, part.bias, part.running_mean):
                assert value is not None
                nn.init.normal_(value, 0.5, 0.5, generator=generator)
            assert part.running_var is not None
            nn.init.uniform_(part.running_var, 0.5, 2, generator=generator)
    return module.double().eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def features(*widths: int, side: int = 16) -> list[Tensor]:
    """Two pictures' branches, each half as large as the one before."""
    return [noise(2, width, side >> level, 2 * side >> level) for level, width in enumerate(widths)]


def normed(x: Tensor, weights: Weights, key: str, number: int = 0, stride: int = 1) -> Tensor:
    """Layers `number` and `number + 1` under a key: a convolution and its normalisation, by their equations."""
    kernel, norm = weights[f"{key}.{number}.weight"], f"{key}.{number + 1}"
    y = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    mean, variance, gain, bias = (
        weights[f"{norm}.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (y - mean) / (variance + 1e-5).sqrt() * gain + bias


def larger(x: Tensor, factor: int) -> Tensor:
    return x.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def bottleneck(x: Tensor, weights: Weights, key: str, projected: bool) -> Tensor:
    y = normed(x, weights, f"{key}.body").relu()
    y = normed(normed(y, weights, f"{key}.body", 3).relu(), weights, f"{key}.body", 6)
    return (y + (normed(x, weights, f"{key}.shortcut") if projected else x)).relu()


def parallel(branches: list[Tensor], weights: Weights, key: str) -> list[Tensor]:
    bodies = [f"{key}.blocks.{branch}.body" for branch in range(len(branches))]
    return [
        (normed(normed(x, weights, body).relu(), weights, body, 3) + x).relu()
        for x, body in zip(branches, bodies, strict=True)
    ]


def fusion_of_two(branches: list[Tensor], weights: Weights, key: str) -> list[Tensor]:
    high, low = branches
    return [
        (high + larger(normed(low, weights, f"{key}.paths.0.1"), 2)).relu(),
        (normed(high, weights, f"{key}.paths.1.0", stride=2) + low).relu(),
    ]


def fusion_of_three(branches: list[Tensor], weights: Weights, key: str) -> list[Tensor]:
    high, middle, low = branches
    once = normed(high, weights, f"{key}.paths.2.0", stride=2).relu()
    from_middle, from_low = normed(middle, weights, f"{key}.paths.0.1"), normed(low, weights, f"{key}.paths.0.2")
    return [
        (high + larger(from_middle, 2) + larger(from_low, 4)).relu(),
        (
            normed(high, weights, f"{key}.paths.1.0", stride=2)
            + middle
            + larger(normed(low, weights, f"{key}.paths.1.2"), 2)
        ).relu(),
        (
            normed(once, weights, f"{key}.paths.2.0", 3, stride=2)
            + normed(middle, weights, f"{key}.paths.2.1", stride=2)
            + low
        ).relu(),
    ]


def pf_f(x: Tensor, weights: Weights) -> Tensor:
    """The network PF/F without fold or residual."""
    y = bottleneck(bottleneck(x, weights, "stem.0", projected=True), weights, "stem.1", projected=False)
    branches = [
        normed(y, weights, "transitions.0.keep").relu(),
        normed(y, weights, "transitions.0.lower", stride=2).relu(),
    ]
    branches = fusion_of_two(parallel(branches, weights, "cells.0.0"), weights, "cells.0.1")
    branches = [*branches, normed(branches[1], weights, "transitions.1.lower", stride=2).relu()]
    high, middle, low = fusion_of_three(branches, weights, "cells.1.0")
    up = normed(middle, weights, "fuse.paths.0.1"), normed(low, weights, "fuse.paths.0.2")
    return F.conv2d((high + larger(up[0], 2) + larger(up[1], 4)).relu(), weights["last.weight"])


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def gray(architecture: str) -> Network:
    with torch.device("meta"):
        return create("multiscale", {"architecture": architecture, "gray": True})


@pytest.mark.parametrize(("architecture", "parameters", "printed"), TABLE_5)
def test_parameters_of_table_5(architecture: str, parameters: int, printed: float) -> None:
    assert gray(architecture).parameter_count == parameters
    assert printed in (round(parameters / 1e6, 2), math.floor(parameters / 1e4) / 100)


def test_parameters_of_another_published_architecture() -> None:
    assert gray("FFFF/PPPF/PFPP").parameter_count == 7_417_216


def test_parameters_do_not_depend_on_the_order_within_a_cell() -> None:
    for cell in set(permutations("PFFP")):
        letters = "".join(cell)
        assert gray(f"{letters}/FFFF/{letters[::-1]}").parameter_count == gray("FPPF/FFFF/PFFP").parameter_count
    assert gray("PFFF/FFFF/FFFF").parameter_count != gray("FFFF/PFFF/FFFF").parameter_count


def test_parameters_by_part() -> None:
    network = gray("PFFF/FPFP/PPPP")
    assert network.parameter_count - count(network.get_submodule("cells")) == 526_656
    with torch.device("meta"):
        assert [count(Parallel(WIDTHS[:branches])) for branches in (2, 3, 4)] == [92_544, 387_968, 1_568_640]
        assert [count(Fusion(WIDTHS[:branches])) for branches in (2, 3, 4)] == [20_672, 153_536, 784_512]


def test_fusion() -> None:
    two, three = lively(Fusion((2, 4))), lively(Fusion((2, 4, 8)))
    for module, by_hand in ((two, fusion_of_two), (three, fusion_of_three)):
        branches = features(2, 4, 8)[: len(module.paths)]
        weights = {f"f.{key}": value for key, value in module.state_dict().items()}
        torch.testing.assert_close(module(branches), by_hand(branches, weights, "f"))
    assert [path.weight.shape[:2] for path in three.paths[2][0] if isinstance(path, nn.Conv2d)] == [(2, 2), (8, 2)]


def test_last_fusion_makes_full_resolution_only() -> None:
    module, branches = lively(Fusion((2, 4, 8), outputs=1)), features(2, 4, 8)
    weights = {f"f.{key}": value for key, value in module.state_dict().items()}
    (made,) = module(branches)
    ups = (larger(normed(branches[level], weights, f"f.paths.0.{level}"), 2**level) for level in (1, 2))
    torch.testing.assert_close(made, (branches[0] + sum(ups)).relu())


def test_parallel() -> None:
    module, branches = lively(Parallel((2, 4))), features(2, 4)
    weights = {f"p.{key}": value for key, value in module.state_dict().items()}
    torch.testing.assert_close(module(branches), parallel(branches, weights, "p"))


@pytest.mark.parametrize("channels", [1, 8])
def test_bottleneck_projects_only_where_channels_differ(channels: int) -> None:
    module, x = lively(Bottleneck(channels, 2)), noise(2, channels, 6, 10)
    weights = {f"b.{key}": value for key, value in module.state_dict().items()}
    assert any("shortcut" in key for key in weights) is (channels != 8)
    torch.testing.assert_close(module(x), bottleneck(x, weights, "b", projected=channels != 8))


@pytest.mark.parametrize("training", [True, False])
def test_modules_leave_their_branches_alone(training: bool) -> None:
    """Both modules of a column get the same tensors."""
    modules = (Parallel((2, 4)), Fusion((2, 4)), Transition(4, (2, 4, 8)))
    branches = features(2, 4)
    before, same = [x.clone() for x in branches], list(branches)
    for module in modules:
        module.double().train(training)(branches)
    assert all(one is other for one, other in zip(branches, same, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(branches, before, strict=True))


def test_transition_only_adds() -> None:
    module, branches = lively(Transition(4, (2, 4, 8))), features(2, 4)
    high, middle, low = module(branches)
    assert high is branches[0]
    assert middle is branches[1]
    weights = {f"t.{key}": value for key, value in module.state_dict().items()}
    torch.testing.assert_close(low, normed(branches[1], weights, "t.lower", stride=2).relu())


def test_network() -> None:
    network, x = lively(multiscale(architecture="PF/F", width=2)), noise(2, 3, 8, 12)
    torch.testing.assert_close(network(x), pf_f(x, network.state_dict()))
    residual = multiscale(architecture="PF/F", width=2, residual=True).double().eval()
    residual.load_state_dict(network.state_dict())
    torch.testing.assert_close(residual(x), x + network(x))


def test_fold() -> None:
    network, x = lively(multiscale(architecture="PF/F", width=2, gray=True, fold=2)), noise(2, 1, 16, 24)
    squares = torch.cat([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)
    wanted = pf_f(squares, network.state_dict())
    made = network(x)
    assert network.size_multiple == 8
    for channel in range(4):
        torch.testing.assert_close(made[:, 0, channel // 2 :: 2, channel % 2 :: 2], wanted[:, channel])


def test_gray_takes_colours_one_by_one() -> None:
    network, x = lively(multiscale(architecture="F/F", width=2, gray=True)), noise(2, 3, 9, 13)
    restored = network(x)
    assert restored.shape == x.shape
    for colour in range(3):
        torch.testing.assert_close(restored[:, colour : colour + 1], network(x[:, colour : colour + 1]))


@pytest.mark.parametrize(("architecture", "multiple"), [("F", 2), ("PF/F", 4), ("P/FF/PFP/F", 16)])
def test_any_number_of_cells_and_columns(architecture: str, multiple: int) -> None:
    network = multiscale(architecture=architecture, width=2)
    assert network.size_multiple == multiple
    assert network.architecture == architecture
    assert [len(parse_architecture(architecture)[cell]) for cell in range(len(network.cells))] == [
        len(list(columns.children())) for columns in network.cells
    ]
    assert network.eval()(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("multiscale", {"architecture": "F"}),
        ("multiscale", {"architecture": "FP/F", "gray": True}),
        ("multiscale", {"architecture": "PF/FFF", "fold": 3}),
        ("multiscale", {"architecture": "FPPF/FFFF/PFFP"}),
        ("multiscale", {"architecture": "FFFF/FFFF/FFFF"}),
        ("multiscale_compact", {"architecture": "F/PP/F"}),
        ("multiscale_supernet", {"columns": "2/1/2"}),
        ("multiscale_supernet", {"columns": "2/1/2", "in_place": True}),
    ],
)
def test_receptive_field_is_exact(name: str, options: dict[str, object]) -> None:
    """Where everything is positive nothing hides a pixel; every place of a cell is looked at."""
    network = create(name, {**options, "width": 1}).double().eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    reach, cell = network.receptive_field, network.size_multiple
    assert reach is not None
    start = -(-reach // cell) * cell
    x = torch.ones(1, 1 if options.get("gray") else 3, *(2 * start + cell,) * 2, dtype=torch.float64).requires_grad_()
    y = network(x)
    farthest = 0
    for place in range(start, start + cell):
        (gradient,) = torch.autograd.grad(y[0, 0, place, place], x, retain_graph=True)
        seen = gradient.sum((0, 1)).nonzero()
        farthest = max(farthest, int((seen - place).abs().max()))
    assert farthest == reach


def test_starts_small() -> None:
    network = multiscale(width=8)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
            assert module.weight.std().item() == pytest.approx(1e-3, rel=0.1)
        if isinstance(module, nn.BatchNorm2d):
            assert torch.all(module.weight == 1)
            assert not module.bias.any()


HELP = "give P (parallel) and F (fusion) for the columns, with a slash between cells, such as FPPF/FFFF/PFFP"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({"architecture": text}, f"architecture={text!r} is not allowed; {HELP}")
            for text in ("", "F//P", "fp", "FX")
        ),
        ({"architecture": 3}, "architecture=3 is not allowed; give text"),
        ({"width": 0}, "give a width and a fold from 1, not 0 and 1"),
        ({"fold": 0}, "give a width and a fold from 1, not 32 and 0"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        create("multiscale", options)
    assert str(caught.value) == f"multiscale: {message}"
