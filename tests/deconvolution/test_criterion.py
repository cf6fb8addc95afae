from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unblemish.deconvolution.criterion import create_criterion
from unblemish.networks.base import Network
from unblemish.networks.srresnet import SRResNet, srresnet_x4
from unblemish.networks.vgg import VARIABLES
from unblemish.training.errors import TrainingError
from unblemish.training.losses import LOSSES
from unblemish.training.recipe import Recipe

Make = Callable[..., Recipe]
OUTPUT, CLEAN = torch.rand(2, 2, 3, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))


def descriptor() -> SRResNet:
    torch.manual_seed(0)
    return srresnet_x4(blocks=2, width=8)


def nothing() -> Network:
    raise AssertionError("no descriptor is wanted")


@pytest.mark.parametrize("loss", LOSSES)
def test_without_a_perceptual_loss_the_content_is_all(recipe: Make, loss: str) -> None:
    criterion = create_criterion(recipe(task__loss=loss), nothing)
    total, terms = criterion(OUTPUT, CLEAN)
    assert torch.equal(total, LOSSES[loss](OUTPUT, CLEAN))
    assert terms == {"content": total}
    assert criterion.facts() == {}


def test_the_perceptual_loss_is_weighed_and_added(recipe: Make) -> None:
    criterion = create_criterion(recipe(task__loss="golf_content", perceptual={"weight": 0.25}), descriptor)
    total, terms = criterion(OUTPUT, CLEAN)
    assert criterion.perceptual is not None
    torch.testing.assert_close(terms["content"], 12 * (OUTPUT - CLEAN).square().mean())
    torch.testing.assert_close(terms["perceptual"], 0.25 * criterion.perceptual(OUTPUT, CLEAN))
    torch.testing.assert_close(total, terms["content"] + terms["perceptual"])
    assert terms["perceptual"] > 0


def test_records_say_whose_features_they_are(recipe: Make) -> None:
    facts = create_criterion(recipe(perceptual={}), descriptor).facts()
    assert facts == {
        "perceptual": {"embedding": {"network": "descriptor", "layers": {"block2": 1.0}, "full_precision": False}}
    }


def test_the_recipe_says_reduction_and_layers(recipe: Make) -> None:
    part = {"embedding": "descriptor", "layers": ["block1"], "layer_weights": [2.0], "reduction": "mean"}
    perceptual = create_criterion(recipe(perceptual=part), descriptor).perceptual
    assert perceptual is not None
    assert (perceptual.reduction, perceptual.embedding.layers) == ("mean", {"block1": 2.0})
    with pytest.raises(TrainingError, match=r"perceptual\.layers: the descriptor has no block9"):
        create_criterion(recipe(perceptual=part | {"layers": ["block9"]}), descriptor)
