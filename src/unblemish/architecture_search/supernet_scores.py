"""What a supernet says of architectures before they are trained: the gain of each with the supernet's weights.

An architecture cut out of the supernet keeps its weights, but its features have other statistics than those of the
mixture. They are averaged anew first, see `training.statistics`, as one-shot searches do (Bender et al., "Understanding
and Simplifying One-Shot Architecture Search", ICML 2018); without that an architecture is judged by how near it is to
the mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch

from unblemish.evaluation.provenance import write_result
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.studies.records import file_digest, read_record
from unblemish.training.division import load_data
from unblemish.training.fit import FINAL
from unblemish.training.recipe import Recipe
from unblemish.training.statistics import average_statistics, statistics_batches
from unblemish.training.synthesis import Synthesis

RECALIBRATED, AS_SEARCHED = "supernet", "supernet_as_searched"
"""Gains with statistics of each architecture's own, and with those of the mixture."""


@torch.no_grad()
def supernet_scores(
    supernet: MultiScaleSupernet,
    architectures: Iterable[str],
    recipe: Recipe,
    device: torch.device,
    recalibrated: bool = True,
) -> dict[str, float]:
    """Validation gain of architectures with the weights of a supernet, in float32.

    All see the same batches and the held-out pictures of the search. PyTorch's global generators are set.

    Args:
        supernet: Not changed.
        architectures: Of its space.
        recipe: Of the search.
        device: Where to compute.
        recalibrated: Whether the statistics of each are averaged anew; else they are the mixture's.

    Returns:
        Mean gain over the damaged pictures, dB, by architecture; see `training.validation.Validation.score`.

    Raises:
        ValueError: An architecture is not of the space.
        TrainingError: The recipe's pictures cannot be used.
    """
    source, validation = load_data(recipe)
    batches = statistics_batches(recipe, source, Synthesis.of(recipe.degradations), device) if recalibrated else []
    found = {}
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for architecture in architectures:
            network = supernet.derive(architecture).to(device).eval()
            average_statistics(network, batches)
            found[architecture] = validation.score(network, device)["gain"]
    return found


def kept_scores(
    path: Path, search: Path, architectures: Iterable[str], compute: Callable[[bool], Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """`supernet_scores` with statistics averaged anew and without, computed once for a finished search.

    Args:
        path: File that keeps them.
        search: Folder of the search, whose weights the scores belong to.
        architectures: What must be there.
        compute: Scores all of them, given whether statistics are averaged anew.

    Returns:
        Gains by architecture under `RECALIBRATED` and `AS_SEARCHED`.

    Raises:
        TrainingError: The file is damaged, or the recipe's pictures cannot be used.
        OSError: The file cannot be written.
    """
    mark = file_digest(search / FINAL)
    known = read_record(path) or {}
    if known.get("search") != mark or not set(architectures) <= set(known.get(RECALIBRATED, ())):
        known = {"search": mark, RECALIBRATED: dict(compute(True)), AS_SEARCHED: dict(compute(False))}
        write_result(path, known)
    return {way: known[way] for way in (RECALIBRATED, AS_SEARCHED)}
