"""One picture, one call."""

from __future__ import annotations

from pathlib import Path

from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.restorer import Policy, Restorer


def restore(
    source: Picture | Path | str | bytes,
    *,
    bundle: Bundle | str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    memory: str | int | None = None,
    strength: float = 1.0,
    engine: str = "auto",
    network: str | Network | None = None,
    group: str | None = None,
    policy: Policy = "careful",
    iterations: int | None = None,
    tolerance: float | None = None,
) -> Picture:
    """Examines and restores one picture. Networks are loaded anew each time: for many, keep a `Restorer`.

    Args:
        source: A picture, the path of a file, or the bytes of one.
        bundle: See `Restorer`, as for all that follows.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "float32" or "bfloat16".
        memory: What tiles may take: bytes, or text such as "2GB".
        strength: From 0, the input, to 1, the network's result.
        engine: "auto" or a key of `engines.ENGINES`.
        network: Name of a network of the bundle, or a Network; without examination.
        group: Name of a group of the bundle; without examination.
        policy: "careful" leaves pictures with unknown damage as they are, "force" treats them too.
        iterations: Of a named network that iterates, such as a Golf Optimizer.
        tolerance: Stop iterating once a correction changes a tile by less than this share.

    Returns:
        The picture, restored or left alone as its notes say, to be saved with `write`.

    Raises:
        UserError: The picture cannot be read, or an argument is not possible here.
    """
    picture = source if isinstance(source, Picture) else read(source)
    restorer = Restorer(
        bundle,
        device=device,
        precision=precision,
        memory=memory,
        strength=strength,
        engine=engine,
        network=network,
        group=group,
        policy=policy,
        iterations=iterations,
        tolerance=tolerance,
    )
    return restorer.restore(picture)
