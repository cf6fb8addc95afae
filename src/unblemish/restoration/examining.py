"""From a bundle to what examines pictures."""

from __future__ import annotations

from pathlib import Path

import torch

from unblemish.examination.errors import ExaminationError
from unblemish.examination.examination import Examination
from unblemish.examination.examiner import Examiner
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.knowledge import Knowledge
from unblemish.networks.base import Network
from unblemish.networks.srresnet import SRResNet
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.placement import choose_device, choose_precision


def load_examiner(bundle: Bundle | str | Path | None = None, device: str = "auto") -> Examiner:
    """The examiner of a bundle.

    Args:
        bundle: The bundle, its folder or its packed file; None takes the default one (see `Bundle.load`).
        device: "auto", "cpu", "cuda", "cuda:N" or "mps"; where the descriptor runs.

    Raises:
        UserError: The bundle has no examiner, or it is damaged.
    """
    loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    network = loaded.descriptor()
    return Examiner(describer(network, device), Knowledge.from_parts(*loaded.knowledge()))


def describer(network: Network, device: str = "auto") -> DeepRepresentation:
    """The features that examiners use, in the number type that is fast on the device.

    Raises:
        ExaminationError: The network cannot describe damage.
        UserError: The device is not there.
    """
    if not isinstance(network, SRResNet):
        raise ExaminationError(f"a {type(network).__name__} cannot describe damage: give an srresnet_x4 network")
    place = choose_device(device)
    dtype = choose_precision(place, "auto")
    return DeepRepresentation(network.to(place), "trunk", dtype if place.type == "cpu" else torch.float32)


def examine(source: Picture | Path | str | bytes, *, bundle: Bundle | str | Path | None = None) -> Examination:
    """Examines one picture. The examiner is loaded anew each time: for many pictures, keep an `Examiner`.

    Args:
        source: A picture, the path of a file, or the bytes of one.
        bundle: See `load_examiner`.

    Raises:
        UserError: The picture cannot be read, or the bundle has no examiner.
    """
    picture = source if isinstance(source, Picture) else read(source)
    return load_examiner(bundle).examine(picture)
