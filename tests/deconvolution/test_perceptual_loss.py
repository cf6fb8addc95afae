from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unblemish.deconvolution.perceptual import PUBLISHED, PerceptualLoss
from unblemish.networks.errors import NetworkError
from unblemish.networks.vgg import Vgg
from unblemish.training.embeddings import Embedding, vgg_embedding


@pytest.fixture
def embedding(embedding: Embedding) -> Embedding:
    embedding.signed = True
    return embedding


@pytest.mark.parametrize(("reduction", "divisors"), [("sum", (2, 2)), ("mean", (2 * 3 * 8 * 12, 2 * 3 * 4 * 6))])
def test_value_is_the_squared_distance_of_features(
    embedding: Embedding, reduction: Literal["sum", "mean"], divisors: tuple[int, int]
) -> None:
    """Pictures are in [-1, 1] for the network, so that differences are twice those in [0, 1]."""
    output, clean = torch.rand(2, 2, 3, 8, 12)
    pooled = nn.functional.avg_pool2d(output - clean, 2)
    wanted = (
        0.25 * (2 * (output - clean)).square().sum() / divisors[0] + 0.75 * (4 * pooled).square().sum() / divisors[1]
    )
    found = PerceptualLoss(embedding, reduction)(output, clean)
    assert found.shape == ()
    torch.testing.assert_close(found, wanted)


def test_sums_are_taken_in_float32_under_autocast(embedding: Embedding) -> None:
    output, clean = torch.rand(2, 2, 3, 8, 12)
    alone = PerceptualLoss(embedding)(output, clean)
    with torch.autocast("cpu", torch.bfloat16):
        found = PerceptualLoss(embedding)(output, clean)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, alone)


def test_gray_pictures_count_as_rgb(embedding: Embedding) -> None:
    output, clean = torch.rand(2, 2, 1, 8, 12)
    loss = PerceptualLoss(embedding)
    assert torch.equal(loss(output, clean), loss(output.repeat(1, 3, 1, 1), clean.repeat(1, 3, 1, 1)))


def test_only_the_output_gets_a_gradient(embedding: Embedding) -> None:
    output, clean = (x.requires_grad_() for x in torch.rand(2, 2, 3, 8, 12))
    PerceptualLoss(embedding)(output, clean).backward()
    assert output.grad is not None
    assert output.grad.any()
    assert clean.grad is None


def test_features_are_those_of_the_paper(tmp_path: Path) -> None:
    """The fifth max-pooled map of VGG-11 with batch normalisation: 512 x H/32 x W/32, pictures in [-1, 1]."""
    torch.manual_seed(0)
    network = Vgg("vgg11_bn", ["pool5"], normalise=False)
    path = tmp_path / "vgg11_bn.safetensors"
    save_file(network.state_dict(), path)
    loss = PerceptualLoss(vgg_embedding(PUBLISHED, path))
    output, clean = torch.rand(2, 2, 3, 64, 96)
    with torch.no_grad():
        one, other = (network(2 * x - 1)[0] for x in (output, clean))
    assert one.shape == (2, 512, 2, 3)
    torch.testing.assert_close(loss(output, clean), (one - other).square().sum() / 2, rtol=1e-4, atol=0.0)
    assert loss.facts()["embedding"]["network"] == "vgg11_bn"
    assert loss.facts()["embedding"]["signed"]
    with pytest.raises(
        NetworkError, match="48 x 31 pixels are too few for the layers pool5 of VGG11_BN, which need 32"
    ):
        loss(torch.rand(1, 3, 31, 48), torch.rand(1, 3, 31, 48))
