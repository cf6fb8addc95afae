"""What a supernet says of architectures before they are trained: the gain of each with the supernet's weights.

An architecture cut out of the supernet keeps its weights, but its features have other statistics than the mixture that
the running averages of its normalisations come from. They are averaged anew on batches of training patches first, as
one-shot searches do (Bender et al., "Understanding and Simplifying One-Shot Architecture Search", ICML 2018); without
that an architecture is judged by how near it is to the mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from unblemish.evaluation.provenance import write_result
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.studies.records import file_digest, read_record
from unblemish.training.data import PatchSource
from unblemish.training.division import load_data
from unblemish.training.fit import FINAL, draw_batch, step_seed
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis

BATCHES = 20
"""Batches that statistics are averaged over."""

RECALIBRATED, AS_SEARCHED = "supernet", "supernet_as_searched"
"""Gains with statistics of each architecture's own, and with those of the mixture."""


@torch.no_grad()
def supernet_scores(
    supernet: MultiScaleSupernet,
    architectures: Iterable[str],
    recipe: Recipe,
    device: torch.device,
    batches: int = BATCHES,
) -> dict[str, float]:
    """Validation gain of architectures with the weights of a supernet, in float32.

    All see the same batches and the held-out pictures of the search. PyTorch's global generators are set.

    Args:
        supernet: Not changed.
        architectures: Of its space.
        recipe: Of the search.
        device: Where to compute.
        batches: Over which the statistics of each are averaged anew; 0 keeps those of the mixture.

    Returns:
        Mean gain over the damaged pictures, dB, by architecture; see `training.validation.Validation.score`.

    Raises:
        ValueError: An architecture is not of the space.
        TrainingError: The recipe's pictures cannot be used.
    """
    source, validation = load_data(recipe)
    patches = _patches(recipe, source, device, batches)
    found = {}
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for architecture in architectures:
            network = supernet.derive(architecture).to(device)
            recalibrate(network, patches)
            found[architecture] = validation.score(network, device)["gain"]
    return found


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Sequence[Tensor]) -> None:
    """Replaces the running statistics of all batch normalisations by their plain averages over batches.

    Args:
        network: Changed in place, and left in evaluation mode.
        batches: `(B, C, H, W)` each, on the network's device; statistics stay as they are where there is none.
    """
    network.eval()
    normalisations = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not batches:
        return
    momenta = [one.momentum for one in normalisations]
    for one in normalisations:
        one.reset_running_stats()
        one.momentum = None  # a plain average over all batches
        one.train()
    for batch in batches:
        network(batch)
    for one, momentum in zip(normalisations, momenta, strict=True):
        one.momentum = momentum
    network.eval()


def _patches(recipe: Recipe, source: PatchSource, device: torch.device, count: int) -> list[Tensor]:
    """Damaged batches that no step of the search has seen, `(B, C, patch, patch)`."""
    synthesis = Synthesis.of(recipe.degradations)
    seeds = [step_seed(recipe.seed, "recalibration", number) for number in range(count)]
    return [draw_batch(recipe, source, synthesis, seed, device).degraded for seed in seeds]


def kept_scores(
    path: Path, search: Path, architectures: Iterable[str], compute: Callable[[int], Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """`supernet_scores` with statistics averaged anew and without, computed once for a finished search.

    Args:
        path: File that keeps them.
        search: Folder of the search, whose weights the scores belong to.
        architectures: What must be there.
        compute: Scores all of them, given the batches.

    Returns:
        Gains by architecture under `RECALIBRATED` and `AS_SEARCHED`.

    Raises:
        TrainingError: The file is damaged, or the recipe's pictures cannot be used.
        OSError: The file cannot be written.
    """
    mark = file_digest(search / FINAL)
    known = read_record(path) or {}
    if known.get("search") != mark or not set(architectures) <= set(known.get(RECALIBRATED, ())):
        known = {"search": mark, "batches": BATCHES}
        known |= {RECALIBRATED: dict(compute(BATCHES)), AS_SEARCHED: dict(compute(0))}
        write_result(path, known)
    return {way: known[way] for way in (RECALIBRATED, AS_SEARCHED)}
