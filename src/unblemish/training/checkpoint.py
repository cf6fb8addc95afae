"""One self-contained file to go on from."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe

FORMAT = 1


@dataclass(slots=True)
class Checkpoint:
    """Everything a training needs to go on as if it had never stopped.

    Learning rate, patches, their damage and PyTorch's global generators are set at every step from seed, rank
    and step number, so the step number stands for the sampler's position and for every generator.

    Attributes:
        step: Optimiser steps done.
        recipe: The resolved recipe as plain data.
        task: State of the task, network included.
        average: State of the averaged network.
        optimiser: State of the optimiser.
        best: Best validation gain so far, dB, with the step it was reached at.
        seconds: Time trained so far.
        history: What led here, oldest first: one line for each start or resumption.
        facts: What the task found at the start besides the recipe, such as the embedding of a contrastive loss.
    """

    step: int
    recipe: dict[str, Any]
    task: dict[str, Any]
    average: dict[str, Any]
    optimiser: dict[str, Any]
    best: dict[str, float]
    seconds: float
    history: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, recipe: Recipe) -> Checkpoint:
        """The state before the first step."""
        best = {"gain": -math.inf, "step": 0}
        return cls(0, recipe.model_dump(mode="json"), {}, {}, {}, best, 0.0, [])

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all.

        Raises:
            TrainingError: It cannot be written; training must stop rather than go on unsaved.
        """
        partial = path.with_name(f".{path.name}.partial")
        content = {"format": FORMAT, **{name: getattr(self, name) for name in self.__slots__}}
        try:
            with partial.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            raise TrainingError(
                f"{path}: the checkpoint cannot be written ({_line(error)}); free space, then add --resume"
            ) from error

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a checkpoint onto the CPU; nothing in the file is executed.

        Raises:
            TrainingError: There is no such file, or it is not a checkpoint of this version.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise TrainingError(f"{path}: there is nothing to resume; leave out --resume to start") from None
        except Exception as error:  # PyTorch's reader fails in many ways on files that are not its own
            raise TrainingError(
                f"{path}: not a readable checkpoint ({_line(error)}); train anew in another folder"
            ) from error
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise TrainingError(f"{path}: not a checkpoint of format {FORMAT}; resume with the version that wrote it")
        return cls(**content)


def _line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).partition("\n")[0]
