"""The two-pixel experiment: a classifier's gradient against a learnt gradient, as priors that sharpen a picture.

Source: Luo, Chen, Qian, "A Deep Optimization Approach for Image Deconvolution" (Golf Optimizer), Sec. 3.2, Fig. 4 and
the appendix "Gradient problems of priors" (Fig. 10 to 14, Tables 6 and 7).

A picture u has two pixels in [-1, 1]. It is sharp where u1 + u2 > 0, else blurry; the sharp picture u~ of a blurry u
is its mirror image at the line u1 + u2 = 0, (-u2, -u1). A prior p sharpens by one step u' = u - grad p(u).

Choices where the paper is silent. Only blurry pictures have a sharp one, so pairs are drawn with u blurry, uniformly
("blurry"); the mirror is defined for all u, so "square" draws u from the whole square. The classifier has to see both
kinds and is trained on the square. The 16,000 samples make 4,000 batches of 4, so each is seen once. "MSE" may be the
sum over both pixels, as ||u~ - u'||^2 reads, or their mean, which is half of it. "The logits" may be the blurry
class's alone or its lead over the other, see `READINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SAMPLES, TESTED, BATCH, RATE = 16_000, 1_000, 4, 1e-3
"""Of the paper: pictures trained and tested on, pictures a step, Adam's learning rate."""

Domain = Literal["blurry", "square"]
"""Where pictures are drawn from: the half below the line, or everywhere."""

Field = Callable[[Tensor], Tensor]
"""From pictures `(..., 2)` to a number `(...)` or a vector `(..., 2)` each."""

READINGS: Mapping[str, Field] = {
    "softmax": lambda logits: logits.softmax(-1)[..., 1],
    "logit": lambda logits: logits[..., 1],
    "logit_difference": lambda logits: logits[..., 1] - logits[..., 0],
}
"""What may be meant by the discriminative prior, by name: probability of "blurry", its logit, its log odds."""


@dataclass(frozen=True, slots=True)
class StepScore:
    """How near one step comes to the sharp pictures.

    Attributes:
        total: Mean over pictures of ||u~ - u'||^2, summed over both pixels.
        pixel: The same with the mean over both pixels: half of it.
        best_scale: What the step would have to be multiplied by to come nearest; 0 where there is no step.
        best_total: `total` of the step so multiplied.
    """

    total: float
    pixel: float
    best_scale: float
    best_total: float


def perceptron(seed: int) -> nn.Sequential:
    """The network of Tables 6 and 7, `(N, 2)` to `(N, 2)`: 12 + 40 + 36 + 8 = 96 parameters.

    The last layer has no bias, or it would have 10.

    Args:
        seed: Of PyTorch's default initial weights; the global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(),
            nn.Linear(4, 2, bias=False),
        )  # fmt: skip


def draw(count: int, domain: Domain, generator: torch.Generator) -> Tensor:
    """Pictures `(count, 2)` in [-1, 1], uniform on the domain."""
    u = 2 * torch.rand(count, 2, generator=generator) - 1  # (count, 2)
    if domain == "blurry":
        return torch.where(blurry(u)[:, None], u, reflected(u))
    return u


def blurry(u: Tensor) -> Tensor:
    """Whether u1 + u2 < 0, `(...)`, of pictures `(..., 2)`."""
    return u.sum(-1) < 0


def reflected(u: Tensor) -> Tensor:
    """u~, the mirror images (-u2, -u1), of pictures `(..., 2)`."""
    return -u.flip(-1)


def analytic_prior(u: Tensor) -> Tensor:
    """p*(u) = (u1 + u2)^2 / 2, `(...)`: one step of it is exactly the reflection."""
    return 0.5 * u.sum(-1).square()


def train_classifier(seed: int, samples: int = SAMPLES) -> nn.Sequential:
    """A network whose two logits are those of "sharp" and "blurry", trained with cross entropy on the square.

    Args:
        seed: Of initial weights and samples.
        samples: Pictures, each seen once.
    """
    network = perceptron(seed)
    u = draw(samples, "square", torch.Generator().manual_seed(seed))
    _fit(network, u, blurry(u).long(), F.cross_entropy)
    return network


def train_descent(seed: int, domain: Domain, samples: int = SAMPLES) -> nn.Sequential:
    """A network f that gives the step to the mirror image, trained by ||f(u) - (u~ - u)||^2: f is -grad p.

    Args:
        seed: Of initial weights and samples.
        domain: Where it is trained.
        samples: Pictures, each seen once.
    """
    network = perceptron(seed)
    u = draw(samples, domain, torch.Generator().manual_seed(seed))
    _fit(network, u, reflected(u) - u, lambda f, step: (f - step).square().sum(-1).mean())
    return network


def accuracy(classifier: nn.Module, u: Tensor) -> float:
    """Share of pictures `(N, 2)` that are told right."""
    with torch.no_grad():
        return (classifier(u).argmax(-1) == blurry(u)).float().mean().item()


def descent(prior: Field, u: Tensor) -> Tensor:
    """-grad p, `(..., 2)`, at pictures `(..., 2)`."""
    u = u.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(prior(u).sum(), u)
    return -gradient


def discriminative_prior(classifier: nn.Module, reading: str) -> Field:
    """What `READINGS` makes of a classifier's logits; high where pictures are blurry.

    Raises:
        KeyError: There is no such reading.
    """
    read = READINGS[reading]
    return lambda u: read(classifier(u))


def score_step(u: Tensor, step: Tensor) -> StepScore:
    """Scores u' = u + step against the mirror images of u; both `(N, 2)`."""
    wanted = reflected(u) - u
    energy = step.square().sum()
    scale = (step * wanted).sum() / energy if energy > 0 else energy
    total, best = ((wanted - by * step).square().sum(-1).mean().item() for by in (1.0, scale))
    return StepScore(total, total / 2, scale.item(), best)


