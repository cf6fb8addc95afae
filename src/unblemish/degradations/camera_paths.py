"""Paths of a camera during an exposure, and the point spread functions that they make.

The random path follows the idea of Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur"
(IEEE Transactions on Image Processing, 2012): a particle that keeps most of its velocity, is pushed at random, pulled
back to where it started, and now and then thrown back. The constants are this file's own, chosen by the look of the
kernels. Unlike the paper's, the particle changes its speed, so kernels are brighter where it lingers, as measured ones
are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from unblemish.degradations.base import Parameters, ParameterSpec, choice
from unblemish.degradations.filtering import normalised

PATHS = ("shake", "line")
"""Paths of the camera, by the value of the parameter `path`."""

EXTENT = ParameterSpec(
    15, 7, 31, "pixels", "side of the smallest upright square that holds the path", minimum=1, maximum=101
)
"""Spec of the parameter `extent` that `drawn_path` wants."""

PATH = choice(PATHS, "a random walk, or a straight line in a random direction")
"""Spec of the parameter `path` that `drawn_path` wants."""

_STEPS = 96
"""Of the random walk."""

_FAR = 8.0
"""Pixels of reach for each of which a step has one more pose: few enough that hasty paths leave no gaps."""

_KEPT, _PULL, _PUSH, _THROW = 0.95, 0.002, 0.25, 0.7
"""Of a step: share of the velocity that stays, pull to the start, largest push, and randomness of a throw."""

_THROWS = 0.03
"""Largest chance of a throw in a step."""


def random_walk(batch: int, axes: int, generator: torch.Generator) -> Tensor:
    """Paths of a hand that tries to hold still, some of them calmer than others.

    Args:
        batch: B.
        axes: Coordinates of a path.
        generator: Its device is that of the result.

    Returns:
        `(B, steps, axes)`, of arbitrary size and place.
    """
    device = generator.device

    def uniform() -> Tensor:
        return torch.rand(batch, 1, 1, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, axes, generator=generator, device=device)

    pushes = _PUSH * uniform() * normal(_STEPS)
    thrown = torch.rand(batch, _STEPS, 1, generator=generator, device=device) < _THROWS * uniform()
    throws = _THROW * normal(_STEPS)
    velocity = nn.functional.normalize(normal(), dim=1)
    places = [torch.zeros_like(velocity)]
    for step in range(1, _STEPS):
        velocity = _KEPT * velocity + pushes[:, step] - _PULL * places[-1]
        back = throws[:, step] * velocity.norm(dim=1, keepdim=True) - velocity
        velocity = torch.where(thrown[:, step], back, velocity)
        places.append(places[-1] + velocity)
    return torch.stack(places, 1)


def drawn_path(parameters: Parameters, axes: int, reach: float, generator: torch.Generator) -> Tensor:
    """A path for each picture, as its parameters want it, around its mean.

    Args:
        parameters: Hold `extent` and `path`, `(B,)` each.
        axes: 2 for (y, x); 3 for the roll as well.
        reach: Pixels that any point of a picture may travel: the farther, the more poses.
        generator: Its device is that of the result. Both kinds of path are drawn, so that a picture's kind changes no
            other picture.

    Returns:
        `(B, T, axes)`, T poses at equal intervals of time, each axis with the mean 0. y and x are in pixels; the roll's
        smallest and largest value differ by 1.
    """
    batch = len(parameters["extent"])
    walk = random_walk(batch, axes, generator)
    direction = torch.randn(batch, 1, axes, generator=generator, device=walk.device)
    line = direction * torch.linspace(-0.5, 0.5, _STEPS, device=walk.device)[:, None]
    straight = parameters["path"].to(walk.device)[:, None, None] == PATHS.index("line")
    path = torch.where(straight, line, walk).transpose(1, 2)  # (B, axes, steps)
    poses = (_STEPS - 1) * math.ceil(reach / _FAR) + 1
    path = nn.functional.interpolate(path, poses, mode="linear", align_corners=True)  # (B, axes, T)
    sides = path.amax(2) - path.amin(2)  # (B, axes)
    size = torch.cat([sides[:, :2].amax(1, keepdim=True).expand(-1, 2), sides[:, 2:]], 1)
    path = (path - path.mean(2, keepdim=True)) / size.clamp(min=1e-6)[:, :, None]
    # A pixel is a square of its own: a path within one of them has no length.
    path[:, :2] *= (parameters["extent"].to(path) - 1.0)[:, None, None]
    return path.transpose(1, 2)  # (B, T, axes)


def path_kernels(paths: Tensor, radius: int) -> Tensor:
    """Point spread functions of a point that moves along a path; every pose is shared among the four pixels around it.

    A product of matrices adds the shares up, as scattered addition is in no fixed order on a GPU.

    Args:
        paths: `(..., T, 2)`, offsets (y, x) from the kernel's centre in pixels, at most `radius` each.
        radius: Taps on each side of the centre.

    Returns:
        `(..., 2 * radius + 1, 2 * radius + 1)`; each sums to 1 and has its centroid where the path has its mean.
    """
    taps = torch.arange(-radius, radius + 1, device=paths.device, dtype=paths.dtype)
    shares = (1.0 - (paths[..., None] - taps).abs_()).clamp_(min=0.0)  # (..., T, 2, K)
    # Divided by the sum and not by T: where matrices are multiplied in TF32, the sum is not quite T.
    return normalised(shares[..., 0, :].transpose(-1, -2) @ shares[..., 1, :])


def radius_of(paths: Tensor) -> int:
    """The smallest radius of kernels that hold these offsets, any shape."""
    return math.ceil(float(paths.abs().max()))
