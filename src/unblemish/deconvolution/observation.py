"""What is known of a blurred picture: y = k * x wherever the kernel lies inside the scene, and nothing beyond.

The scene x is larger than the picture y by the kernel's radius on each side: its margin is unknown and is estimated
with the rest. So no border has to be invented that the blur does not agree with, which makes deconvolution ring.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.deconvolution.errors import DeconvolutionError


class Observation:
    """A batch of blurred pictures and their kernels: the data term 1/2 ||k * x - y||^2 of each.

    Convolutions are true ones (the kernel is turned by 180 degrees, a point of light becomes the kernel as it lies in
    its file), by Fourier transform over the scene: what wraps around stays outside the picture.

    Args:
        y: `(B, C, H, W)` float32 or float64, any device.
        kernel: `(K, L)` for all pictures or `(B, K, L)`, K and L odd, centred.

    Raises:
        DeconvolutionError: The kernel has an even side, has not one for each picture, or holds nothing.
    """

    def __init__(self, y: Tensor, kernel: Tensor) -> None:
        rows, columns = kernel.shape[-2:]
        if not rows % 2 or not columns % 2 or kernel.ndim not in (2, 3):
            raise DeconvolutionError(f"a kernel of {rows} x {columns} taps has no middle: give odd sides")
        if kernel.ndim == 3 and len(kernel) != len(y):
            raise DeconvolutionError(
                f"{len(kernel)} kernels do not go with {len(y)} pictures: give one, or one for each"
            )
        taps = kernel.to(y).expand(len(y), rows, columns)  # (B, K, L)
        if not bool(taps.isfinite().all()) or not bool(taps.abs().sum((1, 2)).all()):
            raise DeconvolutionError("a kernel is empty or holds numbers that are none: give another one")
        self.y = y
        self.margin = rows // 2, columns // 2
        self.lipschitz = float(taps.abs().sum((1, 2)).max()) ** 2
        self._scene = y.shape[-2] + rows - 1, y.shape[-1] + columns - 1
        self._size = _quick(self._scene[0]), _quick(self._scene[1])
        wrapped = F.pad(taps, (0, self._size[1] - columns, 0, self._size[0] - rows))
        wrapped = wrapped.roll((-self.margin[0], -self.margin[1]), (-2, -1))  # its middle at the origin
        self._transfer = torch.fft.rfft2(wrapped)[:, None]  # (B, 1, H', W' / 2 + 1)

    def start(self) -> Tensor:
        """The picture, its edge pixels repeated over the margin: `(B, C, H + K - 1, W + L - 1)`."""
        down, right = self.margin
        return F.pad(self.y, (right, right, down, down), mode="replicate")

    def picture(self, scene: Tensor) -> Tensor:
        """The part of a scene that the picture shows: `(B, C, H, W)`."""
        (down, right), (height, width) = self.margin, self.y.shape[-2:]
        return scene[..., down : down + height, right : right + width]

    def blur(self, scene: Tensor) -> Tensor:
        """Blurs: k * x where the kernel lies inside the scene: `(B, C, H + K - 1, W + L - 1)` to `(B, C, H, W)`."""
        return self.picture(self._filtered(scene, self._transfer))

    def gradient(self, residual: Tensor) -> Tensor:
        """Gradient of the data term at a scene, from its residual k * x - y.

        Args:
            residual: `(B, C, H, W)`.

        Returns:
            `(B, C, H + K - 1, W + L - 1)`: the residual correlated with the kernel.
        """
        down, right = self.margin
        return self._filtered(F.pad(residual, (right, right, down, down)), self._transfer.conj())

    def _filtered(self, scene: Tensor, transfer: Tensor) -> Tensor:
        """Zeros fill up to the transform's size; of no result used here does a tap reach them, or is it 0 there."""
        spectrum = torch.fft.rfft2(scene, s=self._size).mul_(transfer)
        height, width = self._scene
        return torch.fft.irfft2(spectrum, s=self._size)[..., :height, :width]


def _quick(length: int) -> int:
    """The next length with no prime factor above 5, whose Fourier transform is fast."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
