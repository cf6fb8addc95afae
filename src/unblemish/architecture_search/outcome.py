"""A finished search: what it found, its supernet, and the files that are made of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unblemish.architecture_search.alphas_plot import draw_alphas, read_history
from unblemish.architecture_search.complexity import Complexity
from unblemish.architecture_search.drawing import draw_architecture
from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.found import FoundArchitecture, training_recipe, write_recipe
from unblemish.evaluation.timing import multiply_adds_per_pixel
from unblemish.networks.catalogue import create
from unblemish.networks.loading import put_weights
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.fit import BEST, LAST
from unblemish.training.recipe import Recipe

FOUND, DRAWING, COURSE, TRAINING = "architecture.json", "architecture.svg", "alphas.svg", "train.yaml"
"""What `Outcome.write` writes: the record, the drawings of the network and of the alphas, the recipe that trains it."""

JOURNAL = "journal.jsonl"

UNITS: Mapping[Complexity, str] = {
    "parameters": "parameters",
    "flops": "multiply-adds a pixel",
    "latency": "seconds",
}
"""Of costs, by what they are."""

_NETWORK = "network."
"""Start of the keys of the network in a task's state."""


@dataclass(frozen=True)
class Outcome:
    """What a search left.

    Attributes:
        folder: Of its training.
        recipe: Of the search.
        supernet: With the weights and the alphas of the last step, on the CPU, in evaluation mode.
        costs: `(columns, 2)` float64, see `complexity.measure_costs`.
        found: The architecture.
    """

    folder: Path
    recipe: Recipe
    supernet: MultiScaleSupernet
    costs: Tensor
    found: FoundArchitecture

    @classmethod
    def load(cls, folder: Path, recipe: Recipe) -> Outcome:
        """Reads the folder of a finished search.

        Args:
            folder: Of the training.
            recipe: Of the search; the checkpoint's may differ in what comes after it.

        Raises:
            SearchError: It holds a training that is no search, or the recipe is of none.
            TrainingError: There is no readable checkpoint.
            NetworkError: The checkpoint does not fit the recipe.
        """
        state = Checkpoint.load(folder / LAST)
        if recipe.search is None or "costs" not in state.task:
            raise SearchError(f"{folder}: holds no search; give the folder of one, or search in another folder")
        supernet = create(recipe.network.name, recipe.network.options)
        assert isinstance(supernet, MultiScaleSupernet)  # a recipe with a part `search` has no other network
        weights = {key: value for key, value in state.task.items() if key.startswith(_NETWORK)}
        put_weights(supernet, {key.removeprefix(_NETWORK): w for key, w in weights.items()}, folder / LAST)
        found = FoundArchitecture.from_supernet(
            supernet,
            state.task["costs"],
            recipe.search.complexity,
            step=state.step,
            steps=recipe.steps,
            seconds=round(state.seconds, 3),
            seed=recipe.seed,
        )
        return cls(folder, recipe, supernet.eval(), state.task["costs"], found)

    def write(self, output: Path) -> None:
        """Writes the record, the drawings, and the recipe that trains the found architecture; always the same bytes.

        Args:
            output: Folder, made where it is missing.

        Raises:
            SearchError: The journal cannot be read.
            TrainingError: The changes in `search.training` are not right.
            OSError: A file cannot be written.
        """
        found = self.found
        found.save(output / FOUND)
        draw_architecture(found.architecture, output / DRAWING, self.recipe.purpose, found.alphas)
        draw_alphas(self.history(), output / COURSE)
        write_recipe(training_recipe(self.recipe, found.architecture), output / TRAINING)

    def history(self) -> list[tuple[int, dict[str, float]]]:
        """Fusion alphas by step, as `alphas_plot.read_history` gives them; the last ones exactly, the others as means.

        Raises:
            SearchError: The journal cannot be read.
        """
        last = {f"{cell}.{column}": value for (cell, column), value in self.found.fusion().items()}
        means = [(step, alphas) for step, alphas in read_history(self.folder / JOURNAL) if step < self.found.step]
        return [*means, (self.found.step, last)]

    def summary(self, output: Path) -> str:
        """What was found, as lines.

        Args:
            output: The folder given to `write`.
        """
        found = self.found
        kind = found.complexity.kind
        cost = "" if kind == "parameters" else f", its columns cost {found.complexity.total:,.4g} {UNITS[kind]}"
        return (
            f"{found.architecture}: {found.parameters:,} parameters{cost}; mean gap of the alphas {found.gap:.3f}.\n"
            f"{output / FOUND} is the record, {output / DRAWING} the network, {output / COURSE} how it came about."
        )


def next_commands(output: Path, trained: Path | None = None) -> str:
    """What to type after a search, as lines.

    Args:
        output: The folder given to `Outcome.write`.
        trained: Folder of a training of the found architecture; None where there is none yet.
    """
    weights = (trained or output / "final") / BEST
    train = ["unblemish", "train", str(output / TRAINING), "-o", str(weights.parent)]
    restore = ["unblemish", "restore", "PICTURE", "--bundle", str(weights)]
    export = ["unblemish", "export", "network.onnx", "--bundle", str(weights)]
    words = [restore, export] if trained else [train, restore, export]
    heading = "Use it:" if trained else "Train it from scratch, then use it:"
    return "\n".join([heading, *(f"  {shlex.join(one)}" for one in words)])


def size_of(network: str, options: Mapping[str, Any]) -> tuple[int, float]:
    """Parameters of a network of the search space, and its multiply-adds for each pixel of a picture it is made for.

    Raises:
        NetworkError: There is no such network, or an option is not right.
    """
    with torch.device("meta"):  # neither memory nor random numbers
        made = create(network, options)
    # Work is counted on three channels; a gray network treats each as a picture of its own.
    pictures = 3 if getattr(made, "planes", 3) == 1 else 1
    return made.parameter_count, multiply_adds_per_pixel(made) / pictures
