"""`unblemish deconvolve`: blurred pictures and their point spread function in, sharp pictures out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unblemish.commands import options
from unblemish.commands.batches import Request, Work, run_batch
from unblemish.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from unblemish.pictures.batch import Job
    from unblemish.pictures.picture import Picture
    from unblemish.restoration.deconvolving import Deconvolver

Kernel = Annotated[
    Path,
    typer.Option(
        "--kernel",
        metavar="FILE",
        help="The point spread function: what the blur makes of a point of light. A gray PNG or TIFF, .npy or .mat.",
    ),
]
MethodName = Annotated[
    Literal["tv", "wiener", "richardson_lucy", "prior"],
    typer.Option(
        "--method",
        help="tv keeps edges and evens areas, wiener is quick, richardson_lucy adds no overshoot below black, prior is "
        "learned and needs a network. All but prior need the extra 'compare'.",
    ),
]
Weight = Annotated[
    float | None,
    typer.Option(
        "--weight",
        help="Of smoothness, or of the prior: more for noisy pictures, less for clean ones. By default tv has 0.001, "
        "wiener 0.01, prior 1; richardson_lucy has none.",
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        help="More sharpen more, and bring up noise. By default tv has 30, richardson_lucy 20, prior 50; wiener has "
        "none.",
    ),
]
GolfName = Annotated[
    str | None,
    typer.Option(
        "--network",
        help="For prior: Golf Optimizer of the bundle; by default its first one.",
        rich_help_panel="Network",
    ),
]


def deconvolve(
    kernel: Kernel,
    inputs: options.Inputs = None,
    output: options.Output = None,
    method: MethodName = "tv",
    weight: Weight = None,
    iterations: Iterations = None,
    network: GolfName = None,
    bundle: options.BundleFolder = None,
    device: options.Device = "auto",
    format: options.Format = None,
    quality: options.Quality = None,
    subsampling: options.Subsampling = "4:4:4",
    strip_metadata: options.StripMetadata = False,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Undo a blur that is known: files, folders with all below them, or - for standard input and output.

    Every picture is taken to be blurred by the same point spread function all over. Where you do not know it, use
    restore.

    Results get "_deconvolved" after their name, or stand in the folder of --output with the tree of the input. Pictures
    are worked on whole; those too large for the memory that is free are refused.
    """
    request = Request(
        inputs=inputs or [],
        output=output,
        suffix="_deconvolved",
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
        from unblemish.restoration.deconvolving import Deconvolver

        deconvolver = Deconvolver(
            only_kernel(kernel),
            method=method,
            weight=weight,
            iterations=iterations,
            network=network,
            bundle=bundle,
            device=device,
        )
        return Deconvolution(deconvolver)

    run_batch(request, "deconvolve", prepare)


def only_kernel(path: Path) -> Tensor:
    """The point spread function of a file.

    Raises:
        UserError: It cannot be read, or is a folder of several.
    """
    from unblemish.degradations.given_kernels import read_kernels

    kernels = read_kernels(path)
    if len(kernels) != 1:
        raise UserError(f"{path}: holds {len(kernels)} kernels; give the file of the one that blurred the pictures")
    return kernels[0]


class Deconvolution:
    """A Deconvolver as the work of a batch."""

    def __init__(self, deconvolver: Deconvolver) -> None:
        self._deconvolver = deconvolver

    def setup(self, picture: Picture) -> tuple[str, dict[str, Any]]:
        """See `Work.setup`."""
        chosen = self._deconvolver
        need = chosen.memory_need(picture.height, picture.width)
        told = "".join(f", {name} {value:g}" for name, value in chosen.settings.items())
        line = f"{chosen.method}{told}; about {need / 1e6:.0f} MB of memory for the first picture"
        return line, {"method": chosen.method, **chosen.settings, "device": str(chosen.device), "memory": need}

    def treat(self, picture: Picture, job: Job, on_progress: Callable[[float], None]) -> Picture:
        """See `Work.treat`."""
        return self._deconvolver.restore(picture, on_progress)
