"""VGG: features of pictures for losses and comparisons, not a restorer.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, Table 1,
columns A (11 layers), D (16) and E (19), without the classifier; A with batch normalisation after each convolution
(Ioffe and Szegedy, 2015), as torchvision adds it.

The weights do not ship. They come from a file the user names, from the file an environment variable names, or from
the file torchvision publishes, whose checksum is in its name. Weights carry torchvision's names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unblemish.networks.errors import NetworkError
from unblemish.networks.loading import FOREIGN, read_foreign, sha256

VggName = Literal["vgg11_bn", "vgg16", "vgg19"]
"""torchvision's names; the number counts the layers with weights, the three of the classifier included."""

VARIABLES: dict[VggName, str] = {
    "vgg11_bn": "UNBLEMISH_VGG11_BN",
    "vgg16": "UNBLEMISH_VGG16",
    "vgg19": "UNBLEMISH_VGG19",
}
"""Environment variables that name files with the features' weights."""

PUBLISHED: dict[VggName, str] = {
    "vgg11_bn": "vgg11_bn-6002323d.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
}
"""torchvision's files; what follows the dash is how the SHA-256 of the content begins."""

TORCHVISION = Path("torchvision")
"""Given in place of a path: torchvision's published file, from PyTorch's cache or fetched by torchvision."""

