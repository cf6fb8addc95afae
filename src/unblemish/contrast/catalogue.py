"""The contrastive losses by the name of their method in a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from unblemish.contrast import regularisation, self_prior
from unblemish.contrast.base import Contrast
from unblemish.contrast.curricular import CurricularContrast
from unblemish.contrast.negatives import AdaptiveNegatives, HistoryNegatives, NegativeModels
from unblemish.contrast.practical import PracticalContrast
from unblemish.contrast.regularisation import ContrastiveRegularisation
from unblemish.contrast.self_prior import SelfPriorNegative
from unblemish.networks.base import Network
from unblemish.networks.loading import load_described, load_weights
from unblemish.training.contrast_part import CcrPart, ContrastPart, CrPart, SpnPart
from unblemish.training.embeddings import DescriptorLoader, create_embedding
from unblemish.training.errors import TrainingError

Fresh = Callable[[], Network]
"""Makes a network of the kind that is trained, with random weights."""


def create(part: ContrastPart, network: Network, fresh: Fresh, descriptor: DescriptorLoader) -> Contrast:
    """The contrastive loss that a recipe asks for.

    Args:
        part: What the recipe says.
        network: What is trained, as it starts.
        fresh: Makes such a network with random weights, drawn from PyTorch's generator.
        descriptor: Loads the network whose features are compared where there is no VGG.

    Raises:
        TrainingError: The recipe names layers that the embedding does not have, or negatives of another enlargement.
        NetworkError: Weights of the VGG or of a negative are missing or do not fit.
    """
    if isinstance(part, SpnPart):
        embedding = create_embedding(part, self_prior.PUBLISHED, descriptor, "contrast")
        return SelfPriorNegative(embedding, _negatives(part, network, fresh), part.weight)
    embedding = create_embedding(part, regularisation.PUBLISHED, descriptor, "contrast")
    if isinstance(part, CrPart):
        return ContrastiveRegularisation(embedding, part.weight)
    if isinstance(part, CcrPart):
        networks = [load_described(negative.weights) for negative in part.negatives]
        for negative, loaded in zip(part.negatives, networks, strict=True):
            if loaded.scale != network.scale:
                raise TrainingError(
                    f"contrast.negatives: {negative.weights} enlarges {loaded.scale} times, the network that is "
                    f"trained {network.scale} times; give restorers of the same damage"
                )
        thresholds = [negative.psnr for negative in part.negatives]
        return CurricularContrast(embedding, NegativeModels(networks), thresholds, part.weight)
    return PracticalContrast(embedding, part.positives, part.negatives, part.weight)


def _negatives(part: SpnPart, network: Network, fresh: Fresh) -> NegativeModels:
    """The negative models of SPN."""
    dtype = torch.bfloat16 if part.negatives_dtype == "bfloat16" else torch.float32
    if part.negatives == "random":
        return NegativeModels([fresh()], dtype)
    if part.negatives == "pretrained":
        negative = fresh()
        load_weights(negative, part.pretrained or Path())
        return NegativeModels([negative], dtype)
    if part.adaptive is not None:
        return AdaptiveNegatives(
            network, fresh, threshold=part.adaptive, steps=part.steps, initial=part.initial, dtype=dtype
        )
    return HistoryNegatives(network, fresh, steps=part.steps, decay=part.decay, initial=part.initial, dtype=dtype)
