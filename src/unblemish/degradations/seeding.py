"""Seeds that depend on what is damaged, not on the order of the work."""

from __future__ import annotations

import hashlib

import torch


def picture_generator(seed: int, damage: str, name: str) -> torch.Generator:
    """A CPU generator for the damage of one picture, the same in every command.

    Args:
        seed: The user's.
        damage: Name of the degradation or chain.
        name: Of the picture: its path below the folder, with forward slashes.
    """
    digest = hashlib.sha256(f"{seed}:{damage}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
