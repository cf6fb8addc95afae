from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.multiscale import parse_architecture
from unblemish.networks.multiscale_modules import Fusion, Parallel
from unblemish.networks.multiscale_supernet import MixedColumn, MultiScaleSupernet, multiscale_supernet


def lively(module: nn.Module) -> Any:
    """Every parameter and statistic drawn, in float64."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.3, generator=generator)
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5 if name.endswith("var") else -0.5, 1, generator=generator)
    return module.double()


def supernet(columns: str = "2/1", **options: Any) -> MultiScaleSupernet:
    return lively(multiscale_supernet(columns=columns, width=2, **options))


def choose(network: MultiScaleSupernet, architecture: str) -> None:
    """Makes the weights of the chosen modules exactly one, those of the others exactly zero."""
    letters = "".join(parse_architecture(architecture))
    for letter, logits in zip(letters, network.architecture_parameters(), strict=True):
        logits.data = torch.tensor([1e3, -1e3] if letter == "P" else [-1e3, 1e3], dtype=logits.dtype)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_parameters() -> None:
    with torch.device("meta"):
        network = multiscale_supernet(gray=True)
        plain, modules = (network.derive("FFFF/FFFF/FFFF").parameter_count, (Parallel((32, 64)), Fusion((32, 64))))
    assert plain == 4_361_536
    columns = 4 * (92_544 + 387_968 + 1_568_640)  # the parallel modules
    assert network.parameter_count == plain + columns + 2 * 12 == 12_558_168
    first = [p.numel() for p in network.cells[0].parameters()]
    assert sum(first) == 4 * sum(p.numel() for module in modules for p in module.parameters()) + 4 * 2


def test_architecture_parameters_are_the_logits() -> None:
    network = multiscale_supernet(width=1)
    logits = network.architecture_parameters()
    assert [p.shape for p in logits] == [(2,)] * 12
    assert [id(p) for p in logits] == [id(p) for name, p in network.named_parameters() if name.endswith("logits")]
    values = torch.stack(logits).detach()
    assert values.std().item() == pytest.approx(1e-3, rel=0.5)
    assert values.abs().max() < 5e-3
    assert all(
        module.weight.std().item() == pytest.approx(1e-3, rel=0.2)
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 500
    )


def test_every_logit_gets_a_gradient() -> None:
    network = supernet()
    network(noise(2, 3, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.all() for p in network.architecture_parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_alphas_sum_to_one(dtype: torch.dtype) -> None:
    network = supernet("2/1").to(dtype)
    alphas = network.alphas()
    assert (alphas.shape, alphas.dtype) == ((3, 2), torch.float32)
    torch.testing.assert_close(alphas.sum(1), torch.ones(3))
    assert torch.equal(alphas[2], network.architecture_parameters()[2].float().softmax(0))


@pytest.mark.parametrize("in_place", [False, True])
def test_equation_1(in_place: bool) -> None:
    column = lively(MixedColumn((2, 4), in_place)).eval()
    column.logits.data = torch.tensor([0.7, -0.4], dtype=torch.float64)
    alpha = math.exp(0.7) / (math.exp(0.7) + math.exp(-0.4))
    branches = [noise(2, 2, 8, 8), noise(2, 4, 4, 4)]
    before = [x.clone() for x in branches]
    kept = column.parallel([x.clone() for x in before])
    fused = column.fusion([x.clone() for x in (kept if in_place else before)])
    made = column(branches)
    for one, parallel, fusion in zip(made, kept, fused, strict=True):
        torch.testing.assert_close(one, alpha * parallel + (1 - alpha) * fusion, rtol=0, atol=1e-6)
    assert all(torch.equal(one, other) for one, other in zip(branches, before, strict=True))


def test_architecture_is_the_likeliest() -> None:
    network = supernet("2/1/3")
    choose(network, "PF/F/FPF")
    assert network.architecture() == "PF/F/FPF"
    for logits in network.architecture_parameters():
        nn.init.zeros_(logits)
    assert network.architecture() == "PP/P/PPP"


@pytest.mark.parametrize("options", [{}, {"gray": True, "residual": True, "fold": 2}])
@pytest.mark.parametrize("architecture", ["PF/F", "FP/P", "FF/F"])
def test_derived_network_is_the_supernet_where_it_is_sure(architecture: str, options: dict[str, Any]) -> None:
    network, x = supernet(**options).eval(), noise(2, 3, 9, 14)
    choose(network, architecture)
    derived = network.derive()
    assert derived.architecture == architecture
    with torch.inference_mode():
        assert torch.equal(derived(x), network(x))


def test_derived_network_has_the_supernets_weights() -> None:
    network = supernet()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    derived = network.derive("FP/F")
    assert all(p.dtype == torch.float64 for p in derived.parameters())
    kinds = {"cells.0.0.": "fusion.", "cells.0.1.": "parallel.", "cells.1.0.": "fusion."}
    for key, value in derived.state_dict().items():
        place = key[: len("cells.0.0.")]
        assert torch.equal(value, before[place + kinds.get(place, "") + key[len(place) :]])
    nn.init.zeros_(derived.last.weight)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_derived_network_keeps_mode_and_device() -> None:
    network = supernet()
    assert all(module.training for module in network.derive().modules())
    assert not any(module.training for module in network.eval().derive().modules())
    assert all(p.device.type == "meta" for p in network.to("meta").derive("FF/F").parameters())


@pytest.mark.parametrize("architecture", ["PF", "PF/FF", "P/F", "PF/F/F", "FPF"])
def test_what_is_not_of_the_space_is_refused(architecture: str) -> None:
    network = supernet()
    choose(network, "FP/F")
    with pytest.raises(ValueError, match=rf"architecture='{architecture}' is not of the .* space, such as FP/F"):
        network.derive(architecture)


@pytest.mark.parametrize("architecture", ["", "XF/F", "PF/"])
def test_what_is_no_architecture_is_refused(architecture: str) -> None:
    with pytest.raises(ValueError, match=r"is not allowed; give P \(parallel\) and F \(fusion\)"):
        supernet().derive(architecture)


@pytest.mark.parametrize("columns", ["", "4/", "0", "4/-1", "4/x", "FF/F"])
def test_bad_columns(columns: str) -> None:
    with pytest.raises(NetworkError) as caught:
        create("multiscale_supernet", {"columns": columns})
    assert str(caught.value) == (
        f"multiscale_supernet: columns={columns!r} is not allowed; give the columns of each cell, such as 4/4/4"
    )
