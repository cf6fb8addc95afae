"""`unblemish degrade`: clean pictures in, damaged pictures out, to test and to teach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unblemish.commands import options
from unblemish.commands.batches import Request, Work, run_batch
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.degradations.base import Parameters
    from unblemish.degradations.blends import Chain
    from unblemish.pictures.batch import Job
    from unblemish.pictures.picture import Picture


Degradations = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME[:PARAMETER=VALUE,...]",
        help="Damage, such as gaussian_noise:sigma=50; may be repeated, and is then done in this order.",
    ),
]
Kernels = Annotated[
    Path | None,
    typer.Option(
        "--kernels",
        metavar="FOLDER_OR_FILE",
        help="Blur with point spread functions from PNG, TIFF, .npy or .mat, before the damage of --with: with the "
        "first one, or with --sampled with one drawn for each picture.",
    ),
]
BlendOption = Annotated[
    Literal["mild", "moderate", "severe"] | None,
    typer.Option("--blend", help="Blur, noise and JPEG together, their levels drawn to be as severe as this."),
]
SceneOption = Annotated[
    str, typer.Option("--scene", metavar="SCENE", help="What comes before a blend, such as haze; --list names all.")
]
Sampled = Annotated[bool, typer.Option("--sampled", help="Draw what is not given from the published ranges.")]
Seed = Annotated[int, typer.Option("--seed", help="Of noise and drawn parameters.")]
List = Annotated[bool, typer.Option("--list", help="Print every degradation with its parameters and leave.")]


def degrade(
    inputs: options.Inputs = None,
    output: options.Output = None,
    degradations: Degradations = None,
    kernels: Kernels = None,
    blend: BlendOption = None,
    scene: SceneOption = "none",
    sampled: Sampled = False,
    seed: Seed = 0,
    show: List = False,
    format: options.Format = None,
    quality: options.Quality = None,
    subsampling: options.Subsampling = "4:4:4",
    strip_metadata: options.StripMetadata = False,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Damage pictures, with known parameters: files, folders with all below them, or - for a stream.

    Results get "_degraded" after their name. The damage of a picture follows from the seed and its name below
    the folder that was given, whatever else is done. A JPEG, lossy WebP or AVIF result adds the loss of its
    own quality (that of the input unless told); --format png keeps the damage as it was made.
    """
    if show:
        typer.echo(catalogue_text())
        return
    request = Request(
        inputs=inputs or [],
        output=output,
        suffix="_degraded",
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
        chain, given = chosen_damage(degradations or [], kernels, blend, scene)
        drawn = sampled or blend is not None
        return Damage(chain, given, drawn=drawn, seed=seed, roots=request.inputs, quality=quality)

    run_batch(request, "degrade", prepare)


def chosen_damage(
    degradations: Sequence[str],
    kernels: Path | None,
    blend: Literal["mild", "moderate", "severe"] | None,
    scene: str,
) -> tuple[Chain, dict[str, float]]:
    """What the options name, with the parameters they give.

    Raises:
        UserError: Nothing is named, or what is named is not known, cannot be used or does not go together.
    """
    from unblemish.degradations.blends import Blend
    from unblemish.degradations.given_kernels import GivenKernels
    from unblemish.degradations.parsing import parse_chain

    if blend is None:
        if scene != "none":
            raise UserError(f"--scene belongs to --blend; without one, use --with {scene}")
        return parse_chain(degradations, [GivenKernels.of(kernels)] if kernels else [])
    if degradations or kernels:
        other = "--with" if degradations else "--kernels"
        raise UserError(f"--blend and {other} exclude each other; choose one, or run degrade twice")
    return Blend(blend, scene), {}


class Damage:
    """A chain of degradations as the work of a batch.

    Args:
        chain: What is done.
        given: Parameters that the user gave, by the chain's names.
        drawn: Whether the others are drawn for each picture; else they have their defaults.
        seed: Of what is drawn, noise included.
        roots: Inputs as the user named them; pictures are known by their path below the nearest one.
        quality: Of lossy formats, as the user gave it.
    """

    def __init__(
        self,
        chain: Chain,
        given: Mapping[str, float],
        *,
        drawn: bool,
        seed: int,
        roots: Sequence[Path],
        quality: int | None = None,
    ) -> None:
        self._chain, self._given, self._drawn, self._seed = chain, given, drawn, seed
        self._roots, self._quality = roots, quality

    def setup(self, picture: Picture) -> tuple[str, dict[str, Any]]:
        """See `Work.setup`."""
        how = "parameters drawn for each picture" if self._drawn else "the same parameters for each picture"
        line = f"{self._chain.title}: {how}, seed {self._seed}"
        return line, {"damage": self._chain.name, "drawn": self._drawn, "seed": self._seed}

    def treat(self, picture: Picture, job: Job, on_progress: Callable[[float], None]) -> Picture:
        """Damages a picture; gray stays gray, alpha stays as it is, and samples are rounded once, at the end.

        A gray picture is damaged as equal colour channels, the green one of which is the result: an average
        would weaken the noise that was asked for.
        """
        import numpy as np
        import torch

        from unblemish.degradations.seeding import picture_generator
        from unblemish.pictures.picture import from_float, to_float

        generator = picture_generator(self._seed, self._chain.name, self._name(job))
        parameters = self._chain.fixed(1, **self._given)
        if self._drawn:
            sampled = self._chain.sample(1, generator)
            parameters.update({key: value for key, value in sampled.items() if key not in self._given})
        values = np.clip(np.nan_to_num(to_float(picture.pixels), posinf=1.0, neginf=0.0), 0.0, 1.0)
        colours = np.repeat(values, 3, axis=2) if picture.is_gray else values  # (H, W, 3)
        clean = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))[None]  # (1, 3, H, W)
        damaged = self._chain.apply(clean, parameters, generator)[0].numpy().transpose(1, 2, 0)  # (H, W, 3)
        if picture.is_gray:
            damaged = damaged[..., 1:2]
        pixels = from_float(np.ascontiguousarray(damaged), picture.pixels.dtype)
        notes = (*picture.notes, parameters_text(self._chain, parameters), *self._further_loss(picture, job))
        return replace(picture, pixels=pixels, notes=notes)

    def _name(self, job: Job) -> str:
        """How the picture is called, wherever it lies on this machine."""
        folders = [root for root in self._roots if root.is_dir() and job.source.is_relative_to(root)]
        names = [job.source.relative_to(folder).as_posix() for folder in folders]
        return min(names, key=len, default=job.source.name)

    def _further_loss(self, picture: Picture, job: Job) -> list[str]:
        """A note where the file adds damage of its own."""
        from unblemish.pictures.formats import FORMATS

        kind = FORMATS[FORMATS[job.format or picture.format].written_as]
        if not kind.lossy or (picture.lossless and self._quality is None and kind.key != "jpeg"):
            return []
        return [f"{kind.title} adds its own loss when it is written; --format png avoids it"]


