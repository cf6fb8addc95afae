r"""Trains the Golf Optimizer's F on sharp and on blurry pictures in four orders, to see what it forgets (Fig. 5).

    python recipes/golf_forgetting.py data.folder=PHOTOS --runs runs/golf_forgetting -o results/golf_forgetting.json \
        --figure docs/images/golf_forgetting.png

Task 1 is to leave sharp pictures as they are, task 2 to sharpen blurry ones; `recipes/golf_forgetting.yaml` says how
both are learnt, and KEY=VALUE changes it. A task gets `steps` steps, with the same patches in every order of a seed.
Both at once get twice as many, with half of the patches blurry: all networks that learn task 2 see as many blurry ones.
Phases that are finished in the folder of --runs are not repeated, and one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from golf_forgetting_figure import save_figure

from unblemish.commands.console import TrainingProgress
from unblemish.errors import UserError
from unblemish.evaluation.curves import check_ending
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.restoration.methods import build_task
from unblemish.studies.records import standing
from unblemish.studies.runs import carry_out, finished
from unblemish.studies.study import StudyRun
from unblemish.training.fit import FINAL
from unblemish.training.recipe import Recipe

RECIPE = Path(__file__).with_suffix(".yaml")


class Phase(NamedTuple):
    """One training: share of sharp patches, steps in multiples of the recipe's, and the phase it goes on from."""

    sharp: float
    times: int = 1
    start: str | None = None


PHASES = {
    "sharp": Phase(1.0),
    "sharp_then_blurry": Phase(0.0, start="sharp"),
    "blurry": Phase(0.0),
    "blurry_then_sharp": Phase(1.0, start="blurry"),
    "both": Phase(0.5, times=2),
}
"""By name, each after the one it starts from."""

ORDERS = {
    "task 1, then task 2": ("sharp", "sharp_then_blurry"),
    "task 2 alone": ("blurry",),
    "task 2, then task 1": ("blurry", "blurry_then_sharp"),
    "both at once": ("both",),
}
"""The panels of Fig. 5, (a) to (d), as phases one after the other."""

OURS = ("seed", "network.start", "degradations.clean", "purpose")
"""Keys that phases set themselves."""

MEANING = {
    "sharp": "PSNR in dB of F(x) against x, for sharp x; 100 dB at most",
    "blurry": "PSNR of F(y) less that of y, in dB, for blurry y; both against the sharp picture",
    "after_first, after_last": "the two at the end of an order's first and last task, of each seed and in the mean",
    "input": "PSNR of y in dB",
    "training_seconds": "of all phases, also where this command found them finished",
    "kept": "after_last less after_first, in dB: below 0 for the first task is forgetting",
}


def plan(overrides: Sequence[str], seed: int, runs: Path) -> dict[str, StudyRun]:
    """The trainings of a seed by phase, in folders PHASE_seedN of `runs`.

    Raises:
        TrainingError: The recipe is not right with the overrides.
    """
    planned: dict[str, StudyRun] = {}
    steps = Recipe.load(RECIPE, list(overrides)).steps
    for name, phase in PHASES.items():
        own = {
            "purpose": f"golf forgetting [{name}, seed {seed}]",
            "seed": seed,
            "steps": steps * phase.times,
            "degradations.clean": phase.sharp,
            "network.start": str(planned[phase.start].folder / FINAL) if phase.start else None,
        }
        words = [*overrides, *(f"{key}={json.dumps(value)}" for key, value in own.items())]
        planned[name] = StudyRun(name, seed, Recipe.load(RECIPE, words), runs / f"{name}_seed{seed}")
    return planned


def train_all(planned: Mapping[str, StudyRun], command: Sequence[str]) -> float:
    """Carries out what is not finished.

    Returns:
        Seconds trained, those of earlier runs included.

    Raises:
        SystemExit: With status 130 where the user stopped it, after saving.
        UserError: Something cannot be trained.
    """
    seconds = 0.0
    for name, run in planned.items():
        sys.stderr.write(f"{name}, seed {run.seed}\n")
        progress = TrainingProgress("the same command goes on")
        if not carry_out(run, build_task, callbacks=[progress], command=command):
            raise SystemExit(130)
        record = finished(run)
        seconds += record["seconds"] if record else 0.0
    return seconds


def curve(phases: Sequence[StudyRun]) -> list[dict[str, float]]:
    """Validations of phases one after the other: "step" counted through, "phase" from 0, "sharp", "blurry", "input"."""
    points, done = [], 0
    for number, run in enumerate(phases):
        names = run.recipe.degradations.names
        points += [
            {
                "step": done + found["step"], "phase": number, "sharp": found["clean"], "blurry": found["gain"],
                "input": fmean(found[name] for name in names) - found["gain"],
            }
            for found in standing(run.folder / "journal.jsonl", "validation")
        ]  # fmt: skip
        done += run.recipe.steps
    return points


def ends(points: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Scores at the end of the first and of the last task, and what came of them in between."""
    first = [point for point in points if point["phase"] == 0][-1]
    scores = {
        name: {key: point[key] for key in ("sharp", "blurry")}
        for name, point in (("after_first", first), ("after_last", points[-1]))
    }
    kept = {key: scores["after_last"][key] - scores["after_first"][key] for key in ("sharp", "blurry")}
    return {**scores, "kept": kept, "input": {"psnr": first["input"]}}


def averaged(each: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The mean over seeds of what `ends` gives."""
    return {name: {key: fmean(one[name][key] for one in each) for key in values} for name, values in each[0].items()}


def summary(curves: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> dict[str, Any]:
    """Phases and `ends` of every order, of each seed and in the mean."""
    found = {}
    for order, seeds in curves.items():
        each = {seed: ends(points) for seed, points in seeds.items()}
        found[order] = {"phases": ORDERS[order], "mean": averaged(list(each.values())), "seeds": each}
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Trains, writes and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes to the recipe")
    parser.add_argument("--runs", type=Path, default=Path("runs/golf_forgetting"), help="folder of the trainings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG to draw the curves into")
    chosen = parser.parse_intermixed_args(words)
    if undone := [pair for pair in chosen.overrides if pair.partition("=")[0] in OURS]:
        parser.error(f"{', '.join(undone)}: is set for each phase; choose seeds with --seeds, and leave out the rest")
    if chosen.figure:
        check_ending(chosen.figure)
    began = time.monotonic()
    command = ["python", "recipes/golf_forgetting.py", *(words or sys.argv[1:])]
    curves: dict[str, dict[str, list[dict[str, float]]]] = {order: {} for order in ORDERS}
    seconds = 0.0
    for seed in chosen.seeds:
        planned = plan(chosen.overrides, seed, chosen.runs)
        seconds += train_all(planned, command)
        for order, phases in ORDERS.items():
            curves[order][str(seed)] = curve([planned[name] for name in phases])
    recipe = Recipe.load(RECIPE, chosen.overrides)
    budget = {
        "steps_a_task": recipe.steps,
        "blurry_patches": recipe.steps * recipe.batch,
        "both at once": "twice the steps, each patch blurry with probability 1/2",
    }
    origin = provenance(command, chosen.seeds, time.monotonic() - began)
    content = {
        "provenance": origin, "training_seconds": round(seconds, 1), "recipe": recipe.model_dump(mode="json"),
        "budget": budget, "meaning": MEANING, "orders": summary(curves), "curves": curves,
    }  # fmt: skip
    write_result(chosen.output, content)
    if chosen.figure:
        save_figure(curves, recipe.steps, chosen.figure)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
