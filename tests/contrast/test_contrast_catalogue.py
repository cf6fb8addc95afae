from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.catalogue import create
from unblemish.contrast.curricular import CurricularContrast
from unblemish.contrast.negatives import AdaptiveNegatives, HistoryNegatives, NegativeModels
from unblemish.contrast.practical import PracticalContrast
from unblemish.contrast.regularisation import ContrastiveRegularisation
from unblemish.contrast.self_prior import SelfPriorNegative
from unblemish.networks.base import Network
from unblemish.networks.errors import NetworkError
from unblemish.networks.loading import save_weights
from unblemish.networks.srresnet import srresnet, srresnet_x4
from unblemish.training.contrast_part import ContrastPart
from unblemish.training.errors import TrainingError
from unblemish.training.task import Batch

OPTIONS = {"blocks": 1, "width": 4}


def fresh() -> Network:
    return srresnet(blocks=1, width=4)


def made(network: Network, **keys: Any) -> Contrast:
    part = TypeAdapter(ContrastPart).validate_python({"embedding": "descriptor", **keys})
    return create(part, network, fresh, lambda: srresnet_x4(blocks=2, width=4))


def values(network: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().float().flatten() for p in network.parameters()])


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return fresh()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "other.safetensors"
    save_weights(fresh(), path, {"network": "srresnet", "options": json.dumps(OPTIONS)})
    return path


def test_spn_has_the_published_defaults(network: Network) -> None:
    contrast = made(network, method="spn")
    assert isinstance(contrast, SelfPriorNegative)
    assert isinstance(contrast.negatives, HistoryNegatives)
    assert (contrast.weight, contrast.negatives.steps, contrast.negatives.decay) == (1e-4, (100, 500, 1000, 2000), 0.1)
    assert contrast.facts()["negatives"] == 4
    assert contrast.facts()["embedding"]["network"] == "descriptor"


def test_kinds_of_negatives(network: Network, weights: Path) -> None:
    def negatives(**keys: Any) -> NegativeModels:
        contrast = made(network, method="spn", **keys)
        assert isinstance(contrast, SelfPriorNegative)
        return contrast.negatives

    random, pretrained = negatives(negatives="random"), negatives(negatives="pretrained", pretrained=str(weights))
    assert type(random) is type(pretrained) is NegativeModels
    assert (values(random) - values(network)).abs().max() > 0.1
    torch.manual_seed(1)
    assert torch.equal(values(pretrained), values(fresh()))
    assert isinstance(negatives(adaptive=0.022, steps=[1, 1]), AdaptiveNegatives)
    assert next(negatives(negatives_dtype="bfloat16").parameters()).dtype == torch.bfloat16
    with pytest.raises(NetworkError, match="there is no such file"):
        negatives(negatives="pretrained", pretrained="missing.safetensors")


def test_losses_to_compare_with(network: Network, weights: Path, batch: Batch) -> None:
    ratio = made(network, method="cr")
    practical = made(network, method="pcl", positives=1, negatives=2)
    curricular = made(network, method="ccr", negatives=[{"weights": str(weights), "psnr": 20}])
    assert isinstance(ratio, ContrastiveRegularisation)
    assert isinstance(practical, PracticalContrast)
    assert isinstance(curricular, CurricularContrast)
    assert (ratio.weight, practical.weight, curricular.weight) == (0.1, 0.02, 0.2)
    assert curricular.thresholds == (20.0,)
    for contrast in (ratio, practical, curricular):
        output = network(batch.degraded)
        term, _ = contrast(output, batch)
        term.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        assert all(p.grad is None for p in contrast.parameters())


def test_negatives_of_another_enlargement_are_refused(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "enlarges.safetensors"
    save_weights(srresnet_x4(**OPTIONS), path, {"network": "srresnet_x4", "options": json.dumps(OPTIONS)})
    with pytest.raises(TrainingError, match=r"enlarges.safetensors enlarges 4 times, the network .* 1 times"):
        made(network, method="ccr", negatives=[{"weights": str(path), "psnr": 20}])


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"method": "spn", "negatives": "pretrained"}, "pretrained: FILE"),
        ({"method": "spn", "pretrained": "x"}, "pretrained: FILE"),
        ({"method": "spn", "negatives": "random", "adaptive": 0.1}, "adaptive refreshes"),
        ({"method": "spn", "steps": []}, "at least 1 item"),
        ({"method": "spn", "negatives": "random", "steps": [5]}, "steps has no effect with negatives: random"),
        ({"method": "spn", "adaptive": 0.1, "decay": 0.5}, "decay has no effect with adaptive"),
        ({"method": "spn", "embedding": "descriptor", "embedding_weights": "x"}, "weights are those of a VGG"),
        ({"method": "spn", "decay": 1.0}, "less than 1"),
        ({"method": "cr", "decay": 0.1}, "Extra inputs"),
        ({"method": "cr", "weight": float("inf")}, "finite number"),
        ({"method": "cr", "layers": [], "layer_weights": []}, "at least one layer"),
        ({"method": "cr", "layers": ["relu1_1"] * 2, "layer_weights": [1, 1]}, "each once"),
        ({"method": "moco"}, "'spn', 'cr', 'ccr', 'pcl'"),
    ],
)
def test_wrong_keys_are_refused(keys: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TypeAdapter(ContrastPart).validate_python(keys)
