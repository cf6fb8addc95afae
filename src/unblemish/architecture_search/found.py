"""What a search found: the record of it, and the recipe that trains it from scratch.

Source: Gou et al., "CLEARER", NeurIPS 2020, Sec. 3.2 (the likeliest module of each column is kept) and Fig. 2 of its
supplement (the gap between the two weights of a column).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import torch
import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from unblemish.architecture_search.complexity import Complexity, total_cost
from unblemish.architecture_search.errors import SearchError
from unblemish.files import write_atomically
from unblemish.networks.catalogue import create
from unblemish.networks.multiscale import FUSION, PARALLEL, SEPARATOR, parse_architecture
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.recipe import Recipe, assign
from unblemish.training.recipe_parts import complaints

NETWORK = "multiscale"
"""The network of the catalogue that every architecture of the space is."""

TERM = "alpha/"
"""Start of the terms of a search's steps that are fusion weights; cell and column follow, from 1: "alpha/2.1"."""

_OF_THE_SUPERNET = ("columns", "in_place")
"""Options that the plain network does not have."""

Pair = tuple[float, float]
"""One number of a column's parallel module, one of its fusion module."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What modules cost, in the unit of `complexity.Complexity`.

    Attributes:
        kind: What is counted or measured.
        modules: Of both modules of each column, cell by cell.
        total: Of the modules that were chosen, summed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: Complexity
    modules: tuple[Pair, ...]
    total: float


@dataclass(frozen=True, slots=True)
class FoundArchitecture:
    """What a search found, and how sure it is.

    Attributes:
        architecture: Such as "FPPF/FFFF/PFFP".
        alphas: Weights of both modules of each column, cell by cell; each pair sums to 1.
        gap: Mean absolute difference of the pairs, 0 undecided and 1 decided (Fig. 2 of the paper's supplement).
        space: Options of the supernet.
        network: "name" and "options" of the plain network, as a recipe and the catalogue take them.
        parameters: Of the plain network.
        complexity: What its modules cost.
        step: Steps of the search that were done.
        steps: Steps of the whole search.
        seconds: That the search took.
        seed: Of the search.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    architecture: str
    alphas: tuple[Pair, ...]
    gap: float
    space: dict[str, Any]
    network: dict[str, Any]
    parameters: int
    complexity: Costs
    step: int
    steps: int
    seconds: float
    seed: int

    @classmethod
    def from_supernet(
        cls,
        supernet: MultiScaleSupernet,
        costs: Tensor,
        kind: Complexity,
        *,
        step: int,
        steps: int,
        seconds: float,
        seed: int,
    ) -> FoundArchitecture:
        """Keeps the likeliest module of each column.

        Args:
            supernet: As the search left it; not changed.
            costs: `(columns, 2)`, see `complexity.measure_costs`.
            kind: What `costs` are.
            step: Steps of the search that were done.
            steps: Steps of the whole search.
            seconds: That the search took.
            seed: Of the search.
        """
        architecture = supernet.architecture()
        shape = {
            "width": supernet.last.in_channels,
            "gray": supernet.planes == 1,
            "residual": supernet.residual,
            "fold": supernet.fold,
        }
        columns = SEPARATOR.join(str(len(cell)) for cell in parse_architecture(architecture))
        in_place = all(column.in_place for _, column in supernet.mixed())
        options = {"architecture": architecture, **shape}
        alphas = _pairs(supernet.alphas())
        with torch.device("meta"):  # neither memory nor random numbers
            parameters = create(NETWORK, options).parameter_count
        return cls(
            architecture=architecture,
            alphas=alphas,
            gap=mean_gap(alphas),
            space={"columns": columns, **shape, "in_place": in_place},
            network={"name": NETWORK, "options": options},
            parameters=parameters,
            complexity=Costs(kind, _pairs(costs), total_cost(costs, architecture)),
            step=step,
            steps=steps,
            seconds=seconds,
            seed=seed,
        )

    @classmethod
    def load(cls, path: Path) -> FoundArchitecture:
        """Reads what `save` wrote.

        Raises:
            SearchError: There is no such file, or it holds something else.
        """
        try:
            found = TypeAdapter(cls).validate_json(path.read_bytes())
            columns = sum(map(len, parse_architecture(found.architecture)))
        except OSError as error:
            raise SearchError(f"{path}: cannot be read ({error.strerror}); give what a search wrote") from error
        except ValidationError as error:
            raise SearchError(
                f"{path}: holds no found architecture ({complaints(error, 'file')}); give what a search wrote"
            ) from error
        except ValueError as error:
            raise SearchError(f"{path}: {error}") from error
        if {len(found.alphas), len(found.complexity.modules)} != {columns}:
            raise SearchError(
                f"{path}: {found.architecture} has {columns} columns, but there are {len(found.alphas)} pairs of "
                f"alphas and {len(found.complexity.modules)} of costs; give what a search wrote"
            )
        return found

    def fusion(self) -> dict[tuple[int, int], float]:
        """The fusion weights by cell and column from 1, from input to output."""
        letters = parse_architecture(self.architecture)
        places = [(cell, column) for cell, one in enumerate(letters, 1) for column in range(1, len(one) + 1)]
        return {place: fusion for place, (_, fusion) in zip(places, self.alphas, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return TypeAdapter(FoundArchitecture).dump_python(self, mode="json")

    def save(self, path: Path) -> None:
        """Writes JSON in one step; the folder is made where it is missing, an existing file is replaced.

        Raises:
            OSError: The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        write_atomically(path, text.encode())


def mean_gap(alphas: Iterable[Sequence[float]]) -> float:
    """Mean absolute difference of the weights of parallel and fusion module, over pairs of them (Fig. 2, supplement).

    Raises:
        ValueError: There is no pair.
    """
    return fmean(abs(parallel - fusion) for parallel, fusion in alphas)


def fusion_alphas(terms: Mapping[str, Any]) -> dict[tuple[int, int], float]:
    """The fusion weights among the terms of a step, by cell and column from 1, from input to output."""
    names = [name for name in terms if name.startswith(TERM)]
    places = {name: tuple(map(int, name.removeprefix(TERM).split("."))) for name in names}
    return {(places[name][0], places[name][1]): terms[name] for name in sorted(names, key=lambda name: places[name])}


def likeliest(fusion: Mapping[tuple[int, int], float]) -> str:
    """The architecture of fusion weights by cell and column from 1; P where both modules weigh the same."""
    cells: dict[int, str] = {}
    for cell, column in sorted(fusion):
        cells[cell] = cells.get(cell, "") + (FUSION if fusion[cell, column] > 0.5 else PARALLEL)
    return SEPARATOR.join(cells.values())


def training_recipe(recipe: Recipe, architecture: str) -> dict[str, Any]:
    """The recipe that trains an architecture from scratch, as plain data.

    It is the search's, with the plain network for the supernet, and then what `recipe.search.training` changes.

    Args:
        recipe: Of a search.
        architecture: Such as "FPPF/FFFF/PFFP".

    Raises:
        SearchError: The recipe is of no search, or the architecture is none.
        TrainingError: A key of `recipe.search.training` is not known or has a value that is not allowed.
    """
    if recipe.search is None:
        raise SearchError("the recipe has no part 'search'; give the recipe of the search")
    try:
        parse_architecture(architecture)
    except ValueError as error:
        raise SearchError(str(error)) from error
    content = recipe.model_dump(mode="json", exclude_none=True, exclude={"search"})
    kept = {key: value for key, value in recipe.network.options.items() if key not in _OF_THE_SUPERNET}
    content["purpose"] = f"{recipe.purpose}; {architecture} from scratch"
    content["network"] = {"name": NETWORK, "options": {"architecture": architecture, **kept}}
    for key, value in recipe.search.training.items():
        assign(content, key, value, f"search.training: '{key}'")
    return Recipe.parse(content, "the recipe with search.training").model_dump(mode="json", exclude_none=True)


def write_recipe(content: Mapping[str, Any], path: Path) -> None:
    """Writes a recipe as YAML in one step, with the command that trains it in the first line.

    Args:
        content: Such as of `training_recipe`.
        path: Its folder is made where it is missing; an existing file is replaced.

    Raises:
        OSError: The file cannot be written.
    """
    command = f"# Command:   unblemish train {shlex.quote(str(path))}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = command + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    write_atomically(path, text.encode())


def _pairs(values: Tensor) -> tuple[Pair, ...]:
    """Rows of `(columns, 2)`."""
    return tuple((float(parallel), float(fusion)) for parallel, fusion in values.detach().cpu().tolist())
