"""`unblemish export`: a network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unblemish.commands import options
from unblemish.errors import UserError


def export(
    output: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    network: options.NetworkName = None,
    bundle: options.BundleFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a network as ONNX, for any height and width, and compare it with PyTorch.

    The file takes float32 `picture`, (batch, 3, height, width) in 0..1, and gives `restored`.
    """
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file, such as {output / 'network.onnx'}")
    if output.exists() and not overwrite:
        raise UserError(f"{output}: exists already; add --overwrite to replace it, or choose another name")
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.export import export_onnx

    chosen = Bundle.load(bundle).network(network)
    output.parent.mkdir(parents=True, exist_ok=True)
    report = export_onnx(chosen, output)
    typer.echo(
        f"{output}: {report.size / 1e6:.1f} MB, opset {report.opset}. Largest difference to PyTorch on "
        f"{len(report.checked)} pictures: {report.largest_difference:.1e} of the range 0..1."
    )
