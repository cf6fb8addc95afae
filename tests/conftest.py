from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.replay_generator import ReplayGenerator
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.training.callbacks import Callback, FitResult
from unblemish.training.embeddings import Embedding
from unblemish.training.recipe import Recipe

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture(scope="session")
def recipe_script() -> Callable[[str], ModuleType]:
    """Loads a script of `recipes/` by its name, without running it; each time anew."""
    sys.path.append(str(RECIPES))  # where Python finds what a script imports from beside it

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def picture(seed: int, height: int = 72, width: int = 80) -> np.ndarray:
    """Waves of a few directions and colours: smooth, unlike each other, `(H, W, 3)` uint8."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    values = np.zeros((height, width, 3))
    for _ in range(4):
        angle, pace = draw.uniform(0, np.pi), draw.uniform(0.03, 0.2)
        wave = np.sin(pace * (np.cos(angle) * x + np.sin(angle) * y) + draw.uniform(0, 6))
        values += wave[..., None] * draw.uniform(-1, 1, 3)
    return np.rint(127.5 + 40 * values).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(6):
        Image.fromarray(picture(number)).save(folder / f"picture{number}.png")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost tiny networks more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def many_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of 72 px; their names fall into all folds of an examiner's calibration."""
    folder = tmp_path_factory.mktemp("machine") / "new"
    folder.mkdir()
    for number in range(12):
        coarse = np.random.default_rng(number).integers(256, size=(9, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((72, 72), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def growable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed bundle that can grow: tiny networks of random weights, which know JPEG blends and noise."""
    torch.manual_seed(0)
    small = {"blocks": 1, "width": 4}
    stated = {"purpose": "test", "licence": "MIT", "training_set": "none", "recipe": "drawn", "protocol": "none"}

    def part(name: str, architecture: str, options: dict[str, Any], treats: tuple[str, ...] = ()):
        network = create(architecture, options)
        # There must be something to forget: generators darken, and the network brightens.
        if isinstance(network, Lira):
            nn.init.constant_(cast(Tensor, network.branch(0).decoder.last.bias), 0.25)
        if isinstance(network, ReplayGenerator):
            nn.init.constant_(cast(Tensor, network.ending.bias), -0.55)
        weights = {key: value.half() for key, value in network.state_dict().items()}
        card = NetworkCard(name=name, architecture=architecture, options=options, treats=treats, **stated)
        return card.model_copy(update={"scores": {"psnr/before": 20.0}}), weights

    lira = {"width": 16, "coarse_width": 16, "experts": 1, "blocks": 2}
    networks = [
        part("mix", "lira_compact", {**lira, "grown": 0, "task": 0}, ("mild_blend",)),
        part("noise", "srresnet", small, ("gaussian_noise",)),
    ]
    knowledge = KnowledgeCard(settings={}, licence="MIT", training_set="none", recipe="none")
    bundle = Bundle.write(
        tmp_path_factory.mktemp("growable") / "folder",
        networks,
        groups=[Group(name=card.name, degradations=card.treats, network=card.name) for card, _ in networks],
        examination=(part("descriptor", "srresnet_x4_compact", small), (knowledge, {"a": torch.ones(1)})),
        generators=[part("mix", "replay_generator", small, ("mild_blend",))],
    )
    return bundle.pack(bundle.path.with_name("old.bundle")).path


@pytest.fixture
def recipe(photos: Path) -> Callable[..., Recipe]:
    """A factory of tiny recipes; overrides are as on the command line, with __ for dots."""

    def make(**overrides: Any) -> Recipe:
        content: dict[str, Any] = {
            "purpose": "test",
            "network": {"name": "srresnet", "options": {"blocks": 1, "width": 8}},
            "data": {"folder": str(photos), "patch": 32},
            "degradations": {"names": ["gaussian_noise", "jpeg"], "clean": 0.1},
            "optimiser": {"rate": 1e-3, "warmup": 2},
            "validation": {"pictures": 2, "crop": 48, "every": 3},
            "steps": 6,
            "batch": 2,
            "precision": "32-true",
            "save_every": 100,
        }
        for key, value in overrides.items():
            part = content
            *parents, last = key.split("__")
            for parent in parents:
                part = part.setdefault(parent, {})
            part[last] = value
        return Recipe.parse(content, "recipe")

    return make


@pytest.fixture
def search(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """A factory of tiny recipes that search; overrides are as for `recipe`, and `search` adds to its part."""

    def make(search: dict[str, Any] | None = None, **overrides: Any) -> Recipe:
        content: dict[str, Any] = {
            "network": {"name": "multiscale_supernet", "options": {"columns": "2/1", "width": 2}},
            "search": {"warmup": 2, "rate": 0.05, **(search or {})},
            "task__loss": "mse",
            "optimiser": {"kind": "sgd", "rate": 0.01, "weight_decay": 1e-3, "clip": 5.0},
            "ema": 0.0,
        }
        return recipe(**{**content, **overrides})

    return make


class TwoLayers(nn.Module):
    """Features small enough to be written out: the picture itself, and twice its mean over 2 x 2 pixels."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, 2 * nn.functional.avg_pool2d(x, 2)]


@pytest.fixture
def embedding() -> Embedding:
    return Embedding("two", TwoLayers(), {"same": 0.25, "mean": 0.75})


class Recorder(Callback):
    """Keeps every event; calls `at[step]()` after a step."""

    def __init__(self, at: dict[int, Callable[[], None]] | None = None) -> None:
        self.at = at or {}
        self.facts: dict[str, Any] = {}
        self.started = -1
        self.steps: dict[int, tuple[dict[str, float], float]] = {}
        self.validations: dict[int, tuple[dict[str, float], bool]] = {}
        self.results: list[FitResult | None] = []

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        self.started, self.facts = step, facts

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        self.steps[step] = (terms, rate)
        self.at.get(step, lambda: None)()

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        self.validations[step] = (scores, best)

    def on_end(self, result: FitResult | None) -> None:
        self.results.append(result)


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder
