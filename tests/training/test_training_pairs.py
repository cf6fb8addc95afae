"""Training on pairs, from files to weights; what single modules do with pairs is tested with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from unblemish.pictures.pairs import Pair, find_pairs
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource
from unblemish.training.division import load_data, split_for_search, split_pictures
from unblemish.training.errors import TrainingError
from unblemish.training.loading import load_rgb
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.synthesis import Synthesis
from unblemish.training.validation import Validation

Make = Callable[..., Recipe]
NAMES = ("blur", "sharp")
CPU = torch.device("cpu")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Four scenes of three pairs in GoPro's layout; damaged pictures are nothing like their originals."""
    draw = np.random.default_rng(0)
    for scene in ("one", "two", "three", "four"):
        for name in ("blur", "blur_gamma", "sharp"):
            folder = tmp_path / "train" / scene / name
            folder.mkdir(parents=True)
            for frame in range(3):
                pixels = draw.integers(256, size=(50, 56, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{frame:06}.png")
    return tmp_path / "train"


@pytest.fixture
def paired(recipe: Make, scenes: Path) -> Make:
    """A factory of tiny recipes that train on the pairs of `scenes`."""

    def make(**overrides: Any) -> Recipe:
        return recipe(**{"data__folder": str(scenes), "data__pairs": NAMES, "degradations": {}, **overrides})

    return make


def source(pictures: Any, **options: Any) -> PatchSource:
    return PatchSource(pictures, **({"patch": 16, "scales": (1.0,), "memory": 10**9} | options))


@pytest.mark.parametrize(
    "options", [{}, {"scales": (1.0, 0.5)}, {"memory": 0}, {"on_device": True, "scales": (1.0, 0.5)}, {"gray": True}]
)
def test_both_patches_of_a_pair_are_cut_turned_and_mirrored_alike(scenes: Path, options: dict[str, Any]) -> None:
    pairs = find_pairs(scenes, NAMES)
    both = source(pairs, **options)
    damaged, clean = (source([pair.files()[side] for pair in pairs], **options) for side in (0, 1))
    for seed in range(3):
        for side in (None, 20):
            drawn, *apart = (s.tensor(12, np.random.default_rng(seed), CPU, side) for s in (both, clean, damaged))
            assert torch.equal(drawn, torch.cat(apart, dim=1))


def test_a_batch_holds_the_pairs_as_they_are(paired: Make) -> None:
    made = paired()
    patches, _ = load_data(made)
    seed = step_seed(0, 0, 1)
    batch = draw_batch(made, patches, Synthesis.of(made.degradations), seed, CPU)
    drawn = patches.tensor(2, np.random.default_rng(seed), CPU)
    assert torch.equal(batch.clean, drawn[:, :3])
    assert torch.equal(batch.degraded, drawn[:, 3:])
    for part in (batch.clean, batch.degraded):
        assert part.is_contiguous(memory_format=torch.channels_last)


def test_a_share_of_the_patches_may_stay_clean(paired: Make) -> None:
    made = paired(degradations={"clean": 0.5}, batch=40)
    patches, _ = load_data(made)
    batch = draw_batch(made, patches, Synthesis.of(made.degradations), 7, CPU)
    spared = (batch.degraded == batch.clean).flatten(1).all(dim=1)
    assert 5 < int(spared.sum()) < 35
    assert torch.equal(batch.degraded[~spared], patches.tensor(40, np.random.default_rng(7), CPU)[~spared, 3:])


def test_gray_pairs_have_one_channel(paired: Make) -> None:
    made = paired(data__gray=True)
    patches, validation = load_data(made)
    batch = draw_batch(made, patches, Synthesis.of(made.degradations), 3, CPU)
    drawn = patches.tensor(2, np.random.default_rng(3), CPU)
    assert torch.equal(batch.clean, drawn[:, :1])
    assert torch.equal(batch.degraded, drawn[:, 3:4])
    assert validation.clean.shape == validation.degraded["pairs"].shape == (2, 1, 48, 48)


def test_pictures_alone_give_the_patches_they_always_gave(recipe: Make, photos: Path) -> None:
    made = recipe(data__scales=[1.0, 0.5])
    patches, _ = load_data(made)
    paths, _ = split_pictures(made)
    batch = draw_batch(made, patches, Synthesis.of(made.degradations), 11, CPU)
    draw, squares = np.random.default_rng(11), []
    for _ in range(2):  # a picture, one of its scales, a place, quarter turns, a reflection: in this order for ever
        whole = load_rgb(Path(str(paths[draw.integers(len(paths))])))
        versions = [whole, shrink_half(whole)]
        version = versions[draw.integers(2)]
        top, left = draw.integers(version.shape[0] - 31), draw.integers(version.shape[1] - 31)
        square = np.rot90(version[top : top + 32, left : left + 32], draw.integers(4))
        squares.append(square[::-1] if draw.integers(2) else square)
    expected = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255
    assert torch.equal(batch.clean, expected)
    assert torch.equal(batch.degraded, Synthesis.of(made.degradations)(expected, 11))


def shrink_half(pixels: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    size = [side // 2 for side in pixels.shape[:2]]
    y = nn.functional.interpolate(x, size=size, mode="bicubic", antialias=True)
    return y.round().clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()


def test_whole_scenes_are_validated_on_and_nothing_of_them_is_trained_on(paired: Make) -> None:
    training, validation = split_pictures(paired(validation__pictures=4))
    trained, validated = ({one.scene for one in part if isinstance(one, Pair)} for part in (training, validation))
    assert (len(trained), len(validated), len(training), len(validation)) == (2, 2, 6, 4)
    assert not trained & validated


def test_a_folder_of_scenes_to_validate_on_is_never_trained_on(paired: Make, scenes: Path) -> None:
    (scenes.parent / "held").mkdir()
    (scenes / "two").rename(scenes / "held_out")
    made = paired(validation__folder=str(scenes / "held_out"), validation__pictures=2)
    training, validation = split_pictures(made)
    assert (len(training), len(validation)) == (9, 2)
    assert all(isinstance(one, Pair) and "held_out" in str(one.clean) for one in validation)
    assert not any("held_out" in str(one) for one in training)


def test_a_search_divides_scenes_too(search: Make, scenes: Path) -> None:
    made = search(data__folder=str(scenes), data__pairs=NAMES, degradations={}, validation__pictures=1)
    training, held_out = split_pictures(made)
    weights, architecture = split_for_search(made, training, held_out)
    parts = [{one.scene for one in part if isinstance(one, Pair)} for part in (weights, architecture, held_out)]
    assert [len(part) for part in parts] == [1, 2, 1]
    assert len(set.union(*parts)) == 4


def test_pairs_are_scored_by_their_gain_over_the_damaged_pictures(scenes: Path) -> None:
    pairs = find_pairs(scenes, NAMES)[:3]
    validation = Validation(pairs, crop=48, names=[], seed=0)
    assert "3 held-out pictures, central 48 x 48 px" in str(validation.protocol)

    class Darker(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.8

    scores = validation.score(Darker(), CPU)
    assert list(scores) == ["pairs", "clean", "gain"]
    before, after = [], []
    for pair in pairs:
        damaged, clean = (load_rgb(path)[1:49, 4:52] for path in pair.files())
        before.append(peak_signal_noise_ratio(clean, damaged))
        after.append(peak_signal_noise_ratio(clean, np.rint(damaged * 0.8).astype(np.uint8)))
    assert scores["pairs"] == pytest.approx(np.mean(after), abs=1e-3)
    assert scores["gain"] == pytest.approx(np.mean(after) - np.mean(before), abs=1e-3)
    identity = validation.score(nn.Identity(), CPU)
    assert (identity["gain"], identity["clean"]) == (0.0, validation.protocol.psnr_ceiling)


def test_pairs_that_cannot_be_used_are_listed_and_the_others_used(scenes: Path) -> None:
    (scenes / "one/sharp/000000.png").unlink()
    (scenes / "two/blur/000000.png").unlink()
    Image.new("RGB", (56, 49)).save(scenes / "two/blur/000001.png")
    (scenes / "two/blur/000002.png").write_text("junk")
    pairs = find_pairs(scenes, NAMES)
    patches = source(pairs)
    assert len(patches) == 8
    lines = {str(path.relative_to(scenes)): line for path, line in patches.broken.items()}
    assert lines.keys() == {"one/blur/000000.png", *(f"two/sharp/00000{frame}.png" for frame in range(3))}
    assert "has no clean original of the same name" in lines["one/blur/000000.png"]
    assert "has no damaged picture of the same name" in lines["two/sharp/000000.png"]
    assert "a pair must have one size, not 56 x 49 and 56 x 50" in lines["two/sharp/000001.png"]
    assert "two/blur/000002.png" in lines["two/sharp/000002.png"]
    validation = Validation(pairs, crop=48, names=[], seed=0)
    assert validation.broken == patches.broken
    with pytest.raises(TrainingError, match=r"none of 3 pictures can be used.*no damaged picture"):
        source([pair for pair in pairs if pair.scene == "two"])


def test_a_training_on_pairs_learns_and_goes_on_bit_for_bit(
    paired: Make, scenes: Path, recorder: Any, tmp_path: Path
) -> None:
    (scenes / "one/blur/000001.png").unlink()
    made = paired(validation__every=2)

    def run(recipe: Recipe, name: str, **options: Any) -> Checkpoint:
        train(recipe, tmp_path / name, accelerator="cpu", **options)
        return Checkpoint.load(tmp_path / name / "last.ckpt")

    watcher = recorder()
    straight = run(made, "a", callbacks=[watcher])
    assert watcher.facts["pictures"] == 8
    assert len(watcher.facts["broken"]) == 1
    assert set(watcher.validations[6][0]) == {"pairs", "clean", "gain"}

    class Stop(type(watcher)):
        def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(paired(validation__every=4, save_every=3), "b", callbacks=[Stop()])
    resumed = run(made, "b", resume=True)
    assert resumed.step == straight.step == 6
    assert all(torch.equal(resumed.task[key], value) for key, value in straight.task.items())
    with pytest.raises(TrainingError, match=r"another recipe \(data.pairs differ\)"):
        run(paired(data__pairs=("blur_gamma", "sharp"), steps=8), "b", resume=True)


def test_what_does_not_go_with_pairs_is_refused(paired: Make, recipe: Make, tmp_path: Path) -> None:
    for part in ({"names": ["jpeg"]}, {"shrink": 2}, {"rounding": "none"}):
        with pytest.raises(TrainingError, match=r"data\.pairs come damaged, both pictures in one size; leave out"):
            paired(degradations=part)
    with pytest.raises(TrainingError, match=r"give degradations\.names, .* or data\.pairs"):
        recipe(degradations={})
    for pairs in (["blur"], "blur", ["a", "b", "c"]):
        with pytest.raises(TrainingError, match=r"data\.pairs"):
            paired(data__pairs=pairs)
    enlarging = paired(network={"name": "srresnet_x4_compact"})
    with pytest.raises(TrainingError, match=r"enlarges pictures 4 times, but data\.pairs are of one size"):
        train(enlarging, tmp_path / "run", accelerator="cpu")
