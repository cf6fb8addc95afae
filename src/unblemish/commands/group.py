"""`unblemish group`: which degradations resemble each other."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unblemish.commands import group_build, group_search
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from unblemish.degradations.base import Degradation
    from unblemish.examination.features import Features, Tap
    from unblemish.examination.signatures import Signature, SignatureProtocol
    from unblemish.examination.similarity import Finding, SimilarityMatrix

app = typer.Typer(help="Measure which degradations resemble each other, and group them.", no_args_is_help=True)
app.command("search")(group_search.search)
app.command("build")(group_build.build)

FeatureKind = Literal["compact", "full", "vgg16", "sift"]
_NETWORKS = {"compact": "srresnet_x4_compact", "full": "srresnet_x4"}
_BEYOND_ELEVEN = ("haze", "darkness", "rain", "clean")


@app.command("similarity")
def similarity(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of clean pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the JSON goes.")] = Path("similarity.json"),
    plot: Annotated[Path | None, typer.Option(help="Also draw a heat map with a dendrogram, as .png.")] = None,
    features: Annotated[FeatureKind, typer.Option(help="What describes a patch.")] = "compact",
    weights: Annotated[Path | None, typer.Option(help="Weights of a descriptor, or of VGG16.")] = None,
    tap: Annotated[Literal["hr", "trunk"], typer.Option(help="Layer of the descriptor.")] = "hr",
    patches: Annotated[int, typer.Option(min=2, help="Clean patches; the paper uses 800.")] = 800,
    degradations: Annotated[
        str | None,
        typer.Option(help="Names joined by commas; by default GRIDS's eleven, haze, darkness, rain and clean."),
    ] = None,
    reduction: Annotated[int, typer.Option(min=1, help="Shrink pictures by this factor first.")] = 2,
    sampled: Annotated[
        bool, typer.Option("--sampled/--fixed", help="Draw each patch's parameters, or use the fixed ones.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the patches and of the damage.")] = 0,
) -> None:
    """Measure how close degradations are in the eyes of a descriptor, and hold that against the paper."""
    from unblemish.examination.signatures import SignatureProtocol, cut_patches
    from unblemish.examination.similarity import SimilarityMatrix, compare_with_paper
    from unblemish.pictures.folders import find_pictures

    started = time.monotonic()
    if plot and plot.suffix.lower() != ".png":
        raise UserError(f"{plot}: heat maps are written as .png; choose this ending")
    chosen = _degradations(degradations)
    described = choose_features(features, weights, tap)
    protocol = SignatureProtocol(patches=patches, reduction=reduction, sampled=sampled, seed=seed)
    signatures = _measured(described, chosen, cut_patches(find_pictures(photos), protocol), protocol)
    matrix = SimilarityMatrix.of(signatures)
    findings = compare_with_paper(matrix)
    typer.echo(_report(matrix, signatures, findings))
    origin = described.description | ({"weights": weights.name, "sha256": _sha256(weights)} if weights else {})
    _write(output, started, protocol, origin, signatures, matrix, findings)
    if plot:
        _plot(matrix, plot, f"{described.name}, {patches} patches, seed {seed}")


def choose_features(kind: FeatureKind, weights: Path | None, tap: Tap) -> Features:
    """The features that the options name.

    Raises:
        UserError: Weights are missing or do not fit.
    """
    from unblemish.examination.alternative_features import SiftFeatures, Vgg16Features
    from unblemish.restoration.placement import choose_device, choose_precision

    if kind == "sift":
        return SiftFeatures()
    if kind == "vgg16":
        return Vgg16Features(weights, choose_precision(choose_device("cpu")))
    return descriptor_features(weights, kind, tap)


def descriptor_features(
    weights: Path | None, kind: Literal["compact", "full"] = "compact", tap: Tap = "hr"
) -> Features:
    """Deep degradation representations by weights that `unblemish train` wrote, or by the default bundle's descriptor.

    Raises:
        UserError: The weights do not fit, or are needed: the bundle holds the compact descriptor alone.
    """
    from unblemish.examination.features import DeepRepresentation
    from unblemish.networks.catalogue import create
    from unblemish.networks.loading import load_weights
    from unblemish.networks.srresnet import SRResNet
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.placement import choose_device, choose_precision

    if weights is None and kind != "compact":
        raise UserError(
            f"no descriptor is given; name the weights of an {_NETWORKS[kind]} that was trained on clean pictures "
            "with --weights"
        )
    network = Bundle.load().descriptor() if weights is None else create(_NETWORKS[kind])
    assert isinstance(network, SRResNet)
    if weights is not None:
        load_weights(network, weights)
    device = choose_device()
    return DeepRepresentation(network.to(device), tap, choose_precision(device))


def _degradations(words: str | None) -> list[Degradation | None]:
    """The named degradations, None for clean ones.

    Raises:
        UserError: A name is not known or is there twice, or there are fewer than two.
    """
    from unblemish.degradations.catalogue import GRIDS_ELEVEN, create
    from unblemish.examination.signatures import CLEAN

    names = (*GRIDS_ELEVEN, *_BEYOND_ELEVEN) if words is None else [word.strip() for word in words.split(",")]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"{words!r}: give at least two degradations, each once, joined by commas")
    return [None if name == CLEAN else create(name) for name in names]


def _measured(
    features: Features, degradations: list[Degradation | None], patches: Tensor, protocol: SignatureProtocol
) -> list[Signature]:
    from unblemish.commands.console import progress_bar
    from unblemish.examination.signatures import measure_signature

    with progress_bar() as progress, needs_extra("compare"):
        return [
            measure_signature(features, degradation, patches, protocol)
            for degradation in progress.track(degradations, description="signatures")
        ]


def _report(matrix: SimilarityMatrix, signatures: list[Signature], findings: list[Finding]) -> str:
    """Distances, signatures and the comparison with the paper as text."""
    width = max(len(name) for name in matrix.names)
    head = " ".join(f"{number:>4}" for number in range(1, len(matrix.names) + 1))
    lines = ["Distances, log10(KL + 1e-5) + 5:", "", f"{'':{width + 3}} {head}"]
    for number, (name, row) in enumerate(zip(matrix.names, matrix.distances, strict=True), start=1):
        lines.append(f"{number:>2} {name:{width}} " + " ".join(f"{value:4.1f}" for value in row))
    lines += ["", f"{'':{width}}  alpha  sigma  mean distance  seconds"]
    means = dict(matrix.by_mean_distance())
    lines += [
        f"{s.name:{width}}  {s.density.alpha:5.3f}  {s.density.sigma:5.2f}  {means[s.name]:13.2f}  {s.seconds:7.1f}"
        for s in signatures
    ]
    pairs = ", ".join(f"{one} and {other} {distance:.1f}" for one, other, distance in matrix.closest_pairs(3))
    lines += ["", f"Closest: {pairs}."]
    if findings:
        lines += ["", "Held against GRIDS:"]
        lines += [f"{'agrees' if f.agrees else 'DIFFERS'}: {f.statement} {f.numbers}" for f in findings]
    return "\n".join(lines)


def _write(
    path: Path,
    started: float,
    protocol: SignatureProtocol,
    features: dict[str, Any],
    signatures: list[Signature],
    matrix: SimilarityMatrix,
    findings: list[Finding],
) -> None:
    from dataclasses import asdict

    from unblemish.evaluation.provenance import provenance, write_result

    origin = provenance(["unblemish", *sys.argv[1:]], [protocol.seed], time.monotonic() - started)
    facts = {
        "provenance": origin,
        "protocol": asdict(protocol),
        "features": features,
        "signatures": [signature.to_dict() for signature in signatures],
        "matrix": matrix.to_dict(),
        "paper": [asdict(finding) for finding in findings],
    }
    write_result(path, facts)


def _plot(matrix: SimilarityMatrix, path: Path, caption: str) -> None:
    with needs_extra("train"):
        from unblemish.examination.heat_map import save_heat_map

        save_heat_map(matrix, path, caption)


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
