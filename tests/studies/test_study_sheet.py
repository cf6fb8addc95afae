from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from unblemish.evaluation.cases import Case
from unblemish.evaluation.scoring import Method
from unblemish.studies import sheet as module
from unblemish.training.fit import FINAL


def test_columns_are_the_arms_and_small_pictures_are_enlarged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[str, Any]] = []

    def as_method(run: Any, device: torch.device, name: str) -> Method:
        seen.append((name, run.folder.name))
        return Method(name, lambda x: torch.nn.functional.interpolate(x, scale_factor=4))

    class Cases:
        title, kind = "Shrunk", "x4"

        def __iter__(self) -> Any:
            yield Case("a.png", torch.rand(1, 3, 10, 12), torch.rand(1, 3, 40, 48))

    monkeypatch.setattr(module, "as_method", as_method)
    for name in ("none_seed0", "none_seed1", "spn_seed1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FINAL).touch()
    result: Any = SimpleNamespace(
        arms=("none", "spn", "told"),
        sets=[SimpleNamespace(name="set5", cases=[Cases()])],
        of=lambda arm: [SimpleNamespace(run=SimpleNamespace(folder=tmp_path / f"{arm}_seed{seed}")) for seed in (0, 1)],
    )
    drawn = module.study_sheet(result)
    assert seen == [("none", "none_seed0"), ("spn", "spn_seed1")]
    assert 4 * module.SIDE < drawn.width < 5 * module.SIDE
