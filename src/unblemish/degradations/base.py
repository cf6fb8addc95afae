"""The contract every degradation keeps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
"""One tensor a parameter, of shape (B,): entry i belongs to picture i. Lives on the CPU."""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """What one parameter of a degradation means.

    Attributes:
        default: Value used where a fixed degradation is wanted (tables, tests, `--with NAME`).
        low: Smallest value `sample` draws.
        high: Largest value `sample` draws; `low == high` means the parameter is not varied.
        unit: Unit in words, such as "pixels" or "of the range 0..255".
        meaning: One phrase for the help text.
        integer: Whether only whole numbers are meaningful.
        minimum: Smallest value that is accepted.
        maximum: Largest value that is accepted.
        choices: Words for the values 0, 1, 2, ... of a parameter that selects a variant; else empty.
    """

    default: float
    low: float
    high: float
    unit: str
    meaning: str
    integer: bool = False
    minimum: float = 0.0
    maximum: float = 1e6
    choices: tuple[str, ...] = ()

    def domain(self) -> str:
        """The accepted values in words, such as "a whole number from 1 to 100 (libjpeg quality)"."""
        if self.choices:
            return f"one of: {', '.join(self.choices)}"
        kind = "a whole number" if self.integer else "a number"
        return f"{kind} from {self.minimum:g} to {self.maximum:g} ({self.unit})"

    def value(self, given: float | str) -> float:
        """The number for a value given as a number or as one of the words of `choices`.

        Raises:
            ValueError: The value is out of the domain; the message says what is accepted.
        """
        try:
            number = float(self.choices.index(given) if given in self.choices else given)
        except ValueError:
            number = math.nan
        if not self.minimum <= number <= self.maximum or (self.integer and number != int(number)):
            raise ValueError(f"{given} is not allowed; give {self.domain()}")
        return number


def choice(words: tuple[str, ...], meaning: str) -> ParameterSpec:
    """The spec of a parameter that selects a variant by word; the first word is the default, never varied."""
    return ParameterSpec(0, 0, 0, "variant", meaning, integer=True, maximum=len(words) - 1, choices=words)


class Degradation(ABC):
    """A parameterised damage operator on batches of pictures.

    Pictures are `(B, 3, H, W)` float32 RGB in [0, 1] on any device; the result has the same shape, type,
    device and range. All randomness comes from the generator that is passed in, which lives on the CPU for
    `sample` and on the pictures' device for `apply`: equal generator states give equal results on equal
    devices. Parameters are drawn for each picture of the batch on its own. Operators hold no changing state
    and keep no gradient. The result is not rounded; `quantisation.quantise_8bit` does that where the damaged
    picture is to be a file.
    """

    name: str
    """The catalogue's key: lower case, words joined by underscores."""

    title: str
    """The name in tables and figures, as the field writes it."""

    specs: Mapping[str, ParameterSpec]
    """The scalar parameters a user can set, by name."""

    everywhere: bool = False
    """Whether it is in the light that a picture was taken in, so that no part of one can have it alone."""

    rest: str = ""
    """Of damage that is everywhere: what would be left of it were the scene itself dark or pale; "" for nothing."""

    def sample(self, batch: int, generator: torch.Generator) -> Parameters:
        """Draws parameters for `batch` pictures, uniformly within the published ranges.

        Args:
            batch: Number of pictures, at least 1.
            generator: CPU generator.

        Returns:
            One CPU float32 tensor of shape `(batch,)` for each entry of `specs`.
        """
        drawn: Parameters = {}
        for key, spec in self.specs.items():
            uniform = torch.rand(batch, generator=generator)
            if spec.integer:
                drawn[key] = torch.floor(spec.low + uniform * (spec.high - spec.low + 1)).clamp(max=spec.high)
            else:
                drawn[key] = spec.low + uniform * (spec.high - spec.low)
        return drawn

    def fixed(self, batch: int, **values: float | str) -> Parameters:
        """The same parameters for every picture: the defaults, with `values` in their place.

        Raises:
            ValueError: A name is not a parameter of this degradation, or a value is out of its domain.
        """
        unknown = sorted(set(values) - set(self.specs))
        if unknown:
            known = ", ".join(self.specs) or "none"
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}; its parameters are: {known}")
        chosen: Parameters = {}
        for key, spec in self.specs.items():
            try:
                chosen[key] = torch.full((batch,), spec.value(values.get(key, spec.default)))
            except ValueError as error:
                raise ValueError(f"{self.name}: {key}={error}") from None
        return chosen

    @torch.no_grad()
    def apply(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """Damages a batch; the input is left untouched.

        Args:
            clean: `(B, 3, H, W)`, float32, [0, 1].
            parameters: As `sample` or `fixed` returned them, for the same B.
            generator: On the device of `clean`; the noise of the operator is drawn from it.

        Returns:
            `(B, 3, H, W)`, float32, [0, 1], on the device of `clean`.

        Raises:
            ValueError: The pictures or the parameters break the contract above.
        """
        if clean.ndim != 4 or clean.shape[1] != 3 or clean.dtype != torch.float32:
            raise ValueError(f"{self.name} wants (B, 3, H, W) float32, not {tuple(clean.shape)} {clean.dtype}")
        checked = {key: self._checked(key, parameters, len(clean)) for key in self.specs}
        # Autocast would run the convolutions in bfloat16, coarser than the steps of an 8-bit picture.
        with torch.autocast(clean.device.type, enabled=False):
            return self.damage(clean, checked, generator).clamp(0.0, 1.0)

    def _checked(self, key: str, parameters: Parameters, batch: int) -> Tensor:
        """One parameter on the CPU, once its shape and domain are right."""
        if key not in parameters or parameters[key].shape != (batch,):
            raise ValueError(f"{self.name} wants the parameter {key} as a tensor of shape ({batch},)")
        values, spec = parameters[key].cpu(), self.specs[key]
        if not bool(((values >= spec.minimum) & (values <= spec.maximum)).all()):
            raise ValueError(f"{self.name}: {key}={values.tolist()} is not allowed; give {spec.domain()}")
        return values

    @abstractmethod
    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """What `apply` does, once the arguments are checked; the result need not be clamped.

        Must not change `clean` in place. `parameters` are on the CPU, see `per_picture`.
        """


def per_picture(values: Tensor, clean: Tensor) -> Tensor:
    """Parameter values on the pictures' device, to be broadcast over them.

    Args:
        values: `(B,)`, on the CPU.
        clean: `(B, 3, H, W)`.

    Returns:
        `(B, 1, 1, 1)`, dtype and device of `clean`.
    """
    return values.to(clean).reshape(-1, 1, 1, 1)  # (B, 1, 1, 1)
