"""Compares ways of deconvolution where the kernel is known: Wiener, Richardson-Lucy, total variation, learned priors.

    python recipes/deconvolution_comparison.py photos/val --tuning photos/train --prior runs/golf/best.safetensors \
        -o results/deconvolution.json --sheet results/deconvolution.png

Each picture is blurred by a kernel of its own, only where the kernel lies inside it, gets noise, and is rounded to 8
bits: nothing is known beyond the edges. Every method is told the kernel. Its settings are those of a small grid that do
best, by mean PSNR, on the first pictures of --tuning, which must share no file with those that are scored.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unblemish.degradations.blur import MotionBlur, line_kernels
from unblemish.degradations.camera_paths import drawn_path, path_kernels, radius_of
from unblemish.degradations.camera_shake import CameraShake
from unblemish.degradations.filter_flow import convolved_inside
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.seeding import picture_generator
from unblemish.errors import UserError
from unblemish.evaluation.cases import folder_label, load_rgb
from unblemish.evaluation.contact_sheets import SheetRow, check_sheet_ending, contact_sheet, save_sheet
from unblemish.evaluation.metrics import psnr, ssim
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.networks.base import Network
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.deconvolving import Deconvolver, golf_optimizer

PROTOCOL = preset("rgb")
GRIDS: dict[str, dict[str, Sequence[float]]] = {
    "wiener": {"weight": (0.003, 0.01, 0.03, 0.1)},
    "richardson_lucy": {"iterations": (5, 10, 20, 40)},
    "tv": {"weight": (0.0003, 0.0006, 0.0012, 0.0025, 0.005)},
    "prior": {"weight": (0.001, 0.3, 1.0, 3.0), "iterations": (10, 20, 40, 80)},
}
"""Settings to choose from. The least weight is next to no prior at all: what it reaches is due to stopping early."""


class Blurred(NamedTuple):
    """A picture, `(1, 3, H, W)`, blurred and clean, and its kernel, `(K, K)`."""

    name: str
    damaged: Tensor
    clean: Tensor
    kernel: Tensor


class Contender(NamedTuple):
    """A method, and the network whose corrector is its prior, if any."""

    name: str
    method: str
    network: Network | None = None

    def restore(self, case: Blurred, settings: Mapping[str, Any], device: str) -> Tensor:
        """`(1, 3, H, W)`."""
        way = Deconvolver(case.kernel, method=self.method, network=self.network, device=device, **settings)
        found = way.deconvolve(case.damaged[0].permute(1, 2, 0).double().numpy())  # (H, W, 3)
        return torch.from_numpy(found).permute(2, 0, 1)[None]


def blurred(
    folder: Path, blur: str, sigma: float, seed: int, limit: int | None, crop: int | None = None
) -> list[Blurred]:
    """The first pictures of a folder, each blurred by a kernel that follows from the seed and its name."""
    return [
        make(path, path.relative_to(folder).as_posix(), blur, sigma, seed, crop)
        for path in find_pictures(folder)[:limit]
    ]


def make(path: Path, name: str, blur: str, sigma: float, seed: int, crop: int | None) -> Blurred:
    """One of `blurred`; crop is the side of the central square that is used."""
    generator = picture_generator(seed, blur, name)
    if blur == "camera_shake":
        parameters = CameraShake().sample(1, generator)
        track = drawn_path(parameters, 2, float(parameters["extent"].max()), generator)
        kernel = path_kernels(track, radius_of(track))[0]  # (K, K)
    else:
        parameters = MotionBlur().sample(1, generator)
        kernel = line_kernels(parameters["length"], parameters["angle"])[0]
    clean, edge = load_rgb(path), len(kernel) // 2
    if crop:
        rows, columns = (slice(max(0, side - crop) // 2, (side + crop) // 2) for side in clean.shape[-2:])
        clean = clean[..., rows, columns]
    if min(clean.shape[-2:]) < 2 * edge + 16:
        raise UserError(f"{path}: is too small for a kernel of {len(kernel)} pixels; leave it out")
    seen = convolved_inside(clean, kernel)
    seen = seen + sigma / 255 * torch.randn(seen.shape, generator=generator)
    inner = clean[..., edge : clean.shape[-2] - edge, edge : clean.shape[-1] - edge]
    return Blurred(name, quantise_8bit(seen), inner, kernel)


def scores(found: Tensor, case: Blurred) -> tuple[float, float]:
    """PSNR and SSIM."""
    x, y = PROTOCOL.prepare(found), PROTOCOL.prepare(case.clean)
    return float(psnr(x, y).clamp(max=PROTOCOL.psnr_ceiling)), float(ssim(x, y))


def tune(contender: Contender, cases: Sequence[Blurred], device: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The best settings, and the whole grid; "at_edge" names settings that might do better still beyond the grid."""
    grid = GRIDS[contender.method]
    rows = []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        found = [scores(contender.restore(case, settings, device), case)[0] for case in cases]
        rows.append({**settings, "psnr": fmean(found)})
    best = max(rows, key=lambda row: row["psnr"])
    chosen = {key: best[key] for key in grid}
    at_edge = [key for key, value in chosen.items() if value in (grid[key][0], grid[key][-1])]
    return chosen, {"grid": rows, "chosen": chosen, "at_edge": at_edge}


