"""`unblemish bundle`: what a bundle holds and on what terms, whether it is whole, and packing it into one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import bundle_measure

if TYPE_CHECKING:
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.bundle_parts import Group, KnowledgeEntry, NetworkEntry

app = typer.Typer(help="Show, verify, measure and pack bundles of networks.", no_args_is_help=True)
app.command("measure")(bundle_measure.measure)

_BundlePath = Annotated[
    Path | None,
    typer.Argument(metavar="[PATH]", help="Folder or packed file of a bundle; by default the one that ships."),
]


@app.command("show")
def show(
    path: _BundlePath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the groups and parts of a bundle with their licence, training, scores and size."""
    from unblemish.restoration.bundle import Bundle

    bundle = Bundle.load(path)
    manifest = bundle.manifest
    if as_json:
        sizes = {entry.file: bundle.size(entry) for entry in manifest.parts.values()}
        facts = {"path": str(bundle.path), "total_bytes": bundle.total_bytes, "sizes": sizes}
        typer.echo(json.dumps(facts | manifest.model_dump(mode="json"), indent=2))
        return
    examines = "examines pictures" if manifest.examination else "does not examine pictures"
    typer.echo(
        f"{bundle.path}: bundle format {manifest.format}, {_size(bundle.total_bytes)}, {_count(bundle)}; {examines}"
    )
    if manifest.groups:
        typer.echo("\n" + "\n".join(map(_group, manifest.groups)))
    for part, entry in manifest.parts.items():
        title = f"{part} (default)" if part == f"network {manifest.default}" else part
        verb = "makes" if entry in manifest.generators else "treats"
        typer.echo(f"\n{_card(title, entry, bundle.size(entry), verb)}")


@app.command("verify")
def verify(path: _BundlePath = None) -> None:
    """Read and build every part, and hold it against its checksum and card; exit status 1 says that one is wrong."""
    from unblemish.restoration.bundle import Bundle

    bundle = Bundle.load(path)
    reports = bundle.verify()
    for report in reports:
        size = "" if report.size is None else f", {_size(report.size)}"
        typer.echo(f"{'WRONG' if report.problems else 'ok'}: {report.part} ({report.file}{size})")
        for problem in report.problems:
            typer.echo(f"  {problem}")
    wrong = sum(bool(report.problems) for report in reports)
    typer.echo(f"{bundle.path}: {f'{wrong} of {len(reports)} parts are wrong' if wrong else 'all parts are fine'}")
    if wrong:
        raise typer.Exit(1)


@app.command("pack")
def pack(
    folder: Annotated[Path, typer.Argument(help="Of the bundle.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The packed file, such as my.bundle.")],
) -> None:
    """Pack a bundle into one file, which every option that takes a bundle takes too."""
    from unblemish.restoration.bundle import Bundle

    packed = Bundle.load(folder).pack(output)
    typer.echo(f"{packed.path}: {_count(packed)}, {_size(packed.path.stat().st_size)}")


def _count(bundle: Bundle) -> str:
    """How many parts there are, in words."""
    counts = {"network": len(bundle.names), "group": len(bundle.groups)}
    if bundle.manifest.generators:
        counts["generator"] = len(bundle.manifest.generators)
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items())


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _group(group: Group) -> str:
    return f"group {group.name}: {', '.join(group.degradations)}\n  network: {group.network}"


def _card(title: str, entry: NetworkEntry | KnowledgeEntry, size: int, verb: str) -> str:
    """A part for people to read; what is not stated is left out. `verb` says what a network does with damage."""
    from unblemish.restoration.bundle_parts import NetworkEntry

    facts: dict[str, str] = {}
    training = f"recipe {entry.recipe}"
    if isinstance(entry, NetworkEntry):
        options = ", ".join(f"{key}={value}" for key, value in entry.options.items())
        facts["architecture"] = f"{entry.architecture} ({options})" if options else entry.architecture
        facts[verb] = ", ".join(entry.treats)
        title, training = f"{title}: {entry.purpose}", f"{training}, {entry.steps} steps"
    else:
        facts["settings"] = ", ".join(entry.settings)
    facts |= {
        "licence": entry.licence,
        "made from": entry.training_set,
        "training": training + (f" on {entry.hardware}" if entry.hardware else ""),
        "revision": entry.revision,
        "protocol": entry.protocol,
        "scores": ", ".join(f"{name} {value:.2f}" for name, value in entry.scores.items()),
        "file": f"{entry.file}, {_size(size)}",
        "sha256": entry.sha256,
    }
    return "\n".join([title, *(f"  {name}: {value}" for name, value in facts.items() if value)])
