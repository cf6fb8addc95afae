"""VGG: features of pictures for losses and comparisons, not a restorer.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, Table 1,
columns D (16 layers) and E (19 layers), without the classifier.

The weights do not ship. They come from a file the user names, from the file an environment variable names, or from
the file torchvision publishes, whose checksum is in its name. Layers carry torchvision's names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unblemish.networks.errors import NetworkError
from unblemish.networks.loading import FOREIGN, read_foreign, sha256

Depth = Literal[16, 19]
"""How many layers with weights the published networks have, the three of the classifier included."""

VARIABLES: dict[Depth, str] = {16: "UNBLEMISH_VGG16", 19: "UNBLEMISH_VGG19"}
"""Environment variables that name files with the features' weights."""

PUBLISHED: dict[Depth, str] = {16: "vgg16-397923af.pth", 19: "vgg19-dcbb9e9d.pth"}
"""torchvision's files; what follows the dash is how the SHA-256 of the content begins."""

TORCHVISION = Path("torchvision")
"""Given in place of a path: torchvision's published file, from PyTorch's cache or fetched by torchvision."""

_WIDTHS = (64, 128, 256, 512, 512)
_CONVOLUTIONS: dict[Depth, tuple[int, ...]] = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the published weights expect to be taken out."""


class Vgg(nn.Module):
    """Features after chosen activations; layers beyond the last of them are not built. Frozen, in evaluation mode.

    Args:
        depth: 16 or 19.
        layers: Names such as "relu3_3": the activation after the third convolution of the third block.
        normalise: Take ImageNet's mean and deviation out of the pictures, as the published weights expect.

    Attributes:
        digest: A name for the weights that `load_vgg` took, whatever file held them.

    Raises:
        ValueError: A layer does not exist, or none is given.
    """

    digest: str | None = None

    def __init__(self, depth: Depth, layers: Sequence[str], *, normalise: bool = True) -> None:
        super().__init__()
        places = _places(depth)
        unknown = [name for name in layers if name not in places]
        if unknown or not layers:
            raise ValueError(
                f"VGG{depth} has no layer {', '.join(unknown) or 'to take'}; choose from {', '.join(places)}"
            )
        self.depth: Depth = depth
        self.layers = tuple(layers)
        self.normalise = normalise
        self.features = _body(depth, max(places[name] for name in layers))
        self._taps = tuple(places[name] for name in layers)
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features in the order of `layers`.

        Args:
            pictures: `(B, 3, H, W)` in [0, 1]; H and W at least 2 for every pooling before the last layer.

        Returns:
            For each layer `(B, C, H / 2^k, W / 2^k)`, k being the number of poolings before it.

        Raises:
            NetworkError: The pictures are smaller.
        """
        least = 2 ** (max(int(name[4]) for name in self.layers) - 1)
        if min(pictures.shape[-2:]) < least:
            height, width = pictures.shape[-2:]
            raise NetworkError(
                f"{width} x {height} pixels are too few for the layers {', '.join(self.layers)} of VGG{self.depth}, "
                f"which need {least}; take larger patches, or layers before them"
            )
        if self.normalise:
            mean, deviation = (pictures.new_tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))
            pictures = (pictures - mean) / deviation
        x = pictures.to(self._dtype)
        found: dict[int, Tensor] = {}
        for place, module in enumerate(self.features):
            x = module(x)
            if place in self._taps:
                found[place] = x
        return [found[place] for place in self._taps]

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.features.parameters()).dtype


