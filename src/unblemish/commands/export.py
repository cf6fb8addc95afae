"""`unblemish export`: a network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    output: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    network: Annotated[str | None, typer.Option(help="Network of the bundle; its default one if not given.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; by default the one that ships.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a network as ONNX, for any height and width, and compare it with PyTorch."""
    from unblemish.errors import UserError
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.export import export_onnx

    if output.exists() and not overwrite:
        raise UserError(f"{output}: exists already; add --overwrite to replace it, or choose another name")
    report = export_onnx(Bundle.load(bundle).network(network), output)
    typer.echo(
        f"{output}: {output.stat().st_size / 1e6:.1f} MB, opset {report.opset}. "
        f"Largest difference to PyTorch: {report.largest_difference:.1e} of the range 0..1."
    )
