r"""Scores what a grouping search trained on other photographs than it was decided on, in the tables of GRIDS.

    python recipes/compare_groupings.py RECIPE [KEY=VALUE ...] --runs FOLDER --pictures PHOTOS \
        --search results/grouping_NAME.json | --budget STEPS \
        [--experiments --similarity NAME=FILE ...] -o results/groups_NAME.json

RECIPE, changes and FOLDER are those of the search, STEPS those of each training where no search is given. Single-task
networks, the network of all degradations, the groups that the search found and those of the paper are scored on the
central part of PHOTOS (Table 1). With `--experiments` come the groups of Table 2(a), and for each similarity its most
and least similar group of three (Table 2(b)); the rank correlation of mean distance and largest drop is over all these
groups. What is not trained yet is trained with the same steps; an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unblemish.commands.group_search import load_ranking
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.grouping.candidate import Candidate, score
from unblemish.grouping.comparison import Comparison
from unblemish.grouping.problem import Group, Partition, canonical
from unblemish.grouping.published import GROUPS, PARTITION
from unblemish.grouping.ranking import Ranking
from unblemish.grouping.trained_oracle import TrainedOracle
from unblemish.restoration.trial import rank_correlation
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.fit import LAST
from unblemish.training.recipe import Recipe

SIZE = 3
"""Size of the groups that features are compared by, as in Table 2(b)."""


class Scores:
    """PSNR of candidates on pictures that no decision looked at; each is trained and scored once."""

    def __init__(self, oracle: TrainedOracle, recipe: Recipe, pictures: Path, crop: int) -> None:
        self._oracle = oracle
        content = recipe.model_dump(mode="json")
        content["validation"] |= {"folder": str(pictures), "pictures": 10**6, "crop": crop}
        self._recipe = Recipe.parse(content, "the recipe with other pictures")
        self._found: dict[Group, dict[str, float]] = {}
        self.protocol = ""

    def of(self, group: Group) -> dict[str, float]:
        """PSNR by member, dB."""
        group = canonical(group, self._oracle.names)
        if group not in self._found:
            self._oracle.scores([group])
            folder = self._oracle.folder(group)
            content = self._recipe.model_dump(mode="json")
            content["degradations"]["names"] = list(group)
            candidate = Candidate(Recipe.parse(content, "the recipe of a group"), folder)
            self._found[group], self.protocol = score(candidate, Checkpoint.load(folder / LAST))
            sys.stderr.write(f"{' + '.join(group)}\n")
        return self._found[group]

    def arm(self, groups: Iterable[Group]) -> dict[str, float]:
        """PSNR of each degradation in its group."""
        return {name: value for group in groups for name, value in self.of(group).items()}

    def upper(self, name: str) -> float:
        """PSNR of a degradation's own network."""
        return self.of((name,))[name]

    def drops(self, group: Group) -> dict[str, float]:
        """Loss of each member against its own network, dB."""
        return {name: self.upper(name) - value for name, value in self.of(group).items()}

    def table(self, partition: Partition) -> Comparison:
        """Table 1 for one partition."""
        names = self._oracle.names
        upper = {name: self.upper(name) for name in names}
        return Comparison(partition, upper, self.of(names), self.arm(partition), self.protocol)


def experiment(scores: Scores, title: str, group: Group, rankings: dict[str, Ranking]) -> dict[str, Any]:
    """What a group loses, with its mean distance in each similarity."""
    drops = scores.drops(group)
    return {
        "title": title,
        "group": list(drops),
        "distance": {name: ranking.mean_distance(tuple(drops)) for name, ranking in rankings.items()},
        "psnr": scores.of(group),
        "drops": drops,
        "largest_drop": max(drops.values()),
        "mean_drop": sum(drops.values()) / len(drops),
    }


def experiments(scores: Scores, rankings: dict[str, Ranking]) -> list[dict[str, Any]]:
    """Groups of higher and of lower similarity: the paper's, then those of each similarity."""
    rows = [
        experiment(scores, entry.source, entry.group, rankings)
        for entry in GROUPS
        if entry.source.startswith("Table 2(a)")
    ]
    for name, ranking in rankings.items():
        ranked = ranking.of_size(SIZE)
        rows.append(experiment(scores, f"{name}, most similar", ranked[0], rankings))
        rows.append(experiment(scores, f"{name}, least similar", ranked[-1], rankings))
    return rows


def correlations(rows: Sequence[dict[str, Any]], rankings: dict[str, Ranking]) -> dict[str, float]:
    """Spearman's correlation of mean distance and largest drop, for each similarity, over distinct groups."""
    distinct = list({tuple(row["group"]): row for row in rows}.values())
    drops = [row["largest_drop"] for row in distinct]
    return {name: rank_correlation([row["distance"][name] for row in distinct], drops) for name in rankings}


def main() -> None:
    """Reads the command line, scores, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--search", type=Path, help="what the search found")
    source.add_argument("--budget", type=int, help="steps of each training, where there is no search")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--similarity", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--crop", type=int, default=192, help="side of the central square that is scored, pixels")
    parser.add_argument("--experiments", action="store_true")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    recipe = Recipe.load(arguments.recipe, arguments.overrides)
    search = json.loads(arguments.search.read_text(encoding="utf-8")) if arguments.search else None
    budget = search["budget"] if search else arguments.budget
    oracle = TrainedOracle(recipe, budget, arguments.runs)
    files = dict(part.split("=", 1) for part in arguments.similarity)
    rankings = {name: load_ranking(Path(file), recipe.degradations.names) for name, file in files.items()}
    scores = Scores(oracle, recipe, arguments.pictures, arguments.crop)
    partitions: dict[str, Partition] = {"paper": PARTITION}
    if search:
        partitions["found"] = tuple(tuple(group) for group in search["table"]["partition"])
    content: dict[str, Any] = {
        "budget": budget,
        "parts": {name: scores.table(partition).to_dict() for name, partition in partitions.items()},
    }
    if arguments.experiments:
        rows = experiments(scores, rankings)
        groups = [group for partition in partitions.values() for group in partition if len(group) > 1]
        rows += [experiment(scores, "Table 1", group, rankings) for group in groups]
        content |= {"experiments": rows, "correlations": correlations(rows, rankings)}
    command = ["python", *sys.argv]
    write_result(
        arguments.output,
        {"provenance": provenance(command, [recipe.seed], time.monotonic() - began), **content},
    )


if __name__ == "__main__":
    main()