def load_vgg(depth: Depth, layers: Sequence[str], path: Path | None = None, *, normalise: bool = True) -> Vgg:
    """VGG with its published weights.

    Args:
        depth: 16 or 19.
        layers: As for `Vgg`.
        path: A safetensors file or PyTorch checkpoint with torchvision's keys; `TORCHVISION` for the published file;
            None for what the environment variable names, else the published file if PyTorch's cache has it.
        normalise: As for `Vgg`.

    Raises:
        NetworkError: There are no weights, or the file holds something else.
        ValueError: A layer does not exist.
    """
    network = Vgg(depth, layers, normalise=normalise)
    found = _published(depth) if path == TORCHVISION else path or find_weights(depth)
    if found is None:
        raise NetworkError(
            f"no VGG{depth} weights are given; set {VARIABLES[depth]} to {_wanted(network)}, such as torchvision's "
            f"{PUBLISHED[depth]}"
        )
    weights = _read(found, network, depth)
    if foreign := sorted(_indices(weights).difference(_convolutions(depth))):
        raise NetworkError(
            f"{found}: holds another network than VGG{depth}, which has no features.{foreign[0]}; "
            f"give {_wanted(network)}"
        )
    wanted = network.state_dict()
    for key, value in wanted.items():
        if key not in weights or weights[key].shape != value.shape:
            raise NetworkError(f"{found}: {key} of shape {tuple(value.shape)} is missing; give {_wanted(network)}")
    network.load_state_dict({key: weights[key] for key in wanted})
    network.digest = _digest(network)
    return network


def find_weights(depth: Depth) -> Path | None:
    """The file the environment variable names, else torchvision's published one in PyTorch's cache, else None."""
    if named := os.environ.get(VARIABLES[depth]):
        return Path(named)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[depth]
    return cached if cached.is_file() else None


def _places(depth: Depth) -> dict[str, int]:
    """Index in torchvision's `features` of every activation."""
    places: dict[str, int] = {}
    place = 0
    for block, count in enumerate(_CONVOLUTIONS[depth], start=1):
        for number in range(1, count + 1):
            places[f"relu{block}_{number}"] = place + 1
            place += 2
        place += 1  # the pooling
    return places


def _digest(network: Vgg) -> str:
    """How the SHA-256 of the weights begins, in float32 and in order."""
    found = hashlib.sha256()
    for value in network.state_dict().values():
        found.update(value.float().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _convolutions(depth: Depth) -> set[int]:
    """Indices in torchvision's `features` of the convolutions."""
    return {place - 1 for place in _places(depth).values()}


def _indices(weights: Mapping[str, Tensor]) -> set[int]:
    """Indices in torchvision's `features` that a file has."""
    words = (key.split(".") for key in weights)
    return {int(word[1]) for word in words if word[0] == "features" and word[1].isdigit()}


def _body(depth: Depth, last: int) -> nn.Sequential:
    """Convolutions, activations and poolings up to index `last`."""
    modules: list[nn.Module] = []
    entering = 3
    for width, count in zip(_WIDTHS, _CONVOLUTIONS[depth], strict=True):
        for _ in range(count):
            modules += [nn.Conv2d(entering, width, 3, padding=1), nn.ReLU()]
            entering = width
        modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules[: last + 1])


def _read(path: Path, network: Vgg, depth: Depth) -> dict[str, Tensor]:
    if not path.is_file():
        raise NetworkError(f"{path}: no such file; VGG{depth} weights must be {_wanted(network)}")
    if path.suffix in FOREIGN:
        if path.name == PUBLISHED[depth] and not sha256(path).startswith(path.stem.partition("-")[2]):
            raise NetworkError(f"{path}: differs from the checksum in its name; fetch it again")
        return read_foreign(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NetworkError(f"{path}: cannot be read as safetensors ({error}); give {_wanted(network)}") from error


def _published(depth: Depth) -> Path:
    """The published file in PyTorch's cache; fetched by torchvision, which checks it, where it is not there yet."""
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[depth]
    if not cached.is_file():
        try:
            from torchvision.models import get_weight  # pyright: ignore[reportMissingImports]

            get_weight(f"VGG{depth}_Weights.IMAGENET1K_V1").get_state_dict(progress=False, check_hash=True)
        except Exception as error:  # no torchvision, one that does not fit this PyTorch, no connection, no space
            raise NetworkError(
                f"torchvision cannot fetch {cached.name} ({type(error).__name__}: {error}); put the file to {cached}, "
                f"or set {VARIABLES[depth]} to it"
            ) from error
    return cached


def _wanted(network: Vgg) -> str:
    names = [key for key in network.state_dict() if key.startswith("features")]
    return f"a safetensors file or PyTorch checkpoint with torchvision's keys {names[0]} ... {names[-1]}"
