"""Teaches a bundle damage that it does not know, and restores a picture that has it.

    python examples/learn_new_damage.py my.bundle rain clean_photos/ wet.jpg results/

The same by commands:

    unblemish examine wet.jpg --bundle my.bundle                                         # unknown
    unblemish grow my.bundle --degradation rain --data clean_photos/ --out results/grown.bundle
    unblemish examine wet.jpg --bundle results/grown.bundle                              # known: rain
    unblemish restore wet.jpg --bundle results/grown.bundle --output results/wet_restored.jpg

Needs the extra `train`, a bundle that can grow (docs/growing.md says what that is), and some dozens of photographs,
better hundreds. Growing takes hours on a CPU; Ctrl-C saves it, and the same command goes on. Neither the bundle nor the
picture is changed.
"""

from __future__ import annotations

import argparse
import sys
from math import ceil
from pathlib import Path

import unblemish
from unblemish.restoration.listening import Listener


def learn(old: Path, degradation: str, photos: Path, path: Path, folder: Path, steps: int) -> None:
    """Carries out all of it.

    Args:
        old: A bundle that can grow.
        degradation: What is wrong with the picture, by its name in `unblemish degrade --list`.
        photos: Folder of clean photographs.
        path: The damaged picture.
        folder: For the grown bundle and the restored picture; made if missing.
        steps: Of the joint training; those before and after it follow from them.

    Raises:
        UserError: One of the steps cannot be done, or does not end as it should; the message says what to do.
    """
    restored = folder / f"{path.stem}_restored{path.suffix}"
    if restored.exists():
        raise unblemish.UserError(f"{restored} is there already: move it away, or name another folder")
    picture = unblemish.read(path)

    finding = unblemish.examine(picture, bundle=old).finding
    print(f"{path} by {old}: {finding}")
    if finding == "clean":
        raise unblemish.UserError(f"{path} has no damage to learn about: give a damaged picture")
    if finding != "unknown":
        raise unblemish.UserError(
            f"{old} has nothing to learn from {path}: unblemish restore {path} --bundle {old} treats it"
        )

    grown = unblemish.grow(
        old,
        degradation,
        folder / "grown.bundle",
        data=photos,
        steps=steps,
        warmup=ceil(steps * 4 / 15),  # both in the proportion of the defaults
        replay_steps=ceil(steps * 2 / 3),
        listener=Listener(say=print),
    )

    finding = unblemish.examine(picture, bundle=grown).finding
    print(f"{path} by {grown.path}: {finding}")
    if finding != f"known: {degradation}":
        raise unblemish.UserError(
            f"{path} is not taken for {degradation}, which {grown.path} has learnt: choose a degradation that looks "
            "more like the picture's (unblemish degrade --list), or give more photographs like the picture"
        )

    result = unblemish.restore(picture, bundle=grown)
    unblemish.write(result, restored)
    print(f"{restored}: {'; '.join(result.notes)}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Teaches a bundle new damage, and restores a picture that has it.")
    parser.add_argument("bundle", type=Path, help="can grow, and is not changed")
    parser.add_argument("degradation", help="a name of `unblemish degrade --list`")
    parser.add_argument("photographs", type=Path, help="folder of clean photographs")
    parser.add_argument("picture", type=Path, help="has that damage, and is not changed")
    parser.add_argument("folder", type=Path, help="for the grown bundle and the restored picture")
    parser.add_argument("--steps", type=int, default=3000, help="of the joint training (3000); some hundred for a try")
    given = parser.parse_args()
    try:
        learn(given.bundle, given.degradation, given.photographs, given.picture, given.folder, given.steps)
    except unblemish.UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
