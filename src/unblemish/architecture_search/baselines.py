"""What a found architecture is compared with: other architectures of its space, trained alike.

Arms that name one architecture are one training. Random architectures are the baseline that a search must beat (Li and
Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from unblemish.architecture_search.errors import SearchError
from unblemish.networks.catalogue import create, defaults
from unblemish.networks.multiscale import FUSION, PARALLEL, SEPARATOR, parse_architecture
from unblemish.studies.study import Study
from unblemish.training.recipe import Recipe
from unblemish.training.search_part import SUPERNET, BaselinesPart, SearchPart

SEARCHED = "searched"
"""Role of the architecture that the search found."""

EXTREMES = {"all_parallel": PARALLEL, "all_fusion": FUSION}
"""Roles of the architectures of one module alone, with its letter."""

RANDOM = "random"
"""Start of the roles of architectures that are drawn."""

MOST = 64
"""Architectures of the largest space that is trained as a whole."""


@dataclass(frozen=True)
class Baselines:
    """Which architectures are trained, and what each of them is there for.

    Attributes:
        roles: Architecture by role: "searched", "all_parallel", "all_fusion", "random_1" and on, or, where the whole
            space is trained, the letters of each architecture. Several roles may have one architecture.
        exhaustive: Whether the roles are the whole space.
    """

    roles: dict[str, str]
    exhaustive: bool

    @property
    def arms(self) -> dict[str, str]:
        """Architecture by arm: what is trained, each architecture once.

        An architecture of several roles is the arm of the first one; in a whole space, that of its letters.
        """
        arms: dict[str, str] = {}
        for role, architecture in self._in_order():
            if architecture not in arms.values():
                arms[role] = architecture
        return arms

    def arm(self, role: str) -> str:
        """The arm that stands for a role."""
        return next(arm for arm, architecture in self.arms.items() if architecture == self.roles[role])

    def standing_for(self) -> dict[str, list[str]]:
        """The roles of each arm."""
        return {arm: [role for role in self.roles if self.roles[role] == one] for arm, one in self.arms.items()}

    def drawn(self) -> list[str]:
        """The arms that a random search would draw from: the random ones, or all of a whole space."""
        return [arm for arm in self.arms if self.exhaustive or arm.startswith(RANDOM)]

    def _in_order(self) -> list[tuple[str, str]]:
        """Roles that name arms first."""
        return sorted(self.roles.items(), key=lambda item: self.exhaustive and item[0] != arm_name(item[1]))


def baselines(architecture: str, part: BaselinesPart, seed: int) -> Baselines:
    """The architectures that a found one is compared with.

    Args:
        architecture: What the search found.
        part: How many of which kind.
        seed: Of the drawing. Architectures come in the same order whatever was found; what has a role is passed over.

    Raises:
        SearchError: The space has too few architectures, or too many to train all.
    """
    counts = [len(cell) for cell in parse_architecture(architecture)]
    check_baselines(counts, part)
    roles = {SEARCHED: architecture}
    if part.extremes or part.exhaustive:
        roles |= {role: SEPARATOR.join(letter * count for count in counts) for role, letter in EXTREMES.items()}
    if part.exhaustive:
        everything = [nth_architecture(counts, number) for number in range(2 ** sum(counts))]
        return Baselines(roles | {arm_name(one): one for one in everything}, exhaustive=True)
    for number, one in enumerate(_drawn(counts, seed, taken=set(roles.values()), wanted=part.random), start=1):
        roles[f"{RANDOM}_{number}"] = one
    return Baselines(roles, exhaustive=False)


def check_baselines(counts: Sequence[int], part: BaselinesPart) -> None:
    """Complains of what no found architecture could be compared with.

    Args:
        counts: Columns of each cell.
        part: What is wanted.

    Raises:
        SearchError: The space has too few architectures, or too many to train all, or a seed is named twice.
    """
    size = 2 ** sum(counts)
    if len(set(part.seeds)) < len(part.seeds):
        raise SearchError(f"search.baselines.seeds={list(part.seeds)} has a seed twice; name each once")
    if part.exhaustive:
        if size > MOST:
            raise SearchError(
                f"search.baselines.exhaustive would train all {size:,} architectures of the space, and at most {MOST} "
                "are trained; lower network.options.columns to six columns in all, or leave exhaustive out"
            )
        return
    left = size - 1 - len(EXTREMES) * part.extremes
    if part.random > left:
        raise SearchError(
            f"search.baselines.random={part.random} is more than the space of {size} architectures has besides the "
            f"others; lower it to {max(0, left)}, or set search.baselines.exhaustive=true"
        )


def columns_of(recipe: Recipe) -> list[int]:
    """The columns of each cell of a search's space.

    Raises:
        NetworkError: The supernet's options are not right.
    """
    with torch.device("meta"):  # neither memory nor random numbers
        create(SUPERNET, recipe.network.options)
    options = {**defaults(SUPERNET), **recipe.network.options}
    return [int(count) for count in str(options["columns"]).split(SEPARATOR)]


def nth_architecture(counts: Sequence[int], number: int) -> str:
    """An architecture by its number, 0 for nothing but parallel modules; the last column counts one.

    Args:
        counts: Columns of each cell.
        number: Below 2 to the number of all columns.
    """
    total = sum(counts)
    letters = "".join(FUSION if number >> (total - 1 - place) & 1 else PARALLEL for place in range(total))
    starts = [sum(counts[:cell]) for cell in range(len(counts))]
    return SEPARATOR.join(letters[start : start + count] for start, count in zip(starts, counts, strict=True))


def arm_name(architecture: str) -> str:
    """The letters of an architecture as an arm may be called, such as "PF-FP"."""
    return architecture.replace(SEPARATOR, "-")


def as_study(compared: Baselines, recipe: Path, search: SearchPart, purpose: str, protocols: tuple[str, ...]) -> Study:
    """A study of the arms, all with one recipe and one budget; the found architecture is the reference.

    Args:
        compared: The architectures.
        recipe: File of the recipe that trains the found one from scratch.
        search: Says with which seeds.
        purpose: Of the study.
        protocols: How pictures are compared.
    """
    return Study(
        purpose=purpose,
        recipe=recipe,
        seeds=search.baselines.seeds,
        reference=compared.arm(SEARCHED),
        arms={arm: {"network.options.architecture": one} for arm, one in compared.arms.items()},
        protocols=protocols,
    )


def _drawn(counts: Sequence[int], seed: int, *, taken: set[str], wanted: int) -> Iterator[str]:
    """Architectures drawn without repetition, none of them taken; as many as wanted."""
    generator = torch.Generator().manual_seed(seed)
    taken = set(taken)
    while wanted:
        number = int(torch.randint(2 ** sum(counts), (), generator=generator))
        architecture = nth_architecture(counts, number)
        if architecture not in taken:
            taken.add(architecture)
            wanted -= 1
            yield architecture
