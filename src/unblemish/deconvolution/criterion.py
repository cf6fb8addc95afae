"""What a restored batch is judged by: the recipe's loss, and a perceptual one besides where the recipe asks for it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from unblemish.deconvolution.perceptual import PUBLISHED, PerceptualLoss
from unblemish.training.embeddings import DescriptorLoader, create_embedding
from unblemish.training.losses import LOSSES, Loss
from unblemish.training.recipe import Recipe


class Criterion:
    """L = L_c + lambda L_p (Golf Optimizer, Sec. 5.2), or L_c alone.

    Not a module, as it learns nothing.

    Args:
        content: L_c.
        perceptual: L_p.
        weight: lambda.
    """

    def __init__(self, content: Loss, perceptual: PerceptualLoss | None = None, weight: float = 0.0) -> None:
        self.content = content
        self.perceptual = perceptual
        self.weight = weight

    def __call__(self, output: Tensor, clean: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and what it is made of.

        Args:
            output: `(B, C, H, W)` float32, restored pictures, not clamped; gradients flow through.
            clean: `(B, C, H, W)` float32, [0, 1].

        Returns:
            Scalar to minimise; scalars to log: "content", which is L_c, and "perceptual", which is lambda L_p, where
            there is such a loss.

        Raises:
            NetworkError: The pictures are too small for the layers of the perceptual loss.
        """
        content = self.content(output, clean)
        if self.perceptual is None:
            return content, {"content": content}
        perceptual = self.weight * self.perceptual(output, clean)
        return content + perceptual, {"content": content, "perceptual": perceptual}

    def facts(self) -> dict[str, Any]:
        """What records must say besides the recipe, fit for JSON; nothing without a perceptual loss."""
        return {} if self.perceptual is None else {"perceptual": self.perceptual.facts()}


def create_criterion(recipe: Recipe, descriptor: DescriptorLoader) -> Criterion:
    """The criterion that a recipe asks for.

    Args:
        recipe: Its `task.loss` is L_c, its part `perceptual` says the rest.
        descriptor: Loads the network whose features are compared where there is no VGG; called only then.

    Raises:
        TrainingError: The recipe names layers that the embedding does not have.
        NetworkError: It asks for a VGG whose weights are not found.
    """
    content, part = LOSSES[recipe.task.loss], recipe.perceptual
    if part is None:
        return Criterion(content)
    embedding = create_embedding(part, PUBLISHED, descriptor, "perceptual")
    return Criterion(content, PerceptualLoss(embedding, part.reduction), part.weight)
