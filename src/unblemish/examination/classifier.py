"""A small calibrated classifier: standardised statistics, one hidden layer, several members, one temperature.

Members are trained by leaving out a fold of the pictures each. What a member says of its own fold is said of pictures
it never saw, and from that the temperature and every threshold follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MEMBERS = 4
HIDDEN = 128
STEPS = 3000
BATCH = 128
RATE = 4e-3
WEIGHT_DECAY = 1e-2
DROPOUT = 0.3
JITTER = 0.05
SMOOTHING = 0.02
FAR = 5.0
"""Standard deviations beyond which a statistic is taken for no further away."""

Loss = Callable[[Tensor, Tensor], Tensor]

_TENSORS = ("mean", "spread", "inner", "inner_bias", "outer", "outer_bias", "temperature")


@dataclass(frozen=True, slots=True)
class Classifier:
    """Members' weights, stacked.

    Attributes:
        mean: `(D,)` of the statistics it was fitted on.
        spread: `(D,)`, their standard deviation.
        inner: `(K, D, HIDDEN)` weights of the hidden layer of K members.
        inner_bias: `(K, 1, HIDDEN)`.
        outer: `(K, HIDDEN, C)` weights of the output.
        outer_bias: `(K, 1, C)`.
        temperature: Scalar; logits are divided by it. For regression 1.
    """

    mean: Tensor
    spread: Tensor
    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor
    temperature: Tensor

    def members(self, x: Tensor) -> Tensor:
        """`(N, D)` statistics to `(K, N, C)` outputs of each member."""
        standard = ((x - self.mean) / self.spread).clamp(-FAR, FAR)
        hidden = F.gelu(standard @ self.inner + self.inner_bias)  # (K, N, HIDDEN)
        return hidden @ self.outer + self.outer_bias

    def probabilities(self, x: Tensor) -> Tensor:
        """`(N, D)` statistics to `(N, C)` probabilities: the members' mean."""
        return (self.members(x) / self.temperature).softmax(-1).mean(0)

    def values(self, x: Tensor) -> Tensor:
        """`(N, D)` statistics to `(N, C)` regressed values: the members' mean."""
        return self.members(x).mean(0)

    def require_outputs(self, count: int) -> None:
        """Makes sure that tensors which came from a file fit together.

        Raises:
            ValueError: Shapes do not fit each other or `count` outputs, or a value is not finite.
        """
        members, size = len(self.inner), len(self.mean)
        fits = self.inner.shape == (members, size, HIDDEN) and self.outer.shape == (members, HIDDEN, count)
        if not fits or self.spread.shape != (size,):
            raise ValueError("tensors do not fit the kinds")
        finite = all(bool(value.isfinite().all()) for value in self.tensors("").values())
        if not finite or not bool((self.spread > 0).all()):
            raise ValueError("tensors are not finite")

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """For safetensors, under `prefix.`."""
        return {f"{prefix}.{name}": getattr(self, name) for name in _TENSORS}

    @classmethod
    def from_tensors(cls, stored: Mapping[str, Tensor], prefix: str) -> Classifier:
        """What `tensors` gave.

        Raises:
            KeyError: A tensor is missing.
        """
        return cls(**{name: stored[f"{prefix}.{name}"].float() for name in _TENSORS})


def fit_classifier(x: Tensor, classes: Tensor, folds: Tensor, count: int, seed: int = 0) -> tuple[Classifier, Tensor]:
    """Fits a classifier.

    Args:
        x: `(N, D)` statistics.
        classes: `(N,)`, 0..count - 1.
        folds: `(N,)`, 0..MEMBERS - 1; all statistics of one picture share a fold.
        count: C.
        seed: Of starting weights, order, dropout and jitter.

    Returns:
        The classifier, and `(N, C)` probabilities, for each row from the member that did not see it.
    """

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(outputs, target, label_smoothing=SMOOTHING)

    fitted, held_out = _fit(x, classes, folds, count, seed, loss)
    temperature = _temperature(held_out, classes)
    calibrated = Classifier(**{**fitted, "temperature": temperature})
    return calibrated, (held_out / temperature).softmax(-1)


def fit_regression(x: Tensor, values: Tensor, folds: Tensor, seed: int = 0) -> tuple[Classifier, Tensor]:
    """Fits a regression with the same machinery.

    Args:
        x: `(N, D)` statistics.
        values: `(N,)`.
        folds: As for `fit_classifier`.
        seed: As for `fit_classifier`.

    Returns:
        The regression, and `(N,)` values, for each row from the member that did not see it.
    """

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(outputs[:, 0], target)

    fitted, held_out = _fit(x, values, folds, 1, seed, loss)
    return Classifier(**fitted), held_out[:, 0]


def _fit(
    x: Tensor, target: Tensor, folds: Tensor, outputs: int, seed: int, loss: Loss
) -> tuple[dict[str, Tensor], Tensor]:
    """Trains the members; their stacked weights with temperature 1, and `(N, outputs)` of the rows they did not see."""
    mean, spread = x.mean(0), x.std(0, unbiased=False) + 1e-4
    standard = ((x - mean) / spread).clamp(-FAR, FAR)
    held_out = x.new_zeros(len(x), outputs)
    weights: list[list[Tensor]] = []
    for fold in range(MEMBERS):
        seen = folds != fold
        layers = _train(standard[seen], target[seen], outputs, seed + fold, loss)
        inner, inner_bias, outer, outer_bias = layers
        held_out[~seen] = F.gelu(standard[~seen] @ inner + inner_bias) @ outer + outer_bias
        weights.append(layers)
    stacked = {name: torch.stack(parts) for name, parts in zip(_TENSORS[2:6], zip(*weights, strict=True), strict=True)}
    return {"mean": mean, "spread": spread, **stacked, "temperature": torch.ones(())}, held_out


def _train(x: Tensor, target: Tensor, outputs: int, seed: int, loss: Loss) -> list[Tensor]:
    """One member: weights and biases of both layers, biases as rows."""
    draw = torch.Generator().manual_seed(seed)
    layers = [
        torch.randn(x.shape[1], HIDDEN, generator=draw) / x.shape[1] ** 0.5,
        torch.zeros(1, HIDDEN),
        torch.randn(HIDDEN, outputs, generator=draw) / HIDDEN**0.5,
        torch.zeros(1, outputs),
    ]
    for layer in layers:
        layer.requires_grad_()
    optimiser = torch.optim.AdamW(layers, RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,), generator=draw)
        jittered = x[rows] + JITTER * torch.randn(BATCH, x.shape[1], generator=draw)
        hidden = F.gelu(jittered @ layers[0] + layers[1])
        kept = torch.rand(hidden.shape, generator=draw) >= DROPOUT
        value = loss((hidden * kept / (1 - DROPOUT)) @ layers[2] + layers[3], target[rows])
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
    return [layer.detach() for layer in layers]


def _temperature(logits: Tensor, classes: Tensor) -> Tensor:
    """The scalar that makes held-out probabilities most likely (Guo et al., ICML 2017), from a fine grid."""
    grid = torch.logspace(-1, 1, 201)
    losses = [float(F.cross_entropy(logits / value, classes)) for value in grid]
    return grid[int(torch.tensor(losses).argmin())]