def measure(
    contenders: Sequence[Contender], cases: Sequence[Blurred], tuning: Sequence[Blurred], shown: int, device: str
) -> tuple[dict[str, Any], list[SheetRow]]:
    """Tunes and scores every contender; rows of a sheet for the first cases."""
    before = [scores(case.damaged, case) for case in cases]
    table: dict[str, Any] = {"blurred": {**_means(before), "each": [p for p, _ in before]}}
    pictures = [[case.clean, case.damaged] for case in cases[:shown]]
    captions = [[case.name, f"{p:.2f} dB"] for case, (p, _) in zip(cases, before, strict=True)]
    for contender in contenders:
        settings, tuned = tune(contender, tuning, device)
        found, began = [], time.perf_counter()
        for number, case in enumerate(cases):
            restored = contender.restore(case, settings, device)
            found.append(scores(restored, case))
            if number < shown:
                pictures[number].append(restored.float())
                captions[number].append(f"{found[-1][0]:.2f} dB")
        seconds = (time.perf_counter() - began) / len(cases)
        table[contender.name] = {**_means(found), "each": [p for p, _ in found], "seconds": seconds, "tuning": tuned}
    return table, [SheetRow("", row, told) for row, told in zip(pictures, captions, strict=False)]


def _means(found: Sequence[tuple[float, float]]) -> dict[str, float]:
    return {"psnr": fmean(p for p, _ in found), "ssim": fmean(s for _, s in found)}


def check_apart(scored: Path, tuning: Path) -> None:
    """Complains of pictures that would be tuned on and scored."""
    digests = [{hashlib.sha256(p.read_bytes()).digest(): p for p in find_pictures(each)} for each in (scored, tuning)]
    shared = digests[0].keys() & digests[1].keys()
    if shared:
        raise UserError(f"{digests[1][shared.pop()]}: is scored, too; tune on other pictures")


def main(words: Sequence[str] | None = None) -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="folder of clean pictures to score")
    parser.add_argument("--tuning", type=Path, required=True, help="folder of other clean pictures")
    parser.add_argument("--prior", type=Path, action="append", default=[], help="weights of golf, or a bundle with it")
    parser.add_argument("--blur", choices=("camera_shake", "motion_blur"), default="camera_shake")
    parser.add_argument("--sigma", type=float, default=2.55, help="of the noise, of 0..255")
    parser.add_argument("--limit", type=int, help="score only the first so many pictures")
    parser.add_argument("--tuning-limit", type=int, default=6)
    parser.add_argument("--tuning-crop", type=int, default=192, help="central square to tune on, pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="of the learned priors")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--rows", type=int, default=4, help="of the sheet")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(words)
    if chosen.sheet:
        check_sheet_ending(chosen.sheet)
    check_apart(chosen.pictures, chosen.tuning)
    began = time.perf_counter()
    contenders = [Contender(name, name) for name in GRIDS if name != "prior"]
    contenders += [Contender(f"prior {_label(path)}", "prior", golf_optimizer(bundle=path)) for path in chosen.prior]
    cases = blurred(chosen.pictures, chosen.blur, chosen.sigma, chosen.seed, chosen.limit)
    tuning = blurred(chosen.tuning, chosen.blur, chosen.sigma, chosen.seed, chosen.tuning_limit, chosen.tuning_crop)
    table, rows = measure(contenders, cases, tuning, chosen.rows, chosen.device)
    command = ["python", "recipes/deconvolution_comparison.py", *(words or sys.argv[1:])]
    write_result(
        chosen.output,
        {
            "provenance": provenance(command, [chosen.seed], time.perf_counter() - began),
            "protocol": str(PROTOCOL), "blur": chosen.blur, "sigma": chosen.sigma, "methods": table,
            "set": f"{folder_label(chosen.pictures)} ({len(cases)})",
            "tuning_set": f"{folder_label(chosen.tuning)} ({len(tuning)}, {chosen.tuning_crop} pixels square)",
        },
    )  # fmt: skip
    if chosen.sheet:
        save_sheet(contact_sheet(["clean", *table], rows), chosen.sheet)


def _label(path: Path) -> str:
    return "/".join(path.with_suffix("").parts[-2:])


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