def parameters_text(chain: Chain, parameters: Parameters) -> str:
    """What was done to one picture, in the notation of `--with`."""
    parts: list[str] = []
    for position, member in enumerate(chain.members, start=1):
        values = [
            f"{key}={spec.choices[int(value)] if spec.choices else f'{value:.6g}'}"
            for key, spec in member.specs.items()
            for value in [float(parameters[f"{position}.{key}"])]
        ]
        parts.append(f"{member.name}:{','.join(values)}" if values else member.name)
    return " ".join(["degraded with", *parts])


def catalogue_text() -> str:
    """Every degradation with its parameters, their units, defaults and ranges; blends by what they are made of."""
    from unblemish.degradations.blends import Blend
    from unblemish.degradations.catalogue import create, names

    lines: list[str] = []
    for name in names():
        degradation = create(name)
        defaults = {
            key: spec.choices[int(spec.default)] if spec.choices else f"{spec.default:g}"
            for key, spec in degradation.specs.items()
        }
        if isinstance(degradation, Blend):
            members = ", ".join(f"{place} {member.name}" for place, member in enumerate(degradation.members, start=1))
            lines.append(f"{name}: {members}; --sampled draws their levels together")
            lines.append("  " + ",".join(f"{key}={default}" for key, default in defaults.items()))
            continue
        lines.append(f"{name}: {degradation.title}")
        for key, spec in degradation.specs.items():
            drawn = f"; --sampled draws {spec.low:g} to {spec.high:g}" if spec.low < spec.high else ""
            lines.append(f"  {key}={defaults[key]}  {spec.meaning}; {spec.domain()}{drawn}")
    return "\n".join(lines)