_WIDTHS = (64, 128, 256, 512, 512)
_CONVOLUTIONS: dict[VggName, tuple[int, ...]] = {
    "vgg11_bn": (1, 1, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
_BATCH_NORMALISED: tuple[VggName, ...] = ("vgg11_bn",)
_COUNTER = "num_batches_tracked"
"""What batch normalisation counts in training: of no use here, and not in every file."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the published weights expect to be taken out."""


class Vgg(nn.Module):
    """Features after chosen layers; those beyond the last of them are not built. Frozen, always in evaluation mode.

    Args:
        name: Which of the published networks.
        layers: Names such as "relu3_3", the activation after the third convolution of the third block, and "pool3",
            the maximum over 2 x 2 pixels that ends this block.
        normalise: Take ImageNet's mean and deviation out of the pictures, as the published weights expect.

    Attributes:
        digest: A name for the weights that `load_vgg` took, whatever file held them.

    Raises:
        ValueError: A layer does not exist, or none is given.
    """

    digest: str | None = None

    def __init__(self, name: VggName, layers: Sequence[str], *, normalise: bool = True) -> None:
        super().__init__()
        places = _places(name)
        unknown = [layer for layer in layers if layer not in places]
        if unknown or not layers:
            raise ValueError(
                f"{name.upper()} has no layer {', '.join(unknown) or 'to take'}; choose from {', '.join(places)}"
            )
        self.name: VggName = name
        self.layers = tuple(layers)
        self.normalise = normalise
        self.features = _body(name, max(places[layer] for layer in layers))
        self._taps = tuple(places[layer] for layer in layers)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode whatever `mode` is: batch normalisation keeps the published statistics."""
        return super().train(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features in the order of `layers`.

        Args:
            pictures: `(B, 3, H, W)` in [0, 1]; H and W at least 2^k, see below.

        Returns:
            For each layer `(B, C, H / 2^k, W / 2^k)`, k being the number of poolings up to it.

        Raises:
            NetworkError: The pictures are smaller.
        """
        least = 2 ** max(int(layer[4]) - layer.startswith("relu") for layer in self.layers)
        if min(pictures.shape[-2:]) < least:
            height, width = pictures.shape[-2:]
            raise NetworkError(
                f"{width} x {height} pixels are too few for the layers {', '.join(self.layers)} of "
                f"{self.name.upper()}, which need {least}; take larger patches, or layers before them"
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


def load_vgg(name: VggName, layers: Sequence[str], path: Path | None = None, *, normalise: bool = True) -> Vgg:
    """VGG with its published weights.

    Args:
        name: Which of the published networks.
        layers: As for `Vgg`.
        path: A safetensors file or PyTorch checkpoint with torchvision's keys; `TORCHVISION` for the published file;
            None for what the environment variable names, else the published file if PyTorch's cache has it.
        normalise: As for `Vgg`.

    Raises:
        NetworkError: There are no weights, or the file holds something else.
        ValueError: A layer does not exist.
    """
    network = Vgg(name, layers, normalise=normalise)
    found = _published(name) if path == TORCHVISION else path or find_weights(name)
    if found is None:
        raise NetworkError(
            f"no {name.upper()} weights are given; set {VARIABLES[name]} to {_wanted(network)}, such as torchvision's "
            f"{PUBLISHED[name]}"
        )
    weights = _read(found, network)
    if foreign := sorted(_indices(weights).difference(_weighted(name))):
        raise NetworkError(
            f"{found}: holds another network than {name.upper()}, which has no features.{foreign[0]}; "
            f"give {_wanted(network)}"
        )
    wanted = _needed(network)
    for key, value in wanted.items():
        if key not in weights or weights[key].shape != value.shape:
            raise NetworkError(f"{found}: {key} of shape {tuple(value.shape)} is missing; give {_wanted(network)}")
    network.load_state_dict({key: weights[key] for key in wanted}, strict=False)  # but for counters all are there
    network.digest = _digest(network)
    return network


def find_weights(name: VggName) -> Path | None:
    """The file the environment variable names, else torchvision's published one in PyTorch's cache, else None."""
    if named := os.environ.get(VARIABLES[name]):
        return Path(named)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[name]
    return cached if cached.is_file() else None


def layers_of(name: VggName) -> tuple[str, ...]:
    """Names of all layers that `Vgg` can take, from the first to the last."""
    return tuple(_places(name))


def _places(name: VggName) -> dict[str, int]:
    """Index in torchvision's `features` of every activation and pooling."""
    places: dict[str, int] = {}
    step = _step(name)
    place = 0
    for block, count in enumerate(_CONVOLUTIONS[name], start=1):
        for number in range(1, count + 1):
            place += step
            places[f"relu{block}_{number}"] = place - 1
        places[f"pool{block}"] = place
        place += 1
    return places


def _step(name: VggName) -> int:
    """Modules from one convolution of a block to the next: itself, normalisation if there is one, activation."""
    return 3 if name in _BATCH_NORMALISED else 2


def _weighted(name: VggName) -> set[int]:
    """Indices in torchvision's `features` of the modules with weights: those between activations and poolings."""
    activations = [place for layer, place in _places(name).items() if layer.startswith("relu")]
    return {place - back for place in activations for back in range(1, _step(name))}


def _digest(network: Vgg) -> str:
    """How the SHA-256 of the weights and statistics begins, in float32 and in order."""
    found = hashlib.sha256()
    for value in _needed(network).values():
        found.update(value.float().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _needed(network: Vgg) -> dict[str, Tensor]:
    """Weights and statistics that the features depend on."""
    return {key: value for key, value in network.state_dict().items() if not key.endswith(_COUNTER)}


def _indices(weights: Mapping[str, Tensor]) -> set[int]:
    """Indices in torchvision's `features` that a file has."""
    words = (key.split(".") for key in weights)
    return {int(word[1]) for word in words if word[0] == "features" and word[1].isdigit()}


def _body(name: VggName, last: int) -> nn.Sequential:
    """Convolutions with their normalisations, activations and poolings up to index `last`."""
    modules: list[nn.Module] = []
    entering = 3
    for width, count in zip(_WIDTHS, _CONVOLUTIONS[name], strict=True):
        for _ in range(count):
            modules.append(nn.Conv2d(entering, width, 3, padding=1))
            if name in _BATCH_NORMALISED:
                modules.append(nn.BatchNorm2d(width))
            modules.append(nn.ReLU())
            entering = width
        modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules[: last + 1])


def _read(path: Path, network: Vgg) -> dict[str, Tensor]:
    if not path.is_file():
        raise NetworkError(f"{path}: no such file; {network.name.upper()} weights must be {_wanted(network)}")
    if path.suffix in FOREIGN:
        if path.name == PUBLISHED[network.name] and not sha256(path).startswith(path.stem.partition("-")[2]):
            raise NetworkError(f"{path}: differs from the checksum in its name; fetch it again")
        return read_foreign(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NetworkError(f"{path}: cannot be read as safetensors ({error}); give {_wanted(network)}") from error


def _published(name: VggName) -> Path:
    """The published file in PyTorch's cache; fetched by torchvision, which checks it, where it is not there yet."""
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[name]
    if not cached.is_file():
        try:
            from torchvision.models import get_weight  # pyright: ignore[reportMissingImports]

            get_weight(f"{name.upper()}_Weights.IMAGENET1K_V1").get_state_dict(progress=False, check_hash=True)
        except Exception as error:  # no torchvision, one that does not fit this PyTorch, no connection, no space
            raise NetworkError(
                f"torchvision cannot fetch {cached.name} ({type(error).__name__}: {error}); put the file to {cached}, "
                f"or set {VARIABLES[name]} to it"
            ) from error
    return cached


def _wanted(network: Vgg) -> str:
    names = list(_needed(network))
    return f"a safetensors file or PyTorch checkpoint with torchvision's keys {names[0]} ... {names[-1]}"
