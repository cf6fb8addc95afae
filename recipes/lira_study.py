"""What `unblemish compare` wrote of one of LIRA's studies, as `lira_page.py` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import fmean
from typing import Any

from page_blocks import provenance_line

from unblemish.studies.result import Summary

Each = dict[int, float]
"""Numbers by seed."""

NONE = "–"
"""What stands where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a study; it may lack arms, seeds and scores.

    Attributes:
        path: Of the JSON.
        content: What it holds.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def look(cls, path: Path) -> Found | None:
        """The result, if it is there."""
        return cls(path, json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    @classmethod
    def load(cls, path: Path) -> Found:
        """The result.

        Raises:
            SystemExit: It is not there.
        """
        if found := cls.look(path):
            return found
        raise SystemExit(
            f"{path}: is missing; make it with the command at the top of recipes/studies/{path.stem}.yaml, or name "
            "the blocks that can be written without it"
        )

    @property
    def reference(self) -> str:
        """The arm that others are held against, finished or not."""
        return self.content["study"]["reference"]

    @property
    def arms(self) -> list[str]:
        """The arms that are trained, with at least one seed."""
        return self.content["order"]

    def recipe(self, arm: str) -> dict[str, Any]:
        """Of an arm's first seed."""
        return self.content["arms"][arm]["recipe"]

    def runs(self, arm: str) -> dict[int, dict[str, Any]]:
        """Records of an arm's trained runs by seed."""
        return {int(seed): run for seed, run in self.content["arms"][arm]["runs"].items()}

    def damages(self, task: int) -> list[str]:
        """What is scored under a task, from mild to severe, which is the order of the alphabet."""
        return [damage for damage, scored in sorted(self.content["study"]["scored"].items()) if scored == task]

    def key(self, damage: str, metric: str) -> str:
        """What the scores of a damage are kept under.

        Raises:
            SystemExit: No run is scored with it, or on several sets or under several protocols.
        """
        found = [key for key in self.content["input"] if key.split("/")[1] == damage and key.endswith(f"/{metric}")]
        if len(found) != 1:
            raise SystemExit(
                f"{self.path}: tables want one {metric} of {damage}, found {len(found)}; score the study on one set, "
                "under one protocol"
            )
        return found[0]

    def before(self, damage: str, metric: str) -> float:
        """The score of the damaged pictures themselves."""
        return self.content["input"][self.key(damage, metric)]

    def each(self, arm: str, damages: Sequence[str], metric: str) -> Each:
        """Mean score over some damages, of the seeds that are scored on all of them."""
        scores = [self.content["arms"][arm]["scores"].get(self.key(damage, metric)) for damage in damages]
        tables = [{int(seed): value for seed, value in (one or {"each": {}})["each"].items()} for one in scores]
        shared = sorted(set.intersection(*map(set, tables)))
        return {seed: fmean(table[seed] for table in tables) for seed in shared}

    def seconds(self, arm: str) -> Each:
        """Seconds of training, validations included."""
        return {seed: run["seconds"] for seed, run in self.runs(arm).items()}

    def parameters(self, arm: str) -> int:
        """Of an arm's network."""
        return next(iter(self.runs(arm).values()))["parameters"]

    def label(self, arm: str, title: str) -> str:
        """A title, with the seeds where an arm lacks some of the study's."""
        seeds = sorted(self.runs(arm))
        return title if seeds == self.content["study"]["seeds"] else f"{title} (seed {listed(seeds)})"

    def budget_text(self) -> str:
        """What every arm may learn from, and how it is scored, or else validated."""
        arm = self.content["arms"][self.reference if self.reference in self.arms else self.arms[0]]
        budget, facts = arm["budget"], next(iter(arm["runs"].values()))["facts"]
        unequal = [name for name in self.arms if self.content["arms"][name]["budget"] != budget]
        damage = dict.fromkeys(line.rpartition(": ")[2] for line in self.content["damage"])
        scored = [f"scored on {'; '.join(self.content['protocols'])}", f"damage {'; '.join(damage)}"]
        parts = [
            f"`recipes/studies/{self.path.stem}.yaml`: {budget['steps']:,} steps of {budget['batch']} patches of "
            f"{budget['data.patch']} pixels from {facts['pictures']} photographs",
            *([f"of another budget: {', '.join(unequal)}"] if unequal else []),
            f"means over seeds {listed(self.content['study']['seeds'])} ± sample standard deviation",
            *(scored if damage else [f"validated on {facts['protocol'].partition(':')[0]}"]),
        ]
        return "; ".join(parts) + "."

    def origin_text(self) -> str:
        """Where the result comes from, and what it lacks; seconds are those of all trainings."""
        runs = [run for arm in self.arms for run in self.runs(arm).values()]
        # The command itself only gathers what it finds finished.
        told = {**self.content["provenance"], "seconds": sum(run["seconds"] for run in runs)}
        revisions = dict.fromkeys((run["revision"] or {}).get("commit", "unknown")[:10] for run in runs)
        machines = dict.fromkeys(map(_machine, runs))
        parts = [
            provenance_line(self.path, told).strip(),
            f"Trained at revision {listed(revisions)} on {listed(machines)}.",
        ]
        for words, key in (("Not trained yet", "missing"), ("Not scored yet", "not_scored")):
            if self.content[key]:
                parts.append(f"{words}: {listed(self.content[key])}.")
        return " ".join(parts)


def origin(weights: str) -> tuple[str, str]:
    """The study and the arm that weights are of: runs/STUDY/ARM_seedN/final.safetensors."""
    folder = PurePath(weights).parent
    return folder.parent.name, folder.name.rpartition("_seed")[0]


def prepared(found: Found, arm: str) -> tuple[float, list[Found]]:
    """Mean seconds of experts, generators and an arm it goes on from, which others do not need, and what tells them.

    Of those whose studies have no result beside this one, nothing is known, and nothing counted.
    """
    part = found.recipe(arm)["lifelong"] or {}
    start = found.recipe(arm)["network"]["start"]
    weights = [*filter(None, [part.get("experts")]), *part.get("replay", [])]
    weights += [start] if start and origin(start)[0] == found.path.stem else []
    seconds, told = 0.0, []
    for study, name in map(origin, weights):
        one = Found.look(found.path.with_name(f"{study}.json"))
        if one and name in one.arms:
            seconds += fmean(one.seconds(name).values())
            told.append(one)
    return seconds, told


def pace(found: Found, arm: str) -> str:
    """Mean seconds of an arm's training, and those of what was trained for it before."""
    seconds, _ = prepared(found, arm)
    return f"{fmean(found.seconds(arm).values()):.0f}" + (f" + {seconds:.0f}" if seconds else "")


def origins(found: Found, others: Iterable[Found]) -> list[str]:
    """Where a table comes from, one paragraph a result."""
    told = {one.path: one for one in (found, *others)}
    told |= {one.path: one for arm in found.arms for one in prepared(found, arm)[1]}
    return [one.origin_text() for one in told.values()]


def difference(one: Each, other: Each) -> Each:
    """What seeds that both have differ by."""
    return {seed: value - other[seed] for seed, value in one.items() if seed in other}


def cell(each: Each, decimals: int, sign: str = "") -> str:
    """Mean ± sample standard deviation over the seeds; none of one seed."""
    summary = Summary.of(each)
    if summary is None:
        return NONE
    spread = "" if summary.spread is None else f" ± {summary.spread:.{decimals}f}"
    return f"{summary.mean:{sign}z.{decimals}f}{spread}"


def listed(words: Iterable[object]) -> str:
    """Words with commas."""
    return ", ".join(map(str, words))


def _machine(run: dict[str, Any]) -> str:
    hardware, threads = run["hardware"], run["hardware"]["threads"]
    device = hardware["gpu"] if str(run["facts"]["device"]).startswith("cuda") else hardware["cpu"]
    return f"{device} ({threads} thread{'s' * (threads != 1)})"
