"""`unblemish bench`: speed and memory on this machine."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblemish.commands import bench_contrast, bench_tables

if TYPE_CHECKING:
    from unblemish.restoration.mosaic import Mosaic
    from unblemish.restoration.tile_cost import TileDifference
    from unblemish.restoration.treatment import Treatment

app = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)
app.command("contrast")(bench_contrast.contrast)

_DIFFERENCE_SIDE = 384
"""Side of the picture that is restored whole and in tiles, in pixels."""

BundleOption = Annotated[
    Path | None, typer.Option(help="Folder or packed file of a bundle; by default the one that ships.")
]
NetworksOption = Annotated[list[str] | None, typer.Option("--network", help="Networks of the bundle; else all of it.")]
ArchitecturesOption = Annotated[
    list[str] | None, typer.Option("--architecture", help="Networks by architecture, with random weights.")
]
PicturesOption = Annotated[Path | None, typer.Option(help="Folder of clean pictures; made-up ones if not given.")]
DamageOption = Annotated[
    list[str] | None, typer.Option("--with", help="Damage to the pictures, as `evaluate` takes it; else none.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")]
RepeatsOption = Annotated[int, typer.Option(min=1, help="Timed rounds; medians are reported.")]


@app.command("restore")
def restore(
    bundle: BundleOption = None,
    networks: NetworksOption = None,
    architectures: ArchitecturesOption = None,
    size: Annotated[int, typer.Option(min=16, help="Side of the picture in pixels.")] = 1024,
    repeats: RepeatsOption = 5,
    engines: Annotated[
        list[str] | None,
        typer.Option(
            "--engine",
            help="eager, channels_last, bfloat16, default, compiled, onnx, openvino, openvino_bfloat16; else all.",
        ),
    ] = None,
    pictures: PicturesOption = None,
    damage: DamageOption = None,
    seed: Annotated[int, typer.Option(help="Of the damage and of random weights.")] = 0,
    output: OutputOption = None,
) -> None:
    """Time every way to restore a picture, and compare their results with plain PyTorch's in float32."""
    from unblemish.restoration.speed import chosen_ways, measure_speed

    started = time.monotonic()
    ways = chosen_ways(engines or [])
    picture = _picture(size, pictures, damage, seed)
    reports = []
    for treatment in _treatments(bundle, networks or [], architectures or [], seed):
        reports.append(measure_speed(treatment, picture, ways, repeats))
        typer.echo(bench_tables.speed_table(reports[-1]) + "\n")
    facts = {"pieces": list(picture.pieces), "repeats": repeats, "networks": [asdict(report) for report in reports]}
    _write(output, facts, seed, started)


@app.command("degradations")
def degradations(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all but the blends if none is named.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Patches at a time.")] = 16,
    size: Annotated[int, typer.Option(min=16, help="Side of a patch in pixels.")] = 128,
    repeats: RepeatsOption = 7,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    output: OutputOption = None,
) -> None:
    """Time how fast damage is made, so that training need not wait for it."""
    from unblemish.degradations.throughput import measure

    started = time.monotonic()
    rows = measure(names or None, batch=batch, size=size, repeats=repeats, device=device)
    typer.echo(bench_tables.degradations_table(rows, batch, size))
    facts = {"batch": batch, "size": size, "repeats": repeats, "device": device, "rows": [asdict(row) for row in rows]}
    _write(output, facts, 0, started)


@app.command("examine")
def examine(
    bundle: BundleOption = None,
    size: Annotated[int, typer.Option(min=16, help="Side of the picture in pixels.")] = 1024,
    repeats: RepeatsOption = 7,
    pictures: PicturesOption = None,
    damage: DamageOption = None,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 0,
    output: OutputOption = None,
) -> None:
    """Time the examination of one picture."""
    from statistics import median

    from unblemish.restoration.examining import load_examiner

    started = time.monotonic()
    examiner = load_examiner(bundle, "cpu")
    x = _picture(size, pictures, damage, seed).damaged[0]  # (3, H, W)
    seconds = [examiner.examine_tensor(x).seconds for _ in range(repeats + 1)][1:]  # the first one warms up
    typer.echo(f"{x.shape[2]} x {x.shape[1]} pixels: {median(seconds):.2f} s, median of {repeats}")
    _write(output, {"size": [*x.shape[1:]], "seconds": seconds, "median": median(seconds)}, seed, started)


