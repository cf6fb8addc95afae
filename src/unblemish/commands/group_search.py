"""`unblemish group search`: which degradations should share a network, found by training."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unblemish.commands import options
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.grouping.comparison import Comparison
    from unblemish.grouping.problem import Group, Trial
    from unblemish.grouping.ranking import Ranking
    from unblemish.grouping.search import GroupingSearch
    from unblemish.grouping.trained_oracle import Backend, TrainedOracle


def search(
    recipe: Annotated[Path, typer.Argument(help="YAML file: the degradations to group, and how to train.")],
    overrides: options.Overrides = None,
    similarity: Annotated[
        Path, typer.Option(help="Distances between the degradations, from `unblemish group similarity`.")
    ] = Path("similarity.json"),
    threshold: Annotated[float, typer.Option(help="Largest loss in dB against a network of its own.")] = 0.7,
    budget: Annotated[int | None, typer.Option(min=1, help="Steps of each training; else the recipe's.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for the trainings; those found there are not repeated.")] = Path(
        "runs/groups"
    ),
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the result.")] = Path("grouping.json"),
    every: Annotated[
        bool, typer.Option("--all", help="Also find all other groupings of as few groups; takes more trainings.")
    ] = False,
    backend: Annotated[
        Literal["process", "ray"], typer.Option(help="One training after the other here, or several with Ray.")
    ] = "process",
    accelerator: options.Accelerator = "auto",
) -> None:
    """Divide a recipe's degradations into as few groups as possible that can share a network.

    Ctrl-C saves the training that runs; the same command goes on from there. Exit status 130 says so.
    """
    with needs_extra("train"):
        from unblemish.grouping.errors import SearchStoppedError
        from unblemish.grouping.trained_oracle import TrainedOracle
        from unblemish.restoration.methods import build_task
        from unblemish.training.recipe import Recipe

    started = time.monotonic()
    loaded = Recipe.load(recipe, overrides)
    ranking = load_ranking(similarity, loaded.degradations.names)
    steps = budget or loaded.steps
    oracle = TrainedOracle(
        loaded, steps, runs, backend=_backend(backend), accelerator=accelerator, build=build_task,
        on_training=lambda groups: _say(f"training {_titles(groups)} (networks so far: {len(oracle.trained)})"),
    )  # fmt: skip
    try:
        content, comparison = _find(ranking, oracle, threshold, every)
    except SearchStoppedError as stop:
        _say(str(stop))
        raise typer.Exit(130) from None
    content |= {"recipe": loaded.model_dump(mode="json"), "budget": steps, "distances": ranking.distances.tolist()}
    _write(output, content, loaded.seed, time.monotonic() - started)
    typer.echo(comparison.to_markdown(), nl=False)
    cost = content["trainings"]
    typer.echo(
        f"\nNetworks: {cost['search']} for the search ({cost['trained_now']} trained now, the mix included); every "
        f"group would be {cost['exhaustive']}, all pairs and the groups that TAG selects {cost['tag']}."
    )


def load_ranking(path: Path, names: Sequence[str]) -> Ranking:
    """The distances of the named degradations from a file of `unblemish group similarity`.

    Raises:
        UserError: The file cannot be read, is another one, or lacks a degradation.
    """
    import numpy as np

    from unblemish.grouping.errors import GroupingError
    from unblemish.grouping.ranking import Ranking

    try:
        matrix = json.loads(path.read_text(encoding="utf-8"))["matrix"]
        known, distances = [str(name) for name in matrix["names"]], np.array(matrix["distances"], np.float64)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); make it with `unblemish group similarity`"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: holds no distances; make it with `unblemish group similarity`") from error
    if missing := [name for name in names if name not in known]:
        raise UserError(f"{path}: has no distances of {', '.join(missing)}; measure them too")
    if distances.shape != (len(known), len(known)):
        raise GroupingError(f"{path}: {len(known)} names do not fit distances of shape {distances.shape}")
    rows = [known.index(name) for name in names]
    return Ranking(names, distances[np.ix_(rows, rows)])


def _find(ranking: Ranking, oracle: TrainedOracle, threshold: float, every: bool) -> tuple[dict[str, Any], Comparison]:
    """Searches, trains the mix to compare with, and gathers what is to be written."""
    from unblemish.grouping.network_selection import exhaustive_trainings
    from unblemish.grouping.problem import Problem
    from unblemish.grouping.search import search as find

    found = find(Problem(oracle, threshold, _say_trial), ranking)
    partitions = [[list(group) for group in partition] for partition in found.solutions()] if every else None
    comparison = _compare(found, oracle)
    tag = _select(ranking, len(found.first))
    content: dict[str, Any] = {
        "search": found.to_dict() | ({"all": partitions} if every else {}),
        "table": comparison.to_dict(),
        "tag": tag,
        "trainings": {
            "search": found.trainings,
            "all_questions": oracle.trainings,
            "trained_now": len(oracle.trained),
            "exhaustive": exhaustive_trainings(len(oracle.names)),
            "tag": tag["trainings"],
        },
    }
    return content, comparison


def _compare(found: GroupingSearch, oracle: TrainedOracle) -> Comparison:
    """Scores of the groups beside those of single-task networks and of the mix, which is trained if need be."""
    from unblemish.grouping.comparison import Comparison

    def arm(groups: Sequence[Group]) -> dict[str, float]:
        return {name: psnr for scores in oracle.scores(groups) for name, psnr in scores.items()}

    return Comparison(
        found.first,
        upper=arm([(name,) for name in oracle.names]),
        baseline=arm([oracle.names]),
        grouped=arm(found.first),
        protocol=oracle.protocol(),
    )


def _select(ranking: Ranking, budget: int) -> dict[str, Any]:
    """What TAG would choose if near degradations helped each other, and what it would cost to know better."""
    from unblemish.grouping.network_selection import select_networks, trainings

    chosen = select_networks(ranking.names, -ranking.distances, budget)
    return {
        "affinities": "minus the distances",
        "groups": [list(group) for group in chosen.groups],
        "serves": {name: list(group) for name, group in chosen.serves.items()},
        "trainings": trainings(len(ranking.names), chosen.groups),
    }


def _backend(word: str) -> Backend:
    if word == "ray":
        from unblemish.grouping.ray_backend import RayBackend

        return RayBackend()
    from unblemish.grouping.trained_oracle import InProcess

    return InProcess()


def _write(path: Path, content: dict[str, Any], seed: int, seconds: float) -> None:
    from unblemish.evaluation.provenance import provenance, write_result

    origin = provenance(["unblemish", *sys.argv[1:]], [seed], seconds)
    write_result(path, {"provenance": origin, **content})


def _say_trial(trial: Trial) -> None:
    verdict = "passes" if trial.passed else "fails"
    _say(f"{trial.stage}: {_titles([trial.group])} loses {trial.drop:.2f} dB at most, {verdict}")


def _titles(groups: Sequence[Group]) -> str:
    return "; ".join(" + ".join(group) for group in groups)


def _say(line: str) -> None:
    typer.echo(line, err=True)
