"""Damage that only a generator can still make: of tasks that were learnt from pairs, whose pictures are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from unblemish.networks.base import Network
from unblemish.pictures.errors import PictureError
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write
from unblemish.restoration.group_finding import digest, listing
from unblemish.restoration.treatment import Treatment


def replay_on(
    generator: Network,
    fingerprint: str,
    paths: Sequence[Path],
    folder: Path,
    on_progress: Callable[[int, int], None],
) -> dict[Path, Path]:
    """Damages photographs, or finds them as they were damaged before.

    Args:
        generator: G*, in evaluation mode.
        fingerprint: Tells generators apart.
        paths: Clean photographs; unreadable ones are left out.
        folder: Where the damaged ones are kept, as PNG files; made if missing.
        on_progress: Told how many of how many photographs are done.

    Returns:
        The damaged picture's file of each photograph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    treatment, found = Treatment(generator, device="cpu"), {}
    for number, path in enumerate(paths, 1):
        file = folder / f"{digest([fingerprint, listing([path])])}.png"
        if not file.exists():
            try:
                write(treatment.restore(read(path)), file)
            except PictureError:
                continue
        found[path] = file
        on_progress(number, len(paths))
    return found
