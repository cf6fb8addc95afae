"""`unblemish models`: what the bundle holds, and on what terms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options

if TYPE_CHECKING:
    from unblemish.restoration.bundle import NetworkEntry


def models(
    bundle: options.BundleFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the networks of a bundle with their licence, training and scores."""
    from unblemish.restoration.bundle import Bundle

    manifest = Bundle.load(bundle).manifest
    if as_json:
        typer.echo(json.dumps(manifest.model_dump(mode="json"), indent=2))
        return
    for entry in manifest.networks:
        typer.echo(_card(entry, is_default=entry.name == manifest.default))


def _card(entry: NetworkEntry, is_default: bool) -> str:
    """A network for people to read; what is not known is left out."""
    options = ", ".join(f"{key}={value}" for key, value in entry.options.items())
    facts = {
        "architecture": f"{entry.architecture} ({options})" if options else entry.architecture,
        "licence of the weights": entry.licence,
        "trained on": entry.training_set,
        "training": f"{entry.steps} steps" + (f" on {entry.hardware}" if entry.hardware else ""),
        "revision": entry.revision,
        "protocol": entry.protocol,
        "scores": ", ".join(f"{name} {value:.2f}" for name, value in entry.scores.items()),
        "sha256": entry.sha256,
    }
    title = f"{entry.name}{' (default)' if is_default else ''}: {entry.purpose}"
    return "\n".join([title, *(f"  {name}: {value}" for name, value in facts.items() if value)])
