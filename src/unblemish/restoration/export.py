"""Networks as ONNX files, for ONNX Runtime, OpenVINO and programs that know no PyTorch."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from unblemish.errors import UserError
from unblemish.networks.base import Network

OPSET = 18
"""Version of the ONNX operators: the one PyTorch's exporter writes without converting."""

TOLERANCE = 1e-3
"""Largest difference to PyTorch that passes: a quarter of an 8-bit level, white being 1."""


class ExportError(UserError):
    """A network cannot be written as ONNX here."""


_REMEDY = "try another opset, or the versions of torch, onnx and onnxscript that constraints.txt names"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes:
        path: The ONNX file: float32 input `picture`, `(B, C, H, W)`, and output `restored`.
        opset: Version of the ONNX operators.
        size: Bytes.
        checked: Batch, height and width of the pictures that ONNX Runtime was compared with PyTorch on.
        largest_difference: Over all of them, white being 1.
    """

    path: Path
    opset: int
    size: int
    checked: tuple[tuple[int, int, int], ...]
    largest_difference: float


class _AnySize(nn.Module):
    """`Network.forward` without its branches, which would tie the file to the sizes it was traced with.

    Padding is written as a choice of rows and columns by number. The numbers follow the contract of
    `Network.forward`: mirrored at the last row, or the last row repeated where a side is too short to mirror.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, C, scale * H, scale * W)`."""
        height, width = picture.shape[-2:]
        multiple, scale = self.network.size_multiple, self.network.scale
        if multiple == 1:
            return self.network.transform(picture)
        rows = torch.arange((height + multiple - 1) // multiple * multiple)
        columns = torch.arange((width + multiple - 1) // multiple * multiple)
        mirrored_rows = height - 1 - (rows - (height - 1)).abs()
        mirrored_columns = width - 1 - (columns - (width - 1)).abs()
        short = (mirrored_rows[-1] < 0) | (mirrored_columns[-1] < 0)
        rows = torch.where(short, rows.clamp(max=height - 1), mirrored_rows)
        columns = torch.where(short, columns.clamp(max=width - 1), mirrored_columns)
        padded = picture.index_select(2, rows).index_select(3, columns)
        return self.network.transform(padded).narrow(2, 0, height * scale).narrow(3, 0, width * scale)


def export_onnx(
    network: Network,
    path: str | Path,
    *,
    opset: int = OPSET,
    check_sizes: Sequence[tuple[int, int]] = ((64, 64), (97, 131)),
) -> ExportReport:
    """Writes a network as one ONNX file that takes any batch, height and width, and compares it with PyTorch.

    Works for every network of the catalogue (the published Restormer takes a minute and a half). Needs the
    extra `export`. The file appears only once it has passed; an older one stays until then.

    Args:
        network: Not changed; exported in float32 and evaluation mode.
        path: Where to, in an existing folder.
        opset: Version of the ONNX operators.
        check_sizes: Height and width of the noise pictures to compare on, each in a batch of one and of two.

    Raises:
        ExportError: The extra is missing, or the results differ from PyTorch's.
        OSError: The file cannot be written.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise ExportError(f"export needs the package '{package}'; install it with: pip install 'unblemish[export]'")
    path = Path(path)
    exportable = _AnySize(copy.deepcopy(network)).cpu().float().eval().requires_grad_(False)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / "network.onnx"
        _write(exportable, temporary, opset)
        shapes = tuple((batch, *size) for size in check_sizes for batch in (1, 2))
        difference = _largest_difference(exportable.network, temporary, shapes)
        temporary.replace(path)
    return ExportReport(path, opset, path.stat().st_size, shapes, difference)


def _write(exportable: _AnySize, path: Path, opset: int) -> None:
    # Two pictures of unequal, indivisible sides: the tracer takes sides of 1 and equal sides for constants.
    example = torch.rand(2, exportable.network.channels, 67, 93)
    with _quiet_exporter():
        program = torch.onnx.export(
            exportable,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=["picture"],
            output_names=["restored"],
            dynamic_shapes={"picture": {0: "batch", 2: "height", 3: "width"}},
            verbose=False,
        )
    assert program is not None  # None only without the dynamo exporter
    program.save(path, external_data=False)


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Holds back what the exporter says about PyTorch's deprecations and packages it does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def _largest_difference(network: Network, path: Path, shapes: Sequence[tuple[int, int, int]]) -> float:
    """Between PyTorch and ONNX Runtime on noise, once it is within the tolerance."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for batch, height, width in shapes:
        picture = torch.rand(batch, network.channels, height, width, generator=generator)
        with torch.inference_mode():
            expected = network(picture).numpy()
        found = np.asarray(session.run(None, {"picture": picture.numpy()})[0])
        if found.shape != expected.shape:
            raise ExportError(
                f"the ONNX file makes {found.shape} of {tuple(picture.shape)}, PyTorch {expected.shape}: {_REMEDY}"
            )
        difference = float(np.abs(found - expected).max())
        # Compared this way round, a difference that is no number fails too.
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise ExportError(
                f"the ONNX file differs from PyTorch by {difference:.2g} on {height}x{width} pixels: {_REMEDY}"
            )
        largest = max(largest, difference)
    return largest
