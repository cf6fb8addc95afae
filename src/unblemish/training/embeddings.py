"""Embeddings: frozen networks whose features pictures are compared by.

All published losses use VGG. Where its weights are not at hand, the deep degradation features of the project's own
descriptor (GRIDS, Sec. 4.1) take their place; which it was stands in the records of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.errors import NetworkError
from unblemish.networks.srresnet import SLOPE, SRResNet
from unblemish.networks.vgg import VARIABLES, VggName, find_weights, layers_of, load_vgg
from unblemish.training.embedding_part import EmbeddingPart
from unblemish.training.errors import TrainingError

DescriptorLoader = Callable[[], Network]
"""Loads the descriptor; called only where it is wanted."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper compares pictures by.

    Attributes:
        network: Its VGG.
        layers: Names such as "relu1_2" with their weights.
        normalise: Whether ImageNet's mean and deviation are taken out of the pictures before.
        signed: Whether pictures are stretched from [0, 1] to [-1, 1] before.
    """

    network: VggName
    layers: Mapping[str, float]
    normalise: bool
    signed: bool = False


class Embedding:
    """Features of pictures by a frozen network, with a weight for each layer.

    Not a module: its weights are published ones, so they are not kept in checkpoints. It follows the pictures' device.

    Args:
        name: Of the network, for records.
        network: Maps pictures to a list of features; frozen, and kept in channels_last memory.
        layers: Names of the layers in the order of the list, with their weights.
        full_precision: Compute in float32 also under autocast.
        signed: Show the network pictures in [-1, 1] instead of [0, 1].
        facts: What else records say of the network, fit for JSON.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        layers: Mapping[str, float],
        *,
        full_precision: bool = False,
        signed: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        frozen = network.eval().requires_grad_(False)
        self._network = frozen.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._device = torch.device("cpu")
        self.name = name
        self.layers = dict(layers)
        self.full_precision = full_precision
        self.signed = signed
        self._facts = dict(facts or {})

    @property
    def facts(self) -> dict[str, Any]:
        """What records say of it, fit for JSON."""
        return {"network": self.name, "layers": self.layers, "full_precision": self.full_precision, **self._facts}

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """Features of each layer.

        Args:
            pictures: `(B, 3, H, W)` float32, white at 1; gradients flow through.

        Returns:
            A `(B, C, h, w)` for each layer.
        """
        if pictures.device != self._device:
            self._network.to(pictures.device)
            self._device = pictures.device
        pictures = (2 * pictures - 1 if self.signed else pictures).contiguous(memory_format=torch.channels_last)
        if self.full_precision:
            with torch.autocast(pictures.device.type, enabled=False):
                return self._network(pictures.float())
        return self._network(pictures)

    def distance(self, anchor: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Mean absolute difference of features in each layer.

        Args:
            anchor: `(B, C, h, w)` for each layer.
            others: `(N * B, C, h, w)` for each layer: N batches one after another.

        Returns:
            `(N, layers)` float32, not weighed.
        """
        found = []
        for one, many in zip(anchor, others, strict=True):
            parted = many.unflatten(0, (-1, len(one)))  # (N, B, C, h, w)
            found.append((one[None] - parted).abs().float().mean(dim=(1, 2, 3, 4)))  # (N,)
        return torch.stack(found, dim=1)

    def weighed(self, distances: Tensor) -> Tensor:
        """Sum over layers of `(..., layers)`, each times its weight: `(...,)`."""
        return (distances * distances.new_tensor(list(self.layers.values()))).sum(dim=-1)  # no matmul: autocast rounds


def vgg_embedding(published: Published, path: Path | None = None, *, full_precision: bool = False) -> Embedding:
    """A VGG after chosen layers.

    Args:
        published: Which VGG, layers, and how pictures are shown to it.
        path: Of the weights, as for `networks.vgg.load_vgg`.
        full_precision: As for `Embedding`.

    Raises:
        ValueError: A layer does not exist.
        NetworkError: There are no weights, or they do not fit.
    """
    network = load_vgg(published.network, list(published.layers), path, normalise=published.normalise)
    return Embedding(
        network.name,
        network,
        published.layers,
        full_precision=full_precision,
        signed=published.signed,
        facts={"normalised": network.normalise, "weights": network.digest}
        | ({"signed": True} if published.signed else {}),
    )


def descriptor_embedding(network: SRResNet, layers: Mapping[str, float], *, full_precision: bool = False) -> Embedding:
    """The residual trunk of a descriptor, which sees pictures at their own size; what comes after it is not run.

    Args:
        network: A descriptor.
        layers: "block1" and so on: after that residual block; with their weights.
        full_precision: As for `Embedding`.

    Raises:
        ValueError: The network has no such block.
    """
    known = {f"block{number}": number for number in range(1, len(network.body) + 1)}
    if unknown := [name for name in layers if name not in known]:
        raise ValueError(f"the descriptor has no {', '.join(unknown)}; choose from {', '.join(known)}")
    trunk = _Trunk(network, [known[name] for name in layers])
    return Embedding("descriptor", trunk, layers, full_precision=full_precision)


class _Trunk(nn.Module):
    """First convolution and residual blocks of an SRResNet, tapped after some of them."""

    def __init__(self, network: SRResNet, taps: Sequence[int]) -> None:
        super().__init__()
        self.first = network.conv_first
        self.blocks = nn.ModuleList(list(network.body)[: max(taps)])
        self.taps = tuple(taps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(B, 3, H, W)` to `(B, width, H, W)` for each tap."""
        x = F.leaky_relu(self.first(x), SLOPE)
        found: dict[int, Tensor] = {}
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            found[number] = x
        return [found[tap] for tap in self.taps]


def create_embedding(part: EmbeddingPart, published: Published, descriptor: DescriptorLoader, key: str) -> Embedding:
    """The embedding that a recipe asks for.

    Args:
        part: What the recipe says.
        published: What the loss has in its paper. "auto" takes another VGG that has the layers where only that is
            found; the recipe may name other layers; on the descriptor the same weights stand for blocks from the first
            to the last, evenly spread.
        descriptor: Loads the network that stands in where no VGG is found.
        key: Of the part in the recipe, for errors.

    Raises:
        TrainingError: The recipe names layers that the embedding does not have.
        NetworkError: It asks for a VGG whose weights are not found.
    """
    try:
        return _found(part, published, descriptor)
    except ValueError as error:
        raise TrainingError(f"{key}.layers: {error}") from error


def _found(part: EmbeddingPart, published: Published, descriptor: DescriptorLoader) -> Embedding:
    """`create_embedding`, with a ValueError for layers that do not exist."""
    named = dict(zip(part.layers, part.layer_weights or (), strict=True)) if part.layers else None
    full = part.embedding_precision == "float32"
    problems: list[NetworkError] = []
    layers = named or published.layers
    for name in _candidates(part, published.network, layers):
        wanted = replace(published, network=name, layers=layers)
        try:
            return vgg_embedding(wanted, part.embedding_weights, full_precision=full)
        except NetworkError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    network = descriptor()
    if not isinstance(network, SRResNet) or network.fold > 1:
        raise TrainingError(
            f"the bundle's descriptor has no blocks at the picture's own size; set {VARIABLES[published.network]}"
        )
    return descriptor_embedding(network, named or _spread(published.layers, len(network.body)), full_precision=full)


def _candidates(part: EmbeddingPart, published: VggName, layers: Collection[str]) -> tuple[VggName, ...]:
    """The VGGs to try: several where a file is given that may hold any; none where the descriptor is to be used."""
    if part.embedding == "descriptor":
        return ()
    if part.embedding != "auto":
        return (part.embedding,)
    others: list[VggName] = [name for name in VARIABLES if name != published and set(layers) <= set(layers_of(name))]
    candidates = (published, *others)
    found: list[VggName] = [name for name in candidates if find_weights(name)]
    return candidates if part.embedding_weights else tuple(found[:1])


def _spread(layers: Mapping[str, float], blocks: int) -> dict[str, float]:
    """The weights of published layers for as many blocks of a descriptor, the last one included.

    Where there are fewer blocks than layers, a block has the weights of several.
    """
    spread: dict[str, float] = {}
    for number, weight in enumerate(layers.values(), start=1):
        block = f"block{max(1, round(blocks * number / len(layers)))}"
        spread[block] = spread.get(block, 0.0) + weight
    return spread