@app.command("tiles")
def tiles(
    bundle: BundleOption = None,
    networks: NetworksOption = None,
    architectures: ArchitecturesOption = None,
    catalogue: Annotated[bool, typer.Option(help="Also the differences of all architectures.")] = False,
    size: Annotated[int, typer.Option(min=256, help="Side of the picture whose time is taken.")] = 2048,
    huge: Annotated[int, typer.Option(help="Side of the picture whose memory is measured; 0 for none.")] = 10_000,
    memory: Annotated[str, typer.Option(help="Budget for tiles of that picture.")] = "2GB",
    repeats: RepeatsOption = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: a test, no measurement.")] = False,
    pictures: PicturesOption = None,
    damage: DamageOption = None,
    seed: Annotated[int, typer.Option(help="Of the damage and of random weights.")] = 0,
    output: OutputOption = None,
) -> None:
    """Measure what tiles change, what they cost in time, and what memory a huge picture takes."""
    from unblemish.networks.catalogue import names
    from unblemish.restoration.memory_use import measure_memory
    from unblemish.restoration.tile_cost import SIDES, tile_speeds, tile_time

    started = time.monotonic()
    if quick:
        size, huge, repeats = 256, min(huge, 300), 1
    chosen = _treatments(bundle, networks or [], architectures or [], seed)
    unseen = [name for name in names() if catalogue and name not in (architectures or [])]
    others = _treatments(None, [], unseen, seed) if unseen else []
    differences = _differences(chosen, others, _picture(_DIFFERENCE_SIDE, pictures, damage, seed))
    typer.echo(bench_tables.differences_table(differences) + "\n")
    measured: dict[str, Any] = {}
    for treatment in chosen:
        speeds = tile_speeds(treatment, [side for side in SIDES if side <= size], repeats)
        typer.echo(f"{treatment.name}\n\n{bench_tables.tile_speeds_table(speeds)}\n")
        took = tile_time(treatment, size, repeats)
        typer.echo(bench_tables.tile_time_line(took) + "\n")
        found: dict[str, Any] = {"speeds": [asdict(row) for row in speeds], "time": asdict(took) | {"cost": took.cost}}
        if huge:
            architecture = treatment.name if treatment.name in (architectures or []) else None
            use = measure_memory(huge, memory, bundle=bundle, network=treatment.name, architecture=architecture)
            typer.echo(bench_tables.memory_line(use) + "\n")
            found["memory"] = asdict(use)
        measured[treatment.name] = found
    facts = {"repeats": repeats, "differences": [asdict(row) for row in differences], "networks": measured}
    _write(output, facts, seed, started)


def _treatments(bundle: Path | None, networks: list[str], architectures: list[str], seed: int) -> list[Treatment]:
    """The networks that are asked for, on the CPU; all of the bundle where none is."""
    import torch

    from unblemish.networks.catalogue import create
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.treatment import Treatment, treatment_of

    found = []
    if networks or not architectures:
        loaded = Bundle.load(bundle)
        for entry in map(loaded.entry, networks or loaded.names):
            found += [treatment_of(loaded, entry.name, device="cpu")]
    for name in architectures:
        torch.manual_seed(seed)
        network = create(name)
        for parameter in network.parameters():
            if not parameter.any():  # what starts at zero would hide whole branches from the comparisons
                torch.nn.init.normal_(parameter, 0, 0.1)
        found.append(Treatment(network, name, device="cpu"))
    return found


def _picture(size: int, folder: Path | None, damage: list[str] | None, seed: int) -> Mosaic:
    from unblemish.commands.evaluate import case_sets
    from unblemish.restoration.mosaic import made_up, mosaic

    if folder is None:
        return made_up(size)
    return mosaic(case_sets(folder, damage or ["clean"], sampled=False, seed=seed, limit=None), size)


def _differences(chosen: list[Treatment], others: list[Treatment], picture: Mosaic) -> list[TileDifference]:
    """In the default precision and in float32 for what is chosen, in float32 for the others."""
    import torch

    from unblemish.restoration.tile_cost import tile_difference

    pixels = picture.damaged[0].permute(1, 2, 0).numpy()  # (H, W, 3)
    cases = [
        (treatment, dtype) for treatment in chosen for dtype in dict.fromkeys((treatment.engine.dtype, torch.float32))
    ]
    return [
        tile_difference(treatment, pixels, dtype)
        for treatment, dtype in [*cases, *((treatment, torch.float32) for treatment in others)]
    ]


def _write(path: Path | None, facts: dict[str, Any], seed: int, started: float) -> None:
    """The result with where it comes from."""
    if path is None:
        return
    from unblemish.evaluation.provenance import provenance, write_result

    command = ["unblemish", *sys.argv[1:]]
    write_result(path, facts | {"provenance": provenance(command, [seed], time.monotonic() - started)})
