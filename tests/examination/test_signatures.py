from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.examination.errors import ExaminationError
from unblemish.examination.features import Features
from unblemish.examination.generalised_gaussian import fit_moments, kl_divergence
from unblemish.examination.principal_components import principal_scores
from unblemish.examination.signatures import (
    BATCH,
    Signature,
    SignatureProtocol,
    cut_patches,
    measure_signature,
)


class Pixels(Features):
    """The picture itself, and a record of what was asked."""

    name = "pixels"

    def __init__(self, patch_side: int = 32) -> None:
        self.patch_side = patch_side
        self.seen: list[Tensor] = []

    @property
    def description(self) -> dict[str, Any]:
        return {}

    def __call__(self, pictures: Tensor) -> Tensor:
        self.seen.append(pictures)
        return pictures - 0.5


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clean")
    for name, photo in (("a", data.astronaut()), ("b", data.coffee()), ("c", data.rocket())):
        Image.fromarray(photo).save(folder / f"{name}.png")
    Image.fromarray(data.camera()).save(folder / "gray.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def patches(photos: list[Path]) -> Tensor:
    return cut_patches(photos, SignatureProtocol(patches=60))


def test_patches_come_evenly_from_all_pictures(photos: list[Path], patches: Tensor) -> None:
    assert patches.shape == (60, 3, 128, 128)
    assert patches.dtype == torch.uint8
    gray = [bool((p[0] == p[1]).all() and (p[1] == p[2]).all()) for p in patches]
    assert sum(gray) == 15
    assert torch.equal(patches, cut_patches(photos, SignatureProtocol(patches=60)))
    assert not torch.equal(patches, cut_patches(photos, SignatureProtocol(patches=60, seed=1)))
    few = cut_patches(photos, SignatureProtocol(patches=3))
    assert len({p.float().mean().item() for p in few}) == 3


def test_pictures_are_shrunk_first(tmp_path: Path) -> None:
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[::2] = 255  # stripes of one pixel, which a factor of two turns into gray
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    shrunk = cut_patches([tmp_path / "stripes.png"], SignatureProtocol(patches=2))
    inner = shrunk[:, :, 4:-4].float()
    assert inner.std() < 3
    whole = cut_patches([tmp_path / "stripes.png"], SignatureProtocol(patches=2, reduction=1))
    assert whole.float().std() > 120


def test_useless_pictures_are_made_up_for(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("junk")
    Image.new("RGB", (300, 200)).save(tmp_path / "small.png")
    bad = [tmp_path / "broken.png", tmp_path / "small.png"]
    assert len(cut_patches([*bad, *photos[:2]], SignatureProtocol(patches=9))) == 9
    with pytest.raises(ExaminationError, match="none of 2 pictures can be read and is at least 256 pixels"):
        cut_patches(bad, SignatureProtocol(patches=9))


def test_a_signature_is_the_fit_to_the_scores(patches: Tensor) -> None:
    features = Pixels()
    found = measure_signature(features, None, patches, SignatureProtocol(patches=60, components=20))
    centre = patches[..., 48:80, 48:80].float() / 255
    torch.testing.assert_close(torch.cat(features.seen), centre)
    expected = fit_moments(principal_scores(centre.flatten(1), 20))
    assert found.name == "clean"
    assert (found.density.alpha, found.density.sigma) == pytest.approx((expected.alpha, expected.sigma), rel=1e-3)
    assert found.likelihood.sigma == pytest.approx(found.density.sigma, rel=0.5)
    assert found.seconds > 0


@pytest.mark.parametrize("sampled", [True, False])
def test_damage_is_rounded_repeatable_and_as_the_protocol_says(patches: Tensor, sampled: bool) -> None:
    features = Pixels(128)
    protocol = SignatureProtocol(patches=60, sampled=sampled)
    noise = create("gaussian_noise")
    first, second = (measure_signature(features, noise, patches, protocol) for _ in range(2))
    assert first.density == second.density
    assert [len(x) for x in features.seen] == [BATCH, BATCH, 60 - 2 * BATCH] * 2
    assert all(torch.equal(*pair) for pair in zip(features.seen[:3], features.seen[3:], strict=True))
    levels = features.seen[0] * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    strength = (features.seen[0] - patches[:BATCH].float() / 255).std((1, 2, 3))
    assert (strength.max() > 2 * strength.min()) == sampled


def test_signatures_tell_degradations_apart(patches: Tensor) -> None:
    protocol = SignatureProtocol(patches=60)
    clean, mild, strong = (
        measure_signature(Pixels(), None if name == "clean" else create(name), patches, protocol).density
        for name in ("clean", "jpeg", "salt_and_pepper")
    )
    assert kl_divergence(clean, mild) < 0.2 * kl_divergence(clean, strong)


def test_signatures_are_stored(patches: Tensor) -> None:
    found = measure_signature(Pixels(), create("haze"), patches[:10], SignatureProtocol(patches=10))
    assert Signature.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(ExaminationError, match="this is no signature"):
        Signature.from_dict({"name": "haze", "density": {"alpha": 1}})


def test_no_patches_no_signature() -> None:
    with pytest.raises(ExaminationError, match="no patch"):
        measure_signature(Pixels(), None, torch.empty(0, 3, 128, 128, dtype=torch.uint8), SignatureProtocol())
