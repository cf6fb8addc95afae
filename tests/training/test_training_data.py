from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.pictures.folders import find_pictures
from unblemish.training.data import PatchSource, to_batch
from unblemish.training.errors import TrainingError


def source(paths: list[Path], **options: object) -> PatchSource:
    return PatchSource(paths, **({"patch": 16, "scales": (1.0,), "memory": 10**9} | options))  # pyright: ignore


def test_to_batch_keeps_values_and_lies_channels_last() -> None:
    patches = [np.random.default_rng(n).integers(256, size=(5, 6, 3), dtype=np.uint8) for n in range(2)]
    batch = to_batch(patches)
    assert batch.shape == (2, 3, 5, 6)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    expected = np.stack(patches).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    assert np.array_equal(batch.numpy(), expected)


def test_patches_depend_on_the_generator_alone(photos: Path) -> None:
    pictures = source(find_pictures(photos), scales=(1.0, 0.5))
    first = pictures.batch(20, np.random.default_rng(1))
    pictures.batch(3, np.random.default_rng(9))
    again = pictures.batch(20, np.random.default_rng(1))
    other = pictures.batch(20, np.random.default_rng(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_patches_do_not_depend_on_what_is_kept_in_memory(photos: Path) -> None:
    paths = find_pictures(photos)
    full, none = source(paths, scales=(1.0, 0.5)), source(paths, scales=(1.0, 0.5), memory=0)
    draws = [pictures.batch(12, np.random.default_rng(4)) for pictures in (full, none)]
    assert all(np.array_equal(a, b) for a, b in zip(*draws, strict=True))


def test_patches_are_cut_from_the_pictures_turned_and_mirrored(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(18, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cuts = {
        np.rot90(pixels[top : top + 16, left : left + 16], turns)[::way].tobytes()
        for top in range(3)
        for left in range(5)
        for turns in range(4)
        for way in (1, -1)
    }
    drawn = {p.tobytes() for p in source([tmp_path / "a.png"]).batch(1500, np.random.default_rng(0))}
    assert drawn == cuts


def test_patches_do_not_depend_on_where_the_pictures_are_kept(photos: Path) -> None:
    paths, device = find_pictures(photos), torch.device("cpu")
    host, resident = (source(paths, scales=(1.0, 0.5), on_device=kept) for kept in (False, True))
    for seed in range(8):
        expected, found = (pictures.tensor(12, np.random.default_rng(seed), device) for pictures in (host, resident))
        assert torch.equal(found, expected)
        assert found.is_contiguous(memory_format=torch.channels_last)
    larger = [pictures.tensor(3, np.random.default_rng(0), device, 20) for pictures in (host, resident)]
    assert torch.equal(*larger)


def test_pictures_that_do_not_fit_are_not_kept_on_a_device(photos: Path) -> None:
    with pytest.raises(TrainingError, match=r"only 0 of \d+ pictures fit into data.memory"):
        source(find_pictures(photos), memory=0, on_device=True)


def test_broken_and_small_pictures_are_listed_and_the_others_used(photos: Path, tmp_path: Path) -> None:
    good = find_pictures(photos)[0]
    broken, small = tmp_path / "broken.png", tmp_path / "small.png"
    broken.write_bytes(good.read_bytes()[:300])
    Image.new("RGB", (15, 40)).save(small)
    pictures = source([broken, good, small])
    assert len(pictures) == 1
    assert set(pictures.broken) == {broken, small}
    assert "broken.png" in pictures.broken[broken]
    assert "smaller than the 16-pixel patch" in pictures.broken[small]


def test_no_usable_picture_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("junk")
    with pytest.raises(TrainingError, match=r"none of 1 pictures can be used.*a\.png"):
        source([path])