def lengths_by_distance(u: Tensor, step: Tensor, bands: int = 4) -> list[float | None]:
    """Mean lengths of steps `(N, 2)` in bands of -(u1 + u2), which goes from 0, at the line, to 2, in the corner.

    Returns:
        One length a band, nearest first; None where a band has no picture. A step to the mirror image is sqrt(2) times
        -(u1 + u2) long.
    """
    length, depth = step.norm(dim=-1), -u.sum(-1)
    band = (depth / 2 * bands).floor()
    chosen = [length[band == number] for number in range(bands)]
    return [part.mean().item() if len(part) else None for part in chosen]


def square_grid(side: int) -> Tensor:
    """Pictures `(side, side, 2)` evenly over the square, edges included; entry (i, j) is (u1, u2) = (x_i, x_j)."""
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)


def integrated(gradient: Tensor) -> tuple[Tensor, float]:
    """The surface on `square_grid` whose differences come nearest to a gradient field, in the least-squares sense.

    Differences between neighbours shall be the mean of their gradients times their distance. The normal equations are
    Poisson's equation with free edges, which cosines diagonalise, so that it is solved exactly.

    Args:
        gradient: `(side, side, 2)`, side at least 2.

    Returns:
        The surface `(side, side)`, float64, with mean 0; and the share of the field that no surface has as its
        gradient, from 0 to 1: the root of the differences' remaining energy over their energy.
    """
    side = len(gradient)
    field = gradient.double() * 2 / (side - 1)
    wanted = [(field[1:, :, 0] + field[:-1, :, 0]) / 2, (field[:, 1:, 1] + field[:, :-1, 1]) / 2]
    source = F.pad(wanted[0], (0, 0, 1, 0)) - F.pad(wanted[0], (0, 0, 0, 1))  # (side, side)
    source = source + F.pad(wanted[1], (1, 0)) - F.pad(wanted[1], (0, 1))
    place = torch.arange(side, dtype=torch.float64)
    cosines = torch.cos(torch.pi / side * place[:, None] * (place + 0.5))  # (frequency, place)
    cosines = cosines / cosines.norm(dim=1, keepdim=True)
    eigenvalues = 2 - 2 * torch.cos(torch.pi / side * place)
    curvature = eigenvalues[:, None] + eigenvalues
    curvature[0, 0] = torch.inf  # the mean is free
    surface = cosines.T @ (cosines @ source @ cosines.T / curvature) @ cosines
    left = (wanted[0] - surface.diff(dim=0)).square().sum() + (wanted[1] - surface.diff(dim=1)).square().sum()
    energy = sum(part.square().sum() for part in wanted)
    return surface, (left / energy).sqrt().item()


def _fit(network: nn.Module, u: Tensor, target: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """One pass of Adam over the samples, in batches."""
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.9, 0.999))
    for inputs, wanted in zip(u.split(BATCH), target.split(BATCH), strict=True):
        optimiser.zero_grad()
        loss(network(inputs), wanted).backward()
        optimiser.step()
