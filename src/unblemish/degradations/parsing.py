"""Degradations written as text: "haze", "gaussian_noise:sigma=50", "jpeg:quality=20,subsampling=4:4:4"."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unblemish.degradations.base import Degradation, Parameters
from unblemish.degradations.blends import Chain
from unblemish.degradations.catalogue import create
from unblemish.degradations.errors import DegradationError


def parse(text: str) -> tuple[Degradation, dict[str, float]]:
    """Reads NAME or NAME:PARAMETER=VALUE,PARAMETER=VALUE.

    Args:
        text: A name of the catalogue; values are numbers, or words where the parameter selects a variant.

    Returns:
        The degradation, and the given values by parameter, fit for `Degradation.fixed`.

    Raises:
        DegradationError: The name, a parameter or a value is not known, not allowed, or not written as above.
    """
    name, colon, rest = text.strip().partition(":")
    degradation = create(name.strip())
    values: dict[str, float] = {}
    for part in rest.split(",") if colon else []:
        key, equals, written = (piece.strip() for piece in part.partition("="))
        known = ", ".join(degradation.specs)
        if not equals or not key:
            raise DegradationError(
                f"cannot read {part!r} in {text!r}; write {name}:PARAMETER=VALUE with a parameter of: {known}"
            )
        if key not in degradation.specs:
            raise DegradationError(f"{name} has no parameter {key!r}; its parameters are: {known}")
        if key in values:
            raise DegradationError(f"{text!r} gives {key} twice; keep one of them")
        try:
            values[key] = degradation.specs[key].value(written)
        except ValueError as error:
            raise DegradationError(f"{name}: {key}={error}") from None
    return degradation, values


def draw(degradation: Degradation, values: dict[str, float], batch: int, generator: torch.Generator) -> Parameters:
    """Parameters for `batch` pictures: those given, with defaults for the rest; drawn if none is given.

    Args:
        degradation: As `parse` returned it.
        values: As `parse` returned them.
        batch: Number of pictures.
        generator: On the CPU.
    """
    return degradation.fixed(batch, **values) if values else degradation.sample(batch, generator)


def parse_chain(texts: Sequence[str], before: Sequence[Degradation] = ()) -> tuple[Chain, dict[str, float]]:
    """Reads several degradations, to be applied in the given order.

    Args:
        texts: Each as for `parse`.
        before: What is applied before them, with default values; there is at least one degradation in all.

    Returns:
        The chain, and the given values by the chain's parameters, fit for `Chain.fixed`.

    Raises:
        DegradationError: As for `parse`, or there is no degradation.
    """
    if not texts and not before:
        raise DegradationError("no degradation is given; name at least one, such as gaussian_noise:sigma=50")
    parsed = [parse(text) for text in texts]
    values = {
        f"{position}.{key}": value
        for position, (_, own) in enumerate(parsed, start=1 + len(before))
        for key, value in own.items()
    }
    return Chain([*before, *(degradation for degradation, _ in parsed)]), values
