"""One growth, one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unblemish.errors import UserError
from unblemish.restoration.building_recipe import LICENCE
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.growable import find_growable
from unblemish.restoration.growing import grow as carry_out
from unblemish.restoration.growing import require_learnable
from unblemish.restoration.growth_recipe import (
    REPLAY_STEPS,
    STEPS,
    TOLERANCE,
    WARMUP,
    GrowthPlan,
    NewDamage,
    base_recipe,
    folders_of_pairs,
    write_default,
)
from unblemish.restoration.listening import SILENT, Listener


def grow(
    bundle: Bundle | str | Path,
    degradations: str | Sequence[str],
    out: str | Path,
    *,
    data: str | Path | None = None,
    pairs: tuple[str | Path, str | Path] | None = None,
    everywhere: bool = False,
    runs: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    steps: int | None = None,
    warmup: int = WARMUP,
    replay_steps: int = REPLAY_STEPS,
    tolerance: float = TOLERANCE,
    licence: str | None = None,
    accelerator: str = "auto",
    listener: Listener = SILENT,
) -> Bundle:
    """Teaches a bundle new damage, without pictures of what it knows, and without forgetting that.

    What was begun before with the same arguments goes on from its last checkpoint.

    Args:
        bundle: The bundle, its folder or its packed file, which is not changed.
        degradations: What is to be learnt, by the names of the catalogue; the first is the new group's name. With
            pairs one name that is not there.
        out: The grown bundle, one packed file; one that is there is replaced.
        data: Folder of clean photographs; some dozens at least.
        pairs: In place of `data` and made damage: folders of damaged and of clean pictures, side by side.
        everywhere: Whether the damage of pairs is never in a part of a picture, such as faded colours.
        runs: Folder for what the steps leave; None adds ".runs" to `out`.
        recipe: How to train, a YAML file of `lifelong.stage: grow`; None writes one into `runs`.
        overrides: Changes to the recipe, such as "lifelong.ratio=1e-4".
        steps: Of the joint training; None takes the recipe's.
        warmup: Steps before, in which new parts learn alone.
        replay_steps: Of the generator that lets the bundle grow again.
        tolerance: Decibels that old damage may lose.
        licence: Of what is learnt, for the cards; None says that it is unknown.
        accelerator: As of `training.run.train`.
        listener: Told of progress.

    Returns:
        The grown bundle.

    Raises:
        BuildStoppedError: The user ended a training, which is saved.
        GrowthRefusedError: Old damage would lose more than `tolerance`; nothing is written to `out`.
        UserError: The bundle cannot grow, or an argument or the pictures cannot be used.
    """
    damage = _damage(degradations, data, pairs, everywhere)
    growable, out = find_growable(bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)), Path(out)
    require_learnable(damage, growable, out)
    folder = Path(runs) if runs else out.with_name(f"{out.name}.runs")
    old = growable.write(folder / "old")
    if recipe is None:
        write_default(folder / "recipe.yaml", growable, old, damage, STEPS if steps is None else steps, warmup)
    joint = base_recipe(Path(recipe or folder / "recipe.yaml"), growable, old, damage, steps, overrides)
    plan = GrowthPlan(damage, joint, warmup, replay_steps, tolerance, licence or LICENCE, accelerator)
    return carry_out(plan, growable.bundle, out, folder, listener)


def _damage(
    names: str | Sequence[str],
    data: str | Path | None,
    pairs: tuple[str | Path, str | Path] | None,
    everywhere: bool,
) -> NewDamage:
    several = (names,) if isinstance(names, str) else tuple(names)
    if pairs and data is None:
        damaged, clean = pairs
        return NewDamage(several, *folders_of_pairs(Path(damaged), Path(clean)), everywhere)
    if everywhere:
        raise UserError("only of --pairs has to be said whether their damage is --everywhere: leave it out")
    if data and pairs is None:
        return NewDamage(several, Path(data))
    raise UserError("give either --data with clean photographs, or --pairs with damaged and clean ones")
