"""`unblemish restore`: damaged pictures in, restored pictures out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblemish.commands import options
from unblemish.commands.batches import Request, Work, run_batch

if TYPE_CHECKING:
    from unblemish.pictures.batch import Job
    from unblemish.pictures.picture import Picture
    from unblemish.restoration.restorer import Restorer

Strength = Annotated[float, typer.Option("--strength", min=0, max=1, help="1 gives the network's result, 0 the input.")]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="GROUP", help="Treat as this group of the bundle, without examination."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Also treat damage that the bundle does not know, as the likeliest group.")
]
Iterations = Annotated[
    int | None,
    typer.Option("--iterations", min=0, help="Corrections by a network that iterates; needs --as or the like."),
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", help="Stop iterating once a correction changes a tile by less, such as 1e-3."),
]
Engine = Annotated[str, typer.Option("--engine", help="auto, eager, compiled, onnx or openvino.")]
Memory = Annotated[
    str | None,
    typer.Option("--memory", help="What tiles may take, such as 2GB; by default what is free allows."),
]


def restore(
    inputs: options.Inputs = None,
    output: options.Output = None,
    strength: Strength = 1.0,
    group: As = None,
    force: Force = False,
    iterations: Iterations = None,
    tolerance: Tolerance = None,
    network: options.NetworkName = None,
    bundle: options.BundleFolder = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    engine: Engine = "auto",
    memory: Memory = None,
    format: options.Format = None,
    quality: options.Quality = None,
    subsampling: options.Subsampling = "4:4:4",
    strip_metadata: options.StripMetadata = False,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Restore pictures: files, folders with all below them, or - for standard input and output.

    Each picture is examined first, and treated by the network of the group that its damage belongs to. Clean pictures
    are left exactly as they are, and so, without --force, is damage that the bundle does not know.

    Results get "_restored" after their name, or stand in the folder of --output with the tree of the input. A
    stopped run goes on where it was. Exit status 1 says that pictures failed, 130 that the run was interrupted.
    """
    request = Request(
        inputs=inputs or [],
        output=output,
        suffix="_restored",
        format=format,
        quality=quality,
        subsampling=subsampling,
        strip_metadata=strip_metadata,
        overwrite=overwrite,
        max_pixels=max_pixels,
        as_json=as_json,
        quiet=quiet,
    )

    def prepare() -> Work:
        from unblemish.restoration.restorer import Restorer

        restorer = Restorer(
            bundle, device=device, precision=precision, memory=memory, strength=strength, engine=engine,
            network=network, group=group, policy="force" if force else "careful",
            iterations=iterations, tolerance=tolerance,
        )  # fmt: skip
        return Restoration(restorer)

    run_batch(request, "restore", prepare)


class Restoration:
    """A Restorer as the work of a batch."""

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    def setup(self, picture: Picture) -> tuple[str, dict[str, Any]]:
        """See `Work.setup`."""
        chosen = self._restorer.describe(picture.height, picture.width)
        line = (
            f"{chosen.network}: {chosen.engine} on {chosen.device} in {chosen.precision}, "
            f"tiles of at most {chosen.tile} pixels in {chosen.memory / 1e9:.1f} GB of memory"
        )
        return line, {**asdict(chosen), "strength": self._restorer.treatment.strength}

    def treat(self, picture: Picture, job: Job, on_progress: Callable[[float], None]) -> Picture:
        """See `Work.treat`."""
        return self._restorer.restore(picture, on_progress)
