"""What parts of a recipe say of a frozen network whose features pictures are compared by; see `training.embeddings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unblemish.training.recipe_parts import Part

EmbeddingName = Literal["auto", "vgg11_bn", "vgg16", "vgg19", "descriptor"]
"""Networks whose features pictures are compared by."""


class EmbeddingPart(Part):
    """What pictures are compared by; shared by all losses on features."""

    embedding: EmbeddingName = Field(
        default="auto",
        description="auto takes the published VGG if its weights are found, else another VGG that has the layers, "
        "else the descriptor",
    )
    embedding_weights: Path | None = Field(
        default=None, description="file of the VGG; 'torchvision' for its published file; None looks for it"
    )
    layers: tuple[str, ...] | None = Field(
        default=None,
        description="relu1_2, pool5 and so on of a VGG, block2 and so on of the descriptor; None: published",
    )
    layer_weights: tuple[Annotated[float, Field(ge=0)], ...] | None = Field(
        default=None, description="one for each layer; None: published"
    )
    embedding_precision: Literal["as_trained", "float32"] = Field(
        default="as_trained", description="float32 computes features in full precision whatever the training's is"
    )

    @model_validator(mode="after")
    def _layers_are_weighed(self) -> Self:
        if (self.layers is None) != (self.layer_weights is None) or len(self.layers or ()) != len(
            self.layer_weights or ()
        ):
            raise ValueError("give layers and layer_weights together, one weight for each layer")
        if self.layers is not None and len(set(self.layers)) < max(1, len(self.layers)):
            raise ValueError("name at least one layer, and each once; leave layers out for the published ones")
        if self.embedding == "descriptor" and self.embedding_weights:
            raise ValueError("embedding_weights are those of a VGG; the descriptor's are in the bundle")
        return self
