"""Measures what becomes of pictures of which only a part is damaged.

    python recipes/local_damage.py PHOTOS --pictures 50 -o results/local_damage.json

Each photograph gets each degradation of the bundle's groups that can be in a part of a picture, with parameters drawn
from the published ranges, in its left half or its upper left quarter; the rest stays clean. Reported are the verdicts,
the gain over the whole picture and how much of the sound part beyond 64 pixels from the border was changed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.evaluation.cases import Case, DegradedFolder
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.pictures.picture import Picture
from unblemish.restoration.restorer import Restorer

PARTS = {"half": (1.0, 0.5), "quarter": (0.5, 0.5)}
"""Share of the height and of the width that is damaged, from the upper left corner."""

DISTANCE = 64
"""Pixels from the damaged part from which on the sound part should not be touched."""


def trial(restorer: Restorer, group: str, case: Case, part: tuple[float, float]) -> dict[str, Any]:
    """What happened to one picture."""
    height, width = (round(share * side) for share, side in zip(part, case.clean.shape[-2:], strict=True))
    damaged = case.clean.clone()
    damaged[..., :height, :width] = case.damaged[..., :height, :width]
    restored, found = restorer.restore_examined(Picture(damaged[0].permute(1, 2, 0).contiguous().numpy(), "png"))
    assert found is not None
    after = torch.from_numpy(restored.pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)
    changed = (after - damaged).abs().amax((0, 1)) * 255  # (H, W)
    changed[: height + DISTANCE, : width + DISTANCE] = 0
    return {
        "verdict": str(found.verdict),
        "right": found.verdict == "known" and found.group == group,
        "gain": measured(after, case.clean) - measured(damaged, case.clean),
        "sound_pixels_changed": float((changed > 0.5).float().mean()),
    }


def measured(x: Tensor, clean: Tensor) -> float:
    """PSNR, dB."""
    protocol = preset("rgb")
    return float(psnr(protocol.prepare(x), protocol.prepare(clean)))


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Shares and means over trials."""
    return {
        "right_group": float(np.mean([row["right"] for row in rows])),
        "treated": float(np.mean([row["verdict"] == "known" for row in rows])),
        "called_clean": float(np.mean([row["verdict"] == "clean" for row in rows])),
        "gain": float(np.mean([row["gain"] for row in rows])),
        "harmed": float(np.mean([row["gain"] < -0.1 for row in rows])),
        "sound_pixels_changed": float(np.mean([row["sound_pixels_changed"] for row in rows])),
    }


def main() -> None:
    """Reads the command line, tries, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    restorer = Restorer(arguments.bundle)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for group in restorer.bundle.groups:
        for kind in group.degradations:
            if create(kind).everywhere:
                continue
            cases = DegradedFolder(arguments.photos, create(kind), sampled=True, limit=arguments.pictures)
            for case in cases:
                assert isinstance(case, Case), case
                for name, part in PARTS.items():
                    rows.setdefault((name, kind), []).append(trial(restorer, group.name, case, part))
            sys.stderr.write(f"{kind}\n")
    write_result(
        arguments.output,
        {
            "provenance": provenance(["python", *sys.argv], [0], time.monotonic() - began),
            "protocol": str(preset("rgb").on(f"{arguments.photos.name}, {arguments.pictures} pictures")),
            "parts": {
                name: {
                    "all": summary([row for (part, _), many in rows.items() if part == name for row in many]),
                    **{kind: summary(many) for (part, kind), many in rows.items() if part == name},
                }
                for name in PARTS
            },
        },
    )


if __name__ == "__main__":
    main()
