"""`unblemish models`: what the bundle holds, and on what terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def models(
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; by default the one that ships.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the networks of a bundle with their licence, training and scores."""
    from unblemish.restoration.bundle import Bundle

    loaded = Bundle.load(bundle)
    if as_json:
        typer.echo(json.dumps(loaded.manifest.model_dump(mode="json"), indent=2))
        return
    for entry in loaded.manifest.networks:
        default = " (default)" if entry.name == loaded.manifest.default else ""
        typer.echo(f"{entry.name}{default}: {entry.purpose}")
        for title, value in (
            ("architecture", entry.architecture),
            ("licence of the weights", entry.licence),
            ("trained on", entry.training_set),
            ("training", f"{entry.steps} steps on {entry.hardware}"),
            ("protocol", entry.protocol),
            ("scores", ", ".join(f"{name} {value:.2f}" for name, value in entry.scores.items())),
            ("sha256", entry.sha256),
        ):
            typer.echo(f"  {title}: {value}")
