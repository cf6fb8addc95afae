"""What `unblemish bench` prints: Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unblemish.evaluation.markdown import markdown_table

if TYPE_CHECKING:
    from unblemish.contrast.cost import Cost
    from unblemish.degradations.throughput import ThroughputRow
    from unblemish.restoration.memory_use import MemoryUse
    from unblemish.restoration.speed import SpeedReport
    from unblemish.restoration.tile_cost import TileDifference, TileSpeed, TileTime

_NONE = "–"


def speed_table(report: SpeedReport) -> str:
    """One row for each way to run the network."""
    headings = (
        "way", "computes in", "MP/s", "times eager", "of the peak", "agreement in dB", "loss in dB", "first result in s"
    )  # fmt: skip
    rows = []
    for row in report.rows:
        if row.trouble:
            rows.append([row.title, row.precision, f"not run: {row.trouble}", *[_NONE] * 5])
            continue
        rows.append(
            [
                row.title,
                row.precision,
                _number(row.megapixels_per_second, ".3f"),
                _number(row.times_eager, ".2f"),
                _number(row.peak_fraction, ".0%"),
                _NONE if row.name == "eager" else _number(row.agreement, ".1f"),
                _NONE if row.name == "eager" else _number(row.loss, ".3f"),
                _number(row.preparation, ".1f"),
            ]
        )
    height, width = report.size
    peaks = " and ".join(f"{value / 1e9:.0f} thousand million in {name}" for name, value in report.peak.items())
    return (
        f"{report.network} on {width} x {height} pixels, {report.multiply_adds_per_pixel:,.0f} multiply-adds a pixel; "
        f"matrix products reach {peaks} a second.\n\n{markdown_table(headings, rows)}"
    )


def degradations_table(rows: Sequence[ThroughputRow], batch: int, size: int) -> str:
    """One row for each degradation."""
    headings = ("degradation", f"patches of {size} x {size} a second", f"ms for a batch of {batch}")
    return markdown_table(headings, [[r.name, f"{r.patches_per_second:.0f}", f"{r.milliseconds:.1f}"] for r in rows])


def differences_table(rows: Sequence[TileDifference]) -> str:
    """One row for each network and precision."""
    headings = (
        "network",
        "tiles promise the whole picture's result",
        "computes in",
        "margin",
        "tiles",
        "difference in 1/255",
    )
    return markdown_table(
        headings,
        [
            [
                row.network,
                "yes" if row.exact else "no",
                row.precision,
                str(row.margin),
                f"{row.tiles} of {row.tile}",
                f"{255 * row.difference:.4f}",
            ]
            for row in rows
        ],
    )


def tile_speeds_table(rows: Sequence[TileSpeed]) -> str:
    """One row for each size of tile."""
    headings = ("tile", "MP/s", "MP/s without what neighbours share")
    return markdown_table(headings, [[str(r.side), f"{r.megapixels_per_second:.3f}", f"{r.useful:.3f}"] for r in rows])


def tile_time_line(time: TileTime) -> str:
    """One sentence."""
    height, width = time.size
    return (
        f"{width} x {height} pixels: {time.seconds_whole:.2f} s in one pass, {time.seconds_tiled:.2f} s in "
        f"{time.tiles} tiles of {time.tile}, which is {time.cost:+.1%} of time for {time.extra_pixels:+.1%} of pixels."
    )


def memory_line(use: MemoryUse) -> str:
    """One sentence."""
    height, width = use.size
    return (
        f"{width} x {height} pixels with --memory {use.memory}: at most {use.peak / 1e9:.2f} GB resident beside the "
        f"picture and its result ({use.idle / 1e9:.2f} GB of it the program itself), {use.seconds:.0f} s."
    )


def contrast_table(costs: Mapping[str, Cost]) -> str:
    """One row for the plain task, one for each contrastive loss."""
    rows: list[list[str]] = []
    for name, cost in costs.items():
        if not rows:
            rows.append(["none", f"{cost.plain_seconds:.3f}", "1.0", f"{cost.plain_bytes / 1e6:.0f}", "0", _NONE])
        row = [name, f"{cost.seconds:.3f}", f"{cost.seconds / cost.plain_seconds:.1f}", f"{cost.bytes / 1e6:.0f}"]
        rows.append([*row, f"{cost.state_bytes / 1e6:.0f}", f"{cost.push:.2g}"])
    headings = ("loss", "s a step", "times plain", "MB kept for the gradient", "MB of negatives", "push")
    return markdown_table(headings, rows)


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else f"{value:{form}}"
