from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unblemish.examination import classifier
from unblemish.examination.calibration import Diagnosis, conclude, diagnose, settle
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.knowledge import Knowledge
from unblemish.examination.observations import Observation, observe
from unblemish.networks.srresnet import srresnet_x4_compact
from unblemish.pictures.picture import Picture
from unblemish.pictures.writing import write


def draw_scene(seed: int, height: int = 128, width: int = 128) -> torch.Tensor:
    """`(3, H, W)` in 8-bit levels: coloured noise whose spectrum falls as that of photographs does."""
    draw = torch.Generator().manual_seed(seed)
    white = torch.fft.rfft2(torch.randn(4, height, width, generator=draw))
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    layers = torch.fft.irfft2(white / (radius + 0.01) ** 1.4, s=(height, width))  # (4, H, W): luma, then three colours
    x = layers[:1] + 0.3 * layers[1:]
    return ((x - x.mean()) / x.std() * 0.18 + 0.5).clamp(0, 1).mul(255).round() / 255


@pytest.fixture(scope="session")
def scene():
    """Draws a generated clean picture from a seed."""
    return draw_scene


@pytest.fixture(scope="session")
def describe_with() -> DeepRepresentation:
    """A tiny descriptor with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DeepRepresentation(srresnet_x4_compact(blocks=1, width=4), "trunk")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> list[Path]:
    """Files of sixteen clean pictures."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for number in range(16):
        pixels = np.rint(draw_scene(number).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        paths.append(folder / f"{number:02}.png")
        write(Picture(np.ascontiguousarray(pixels), "png"), paths[-1])
    return paths


KINDS = ("clean", "gaussian_noise", "gaussian_blur", "darkness")
"""Easily told apart; darkness stands for the unknown."""

GROUPS = {"noise": ("gaussian_noise",), "blur": ("gaussian_blur",)}
GAINS = {"clean": None, "gaussian_noise": 8.0, "gaussian_blur": 2.0, "darkness": -1.0}


@pytest.fixture(scope="session")
def observations(describe_with, photographs, tmp_path_factory) -> list[Observation]:
    """Of four kinds of each photograph."""
    return observe(describe_with, photographs, KINDS, tmp_path_factory.mktemp("observations"))


@pytest.fixture(scope="session")
def diagnosis(observations) -> Diagnosis:
    """Classifiers after few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 200)
        return diagnose(observations, KINDS)


@pytest.fixture(scope="session")
def knowledge(observations, diagnosis) -> Knowledge:
    """Calibrated on invented gains: those of a kind are alike."""
    gains = [GAINS[one.kind] for one in observations]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 200)
        return conclude(observations, diagnosis, settle(observations, diagnosis, GROUPS), gains)
