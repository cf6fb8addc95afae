from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from unblemish.degradations.catalogue import create as create_degradation
from unblemish.evaluation.cases import Case, DegradedFolder
from unblemish.evaluation.metrics import create_metric, psnr
from unblemish.evaluation.protocol import preset
from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_weights, save_weights
from unblemish.pictures.errors import PictureError
from unblemish.studies import scores as study_scores
from unblemish.studies.scores import SCORES, ScoredSet, case_sets, known_scores, score_run, scored_set
from unblemish.studies.study import StudyRun
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL
from unblemish.training.recipe import DegradationPart, Recipe

JPEG = DegradationPart(names=("jpeg",))
TWO = DegradationPart(names=("jpeg", "gaussian_noise"))


def few(word: str, damage: DegradationPart, metrics: tuple[str, ...] = ("psnr",)) -> ScoredSet:
    return scored_set(word, damage, [preset("rgb")], [create_metric(name) for name in metrics])


def trained(folder: Path, recipe: Recipe) -> StudyRun:
    folder.mkdir()
    torch.manual_seed(0)
    save_weights(create(recipe.network.name, recipe.network.options), folder / FINAL, {})
    return StudyRun("plain", 0, recipe, folder)


@pytest.fixture
def some(photos: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "some"
    folder.mkdir()
    for number in range(2):
        shutil.copy(photos / f"picture{number}.png", folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, recipe: Callable[..., Recipe]) -> StudyRun:
    return trained(tmp_path / "plain_seed0", recipe())


def test_scores_are_those_of_the_network_and_the_input(run: StudyRun, some: Path) -> None:
    entry = score_run(run, few(f"mine={some}", TWO, ("psnr", "ssim")), "cpu")
    network = create(run.recipe.network.name, run.recipe.network.options).eval()
    load_weights(network, run.folder / FINAL)
    rgb, by_damage = preset("rgb"), []
    for name in TWO.names:
        after, before = [], []
        for case in DegradedFolder(some, create_degradation(name), sampled=True):
            assert isinstance(case, Case)
            with torch.inference_mode():
                restored = network(case.damaged).clamp(0, 1)
            after.append(psnr(rgb.prepare(restored), rgb.prepare(case.clean)).item())
            before.append(psnr(rgb.prepare(case.damaged), rgb.prepare(case.clean)).item())
        assert entry["network"][f"mine/{name}/rgb/psnr"] == pytest.approx(sum(after) / 2, abs=1e-5)
        assert entry["input"][f"mine/{name}/rgb/psnr"] == pytest.approx(sum(before) / 2, abs=1e-5)
        by_damage.append(after)
    assert entry["network"]["mine/average/rgb/psnr"] == pytest.approx(sum(map(sum, by_damage)) / 4, abs=1e-5)
    pictures = entry["pictures"]["rgb/psnr"]
    expected = [sum(values) / 2 for values in zip(*by_damage, strict=True)]
    assert list(pictures.values()) == pytest.approx(expected, abs=1e-5)
    assert list(pictures) == ["picture0.png", "picture1.png"]
    assert len(entry["network"]) == 6
    assert "border" not in entry["protocols"][0]
    assert "some (2)" in entry["protocols"][0]
    assert entry["device"] == "cpu"


def test_nothing_is_scored_twice_and_nothing_old_is_kept_for_new(
    run: StudyRun, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg = few(f"mine={some}", JPEG)
    assert jpeg.headline == "jpeg"
    assert known_scores(run, jpeg) is None
    entry = score_run(run, jpeg, "cpu")
    assert score_run(run, few(f"other={some}", JPEG), "cpu")["set"] == "other"
    with monkeypatch.context() as patch:
        patch.setattr(study_scores, "score", None)
        assert score_run(run, few(f"mine={some}", JPEG), "cpu") == entry
    assert known_scores(run, few(f"mine={some}", TWO)) is None
    assert known_scores(run, few(f"mine={some}", JPEG, ("psnr", "ssim"))) is None
    Image.new("RGB", (70, 70)).save(some / "new.png")
    assert known_scores(run, few(f"mine={some}", JPEG)) is None
    assert known_scores(run, jpeg) == entry
    torch.manual_seed(1)
    save_weights(create("srresnet", {"blocks": 1, "width": 8}), run.folder / FINAL, {})
    assert known_scores(run, jpeg) is None


def test_pairs_shrunk_and_damaged_pictures(some: Path, tmp_path: Path) -> None:
    assert [one.name for one in case_sets(some, TWO)] == ["jpeg", "gaussian_noise"]
    Image.new("L", (5, 3), 255).save(tmp_path / "box.png")
    blurred = DegradationPart(kernels=tmp_path / "box.png")
    assert [one.name for one in case_sets(some, blurred)] == ["given_kernels"]
    assert [one.name for one in case_sets(some, DegradationPart(shrink=4))] == ["x4"]
    assert [one.name for one in case_sets(some, DegradationPart(names=("jpeg",), shrink=2))] == ["jpeg_x2"]
    pairs = tmp_path / "pairs"
    shutil.copytree(some, pairs / "hazy")
    shutil.copytree(some, pairs / "clear")
    assert [one.name for one in case_sets(pairs, TWO)] == ["pairs"]
    assert [len(one) for folder in (some, pairs) for one in case_sets(folder, TWO, limit=1)] == [1, 1, 1]
    assert [len(one) for one in case_sets(some, DegradationPart(shrink=4), limit=1)] == [1]
    with pytest.raises(TrainingError, match="the network enlarges 4 times; score it on the folder of the clean"):
        case_sets(pairs, DegradationPart(shrink=4))


def test_pairs_of_scenes_are_scored_and_named_as_the_recipe_says(
    recipe: Callable[..., Recipe], some: Path, tmp_path: Path
) -> None:
    for name in ("blur", "blur_gamma", "sharp"):
        shutil.copytree(some, tmp_path / "pairs/scene" / name)
    (known,) = case_sets(tmp_path / "pairs", TWO)
    (given,) = case_sets(tmp_path / "pairs", TWO, pairs=("blur_gamma", "sharp"))
    assert known.damage == "as found in the files, blur and sharp"
    assert given.damage == "as found in the files, blur_gamma and sharp"
    paired = recipe(data__folder=str(tmp_path / "pairs"), data__pairs=["blur", "sharp"], degradations={})
    ways = [preset("rgb")], [create_metric("psnr")]
    scored = scored_set(f"mine={tmp_path / 'pairs'}", paired.degradations, *ways, pairs=paired.data.pairs)
    entry = score_run(trained(tmp_path / "paired_seed0", paired), scored, "cpu")
    assert entry["network"].keys() == {"mine/pairs/rgb/psnr"}
    with pytest.raises(PictureError, match="holds no folders blur and sharp side by side"):
        case_sets(some, paired.degradations, pairs=paired.data.pairs)


def test_an_enlarging_network_is_scored(recipe: Callable[..., Recipe], some: Path, tmp_path: Path) -> None:
    four = recipe(network={"name": "srresnet_x4_compact", "options": {"blocks": 1, "width": 8}},
                  degradations={"shrink": 4})  # fmt: skip
    entry = score_run(trained(tmp_path / "four_seed0", four), few(f"mine={some}", four.degradations), "cpu")
    assert entry["network"].keys() == entry["input"].keys() == {"mine/x4/rgb/psnr"}
    assert entry["failures"] == []


def test_gray_networks_are_scored_on_gray_pictures(recipe: Callable[..., Recipe], some: Path, tmp_path: Path) -> None:
    options = {"architecture": "P/F", "width": 2, "gray": True, "residual": True}
    noise = {"names": ["gray_gaussian_noise:sigma=50"], "rounding": "truncated"}
    gray = recipe(network={"name": "multiscale", "options": options}, data__gray=True, degradations=noise)
    run = trained(tmp_path / "gray_seed0", gray)
    (cases,) = case_sets(some, gray.degradations, gray=True)
    assert cases.damage.endswith("gray, truncated to 8 bit")
    restored = [study_scores.as_method(run, torch.device("cpu"), "one").restore(case.damaged) for case in cases]
    network = create("multiscale", options).eval()
    load_weights(network, run.folder / FINAL)
    for case, found in zip(cases, restored, strict=True):
        assert torch.equal(case.clean[:, :1].expand(-1, 3, -1, -1), case.clean)
        with torch.no_grad():  # three equal channels are three pictures to it
            torch.testing.assert_close(found, network(case.damaged).clamp(0, 1))
    pictures = scored_set(f"mine={some}", gray.degradations, [preset("gray")], [create_metric("psnr")], gray=True)
    assert score_run(run, pictures, "cpu")["failures"] == []
    (tmp_path / "pairs").mkdir()
    for name in ("hazy", "clear"):
        shutil.copytree(some, tmp_path / "pairs" / name)
    (pairs,) = case_sets(tmp_path / "pairs", gray.degradations, gray=True)
    assert "gray" in pairs.damage
    with pytest.raises(TrainingError, match=r"not shrunk for scoring; leave out data.gray"):
        case_sets(some, DegradationPart(shrink=2), gray=True)


def test_failures_of_the_network_end_it_and_unreadable_pictures_are_listed(
    run: StudyRun, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (some / "broken.png").write_text("junk")
    pictures = few(f"mine={some}", JPEG)
    with monkeypatch.context() as patch:
        patch.setattr(study_scores, "as_method", lambda *_: study_scores.Method("network", lambda x: x[..., :8]))
        with pytest.raises(TrainingError, match=r"cannot be scored on mine, picture0.png: .*shape"):
            score_run(run, pictures, "cpu")
    assert not (run.folder / SCORES).exists()
    (failure,) = score_run(run, pictures, "cpu")["failures"]
    assert failure.startswith("jpeg, broken.png: ")


@pytest.mark.parametrize("word", ["photos", "=photos", "a/b=photos", "name="])
def test_words_of_another_form_are_refused(word: str) -> None:
    with pytest.raises(TrainingError, match="not of the form NAME=FOLDER"):
        few(word, JPEG)


def test_a_grown_network_restores_by_the_task_of_the_damage(
    some: Path, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    options = {"width": 16, "coarse_width": 16, "experts": 1, "blocks": 2, "grown": 1}
    run = trained(tmp_path / "grown_seed0", recipe(network={"name": "lira_compact", "options": options}))
    network = create("lira_compact", options)
    assert isinstance(network, Lira)
    torch.nn.init.normal_(network.branch(0).decoder.last.weight, std=0.1)  # task 1 stays the identity
    save_weights(network, run.folder / FINAL, {})
    run = dataclasses.replace(run, tasks={"jpeg": 0, "gaussian_noise": -1})
    entry = score_run(run, few(f"mine={some}", TWO), "cpu")
    same = {key for key, value in entry["input"].items() if value == entry["network"][key]}
    assert same == {"mine/gaussian_noise/rgb/psnr"}
