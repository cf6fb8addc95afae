from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.evaluation.cases import Case, DegradedFolder
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import Metric, create_metric, psnr, ssim
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.score_table import INPUT
from unblemish.evaluation.scoring import Method, score

PSNR, SSIM = create_metric("psnr"), create_metric("ssim")


def halved(x: Tensor) -> Tensor:
    return 0.5 * x + 0.25


def test_scores_are_those_of_the_metrics(photos: Path) -> None:
    cases = DegradedFolder(photos, create("gaussian_noise"))
    table = score([Method("halved", halved)], [cases], [preset("rgb"), preset("y_crop4")], [PSNR, SSIM])
    for protocol in (preset("rgb"), preset("y_crop4")):
        for method, restore in ((INPUT, lambda x: x), ("halved", halved)):
            for metric, compute in (("psnr", psnr), ("ssim", ssim)):
                values = table.values("gaussian_noise", method, protocol.name, metric)
                assert len(values) == 3
                for case in cases:
                    assert isinstance(case, Case)
                    x, y = protocol.prepare(restore(case.damaged)), protocol.prepare(case.clean)
                    assert values[case.name] == pytest.approx(compute(x, y).item(), abs=1e-6)
    assert table.seconds.keys() == {"halved"}
    assert table.protocols[0].set_name == f"{cases.source} (3)"


def test_only_suited_methods_run(photos: Path) -> None:
    sets = [DegradedFolder(photos, create("jpeg")), DegradedFolder(photos, create("ringing"))]
    seen: list[tuple[int, int]] = []
    methods = [Method("all", halved), Method("some", halved, applies_to=frozenset({"jpeg"}))]
    table = score(methods, sets, [preset("rgb")], [PSNR], lambda done, total: seen.append((done, total)))
    assert table.mean("jpeg", "some", "rgb", "psnr") == table.mean("jpeg", "all", "rgb", "psnr")
    assert table.mean("ringing", "some", "rgb", "psnr") is None
    assert table.average("some", "rgb", "psnr") is None
    assert seen == [(done, 9) for done in (2, 4, 6, 7, 8, 9)]


def test_failures_are_kept_and_the_rest_goes_on(photos: Path) -> None:
    (photos / "a.png").write_bytes(b"broken")

    def picky(x: Tensor) -> Tensor:
        if torch.equal(x[:, 0], x[:, 1]):
            raise RuntimeError("no gray")
        return x

    methods = [
        Method("picky", picky),
        Method("small", lambda x: x[..., :8]),
        Method("nan", lambda x: x * float("nan")),
    ]
    table = score(methods, [DegradedFolder(photos, None)], [preset("rgb")], [PSNR])
    failed = {(f.method, f.picture): f.reason for f in table.failures}
    assert failed.keys() == {
        ("input", "a.png"),
        ("picky", "more/gray.png"),
        *((method, picture) for method in ("small", "nan") for picture in ("b.png", "more/gray.png")),
    }
    assert failed["picky", "more/gray.png"] == "RuntimeError: no gray"
    assert "shape" in failed["small", "b.png"]
    assert "not finite" in failed["nan", "b.png"]
    assert table.values("clean", "picky", "rgb", "psnr") == {"b.png": 100.0}


def test_methods_cannot_change_the_case(photos: Path) -> None:
    methods = [Method("first", lambda x: x.mul_(0)), Method("second", lambda x: x)]
    table = score(methods, [DegradedFolder(photos, None)], [preset("rgb")], [PSNR])
    assert table.mean("clean", "second", "rgb", "psnr") == 100


def test_rgb_metrics_are_left_out_under_luma(photos: Path) -> None:
    metric = Metric("distance", "Distance", 3, False, True, lambda x, y, _: (x - y).abs().mean((1, 2, 3)))
    table = score([], [DegradedFolder(photos, create("jpeg"))], [preset("rgb"), preset("y")], [PSNR, metric])
    assert {(s.protocol, s.metric) for s in table.scores} == {
        ("rgb", "psnr"),
        ("rgb", "distance"),
        ("y", "psnr"),
    }


def test_pictures_a_metric_cannot_take_are_failures(photos: Path, make_scene) -> None:
    from PIL import Image

    Image.fromarray(make_scene(0, 10, 90)).save(photos / "flat.png")
    table = score([Method("same", lambda x: x)], [DegradedFolder(photos, None)], [preset("rgb")], [PSNR, SSIM])
    assert [(f.picture, f.method) for f in table.failures] == [("flat.png", "input")]
    assert "11 x 11" in table.failures[0].reason
    assert "flat.png" not in table.values("clean", "same", "rgb", "psnr")


def test_mistakes_are_refused(photos: Path) -> None:
    clean = DegradedFolder(photos, None)
    for arguments in (
        ([], [clean, clean], [preset("rgb")]),
        ([Method("input", halved)], [clean], [preset("rgb")]),
        ([], [clean], [preset("rgb"), preset("rgb")]),
    ):
        with pytest.raises(ValueError, match="have one name"):
            score(*arguments, [PSNR])
    for path in photos.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(EvaluationError, match=r"nothing could be scored; the first reason: .*a\.png"):
        score([], [clean], [preset("rgb")], [PSNR])
