"""How fast a network runs here in each way there is, and what each way costs in quality."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.evaluation.timing import interleaved, matrix_product, multiply_adds_per_pixel
from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture, from_float, to_float
from unblemish.pictures.tiles import TileTooLargeError
from unblemish.restoration.engines import create_engine
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.export import ExportError
from unblemish.restoration.mosaic import Mosaic
from unblemish.restoration.treatment import Treatment

Floats = NDArray[np.float32]

Run = Callable[[], Floats]
"""Restores the picture that it was made for: `(1, 3, scale * H, scale * W)`."""

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_MATRIX = 2048
"""Side of the matrices whose product shows what the machine can do."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to restore a picture.

    Attributes:
        name: What users choose it by.
        title: What tables call it.
        precision: What it computes in; "auto" is what the Treatment chose.
        prepare: Makes a `Run` of a Treatment and a picture `(1, 3, H, W)`.
    """

    name: str
    title: str
    precision: str
    prepare: Callable[[Treatment, Floats], Run]


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """What was measured for one way; numbers are None where it could not be run.

    Attributes:
        name: As in `WAYS`.
        title: As in `WAYS`.
        precision: What it computed in.
        trouble: Why it could not be run; empty where it could.
        preparation: Seconds until the first picture was finished: export, compilation, warming up.
        seconds: Median for one picture.
        megapixels_per_second: Of the input.
        times_eager: Its speed over that of "eager".
        peak_fraction: Multiply-adds in a second over those of a matrix product in the same precision. Pixels that
            tiles share count once.
        agreement: Lowest PSNR of a piece against the result of "eager", in dB.
        loss: Largest fall of a piece's PSNR against the clean picture, compared with "eager", in dB.
    """

    name: str
    title: str
    precision: str
    trouble: str = ""
    preparation: float | None = None
    seconds: float | None = None
    megapixels_per_second: float | None = None
    times_eager: float | None = None
    peak_fraction: float | None = None
    agreement: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """The ways of one network on one picture.

    Attributes:
        network: Its name.
        size: Height and width of the picture.
        multiply_adds_per_pixel: The network's work.
        peak: Multiply-adds in a second of a matrix product, by precision.
        rows: One for each way.
    """

    network: str
    size: tuple[int, int]
    multiply_adds_per_pixel: float
    peak: dict[str, float]
    rows: tuple[SpeedRow, ...]


def _naively(treatment: Treatment, picture: Floats) -> Run:
    """What one writes first: float32, planes of channels, the whole picture at once."""
    network: Network = copy.deepcopy(treatment.network).eval()
    x = torch.from_numpy(picture)

    def run() -> Floats:
        with torch.inference_mode():
            return network(x).numpy()

    return run


def _with_engine(name: str, dtype: torch.dtype) -> Callable[[Treatment, Floats], Run]:
    """An engine on the whole picture at once."""

    def prepare(treatment: Treatment, picture: Floats) -> Run:
        engine = create_engine(name, treatment.network, torch.device("cpu"), dtype)
        return lambda: engine.run(picture)

    return prepare


def _by_default(treatment: Treatment, picture: Floats) -> Run:
    """The path of `unblemish restore`, from samples to samples, with its tiles."""
    pixels = from_float(picture[0].transpose(1, 2, 0), np.dtype(np.uint8))  # (H, W, 3)
    return lambda: to_float(treatment.restore(Picture(pixels, "png")).pixels).transpose(2, 0, 1)[None]


WAYS: dict[str, Way] = {
    way.name: way
    for way in (
        Way("eager", "PyTorch as it comes", "float32", _naively),
        Way("channels_last", "+ channels_last", "float32", _with_engine("eager", torch.float32)),
        Way("bfloat16", "+ bfloat16", "bfloat16", _with_engine("eager", torch.bfloat16)),
        Way("default", "**default: + tiles**", "auto", _by_default),
        Way("compiled", "torch.compile, frozen", "bfloat16", _with_engine("compiled", torch.bfloat16)),
        Way("onnx", "ONNX Runtime", "float32", _with_engine("onnx", torch.float32)),
        Way("openvino", "OpenVINO", "float32", _with_engine("openvino", torch.float32)),
        Way("openvino_bfloat16", "OpenVINO", "bfloat16", _with_engine("openvino", torch.bfloat16)),
    )
}
"""Every way by name. The first is what the others are compared with."""


def chosen_ways(names: Sequence[str]) -> list[Way]:
    """The ways of these names, all of them where none is named; "eager" is always the first.

    Raises:
        RestorationError: A name is not known.
    """
    unknown = [name for name in names if name not in WAYS]
    if unknown:
        raise RestorationError(f"unknown engine '{unknown[0]}': choose {', '.join(WAYS)}")
    return [way for way in WAYS.values() if not names or way.name in ("eager", *names)]


def measure_speed(
    treatment: Treatment, picture: Mosaic, ways: Sequence[Way], repeats: int, matrix: int = _MATRIX
) -> SpeedReport:
    """Times ways to restore one picture, in turns, and compares their results.

    Args:
        treatment: On the CPU; its network is what runs.
        picture: What to restore.
        ways: From `chosen_ways`.
        repeats: Timed runs of each, after one that is not timed.
        matrix: Side of the matrices for the peak.
    """
    batch = picture.damaged.numpy()
    rows, runs, outputs = _warmed(treatment, batch, ways)
    products = {name: matrix_product(matrix, dtype) for name, dtype in _PRECISIONS.items()}
    seconds = interleaved([*runs.values(), *products.values()], repeats)
    times = dict(zip(runs, seconds[: len(runs)], strict=True))
    peak = {name: matrix**3 / took for name, took in zip(products, seconds[len(runs) :], strict=True)}
    work, pixels = multiply_adds_per_pixel(treatment.network), batch.shape[2] * batch.shape[3]
    finished = [
        row
        if row.trouble
        else replace(
            row,
            seconds=times[row.name],
            megapixels_per_second=pixels / times[row.name] / 1e6,
            times_eager=times["eager"] / times[row.name],
            peak_fraction=pixels * work / times[row.name] / peak[row.precision],
            agreement=picture.scores(outputs[row.name], outputs["eager"]).min().item(),
            loss=_loss(picture, outputs[row.name], outputs["eager"]),
        )
        for row in rows
    ]
    return SpeedReport(treatment.name, (batch.shape[2], batch.shape[3]), work, peak, tuple(finished))


def _warmed(
    treatment: Treatment, batch: Floats, ways: Sequence[Way]
) -> tuple[list[SpeedRow], dict[str, Run], dict[str, Tensor]]:
    """Prepares the ways and runs each once: all rows, and what runs with its results by name."""
    rows: list[SpeedRow] = []
    runs: dict[str, Run] = {}
    outputs: dict[str, Tensor] = {}
    for way in ways:
        start = perf_counter()
        row = SpeedRow(way.name, way.title, _precision(way, treatment))
        try:
            run = way.prepare(treatment, batch)
            outputs[way.name] = torch.from_numpy(np.ascontiguousarray(run()))
        except (RestorationError, ExportError, TileTooLargeError, RuntimeError) as error:
            rows.append(replace(row, trouble=str(error).partition("\n")[0]))  # a failed compilation has pages to say
        else:
            runs[way.name] = run
            rows.append(replace(row, preparation=perf_counter() - start))
    return rows, runs, outputs


def _precision(way: Way, treatment: Treatment) -> str:
    return str(treatment.engine.dtype).removeprefix("torch.") if way.precision == "auto" else way.precision


def _loss(picture: Mosaic, output: Tensor, eager: Tensor) -> float | None:
    """See `SpeedRow.loss`; None where there is no clean picture of the result's size."""
    if picture.clean is None or picture.clean.shape != output.shape:
        return None
    return (picture.scores(eager, picture.clean) - picture.scores(output, picture.clean)).max().item()
