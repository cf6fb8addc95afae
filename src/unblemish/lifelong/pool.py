"""Generated patches that a discriminator is shown again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class GeneratedPool(nn.Module):
    """A history of generated patches (Shrivastava et al., CVPR 2017), as CycleGAN keeps it.

    Once it is full, a generated patch takes the place of an older one with probability 1/2, and that older one is
    shown in its stead. All that is drawn comes from PyTorch's global generator of the CPU; checkpoints keep the
    patches.

    Args:
        size: Patches kept; 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._kept: list[Tensor] = []

    @property
    def kept(self) -> int:
        """Number of patches kept so far."""
        return len(self._kept)

    @torch.no_grad()
    def forward(self, fakes: Tensor) -> Tensor:
        """What the discriminator is to be shown.

        Args:
            fakes: `(B, 3, H, W)`, of the same H, W and dtype in every call; kept as copies.

        Returns:
            The same shape, dtype and device, without gradients.
        """
        if not self.size:
            return fakes.detach()
        chances = torch.rand(len(fakes), device="cpu").tolist()
        places = torch.randint(self.size, (len(fakes),), device="cpu").tolist()
        shown = []
        for fake, chance, place in zip(
            fakes.clone(memory_format=torch.contiguous_format), chances, places, strict=True
        ):
            if len(self._kept) < self.size:
                self._kept.append(fake)
                shown.append(fake)
            elif chance < 0.5:
                shown.append(self._kept[place].to(fakes.device))
                self._kept[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)  # (B, 3, H, W)

    def get_extra_state(self) -> dict[str, Any]:
        """The patches, `(n, 3, H, W)`, for the checkpoint; None before the first."""
        return {"patches": torch.stack([one.cpu() for one in self._kept]) if self._kept else None}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes them back; no more of them than the pool has room for."""
        patches = state["patches"]
        self._kept = [] if patches is None else list(patches[: self.size])
