from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.pictures.errors import PictureError
from unblemish.pictures.pairs import Pair, find_pairs, known_folders, require_one_size

BLURRED = ("blur", "sharp")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_pairs_of_two_folders_have_the_same_path_whatever_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "blur/b.png", "blur/more/a.jpg", "sharp/b.webp", "sharp/more/a.png", "notes/c.png", "d.png")
    first, second = find_pairs(tmp_path, BLURRED)
    assert first == Pair("b", tmp_path / "blur/b.png", tmp_path / "sharp/b.webp")
    assert second == Pair("more/a", tmp_path / "blur/more/a.jpg", tmp_path / "sharp/more/a.png")
    assert (first.scene, second.scene) == ("", "more")
    assert first.files() == (tmp_path / "blur/b.png", tmp_path / "sharp/b.webp")


def test_pairs_of_scenes_are_named_after_them(tmp_path: Path) -> None:
    for scene in ("train/one", "test/two"):
        touch(tmp_path, *(f"{scene}/{kind}/0001.png" for kind in ("blur", "blur_gamma", "sharp")))
    touch(tmp_path, "train/.hidden/blur/1.png", "train/.hidden/sharp/1.png")
    pairs = find_pairs(tmp_path, BLURRED)
    assert [(pair.name, pair.scene) for pair in pairs] == [
        ("test/two/0001", "test/two"),
        ("train/one/0001", "train/one"),
    ]
    (gamma,) = find_pairs(tmp_path / "train", ("blur_gamma", "sharp"))
    one = tmp_path / "train/one"
    assert gamma == Pair("one/0001", one / "blur_gamma/0001.png", one / "sharp/0001.png")


def test_pictures_without_a_partner_are_pairs_of_one(tmp_path: Path) -> None:
    touch(tmp_path, "one/blur/1.png", "one/sharp/1.png", "one/sharp/2.png", "two/blur/1.png")
    whole, clean, damaged = find_pairs(tmp_path, BLURRED)
    assert whole.path == tmp_path / "one/sharp/1.png"
    assert (clean.damaged, clean.path) == (None, tmp_path / "one/sharp/2.png")
    assert (damaged.clean, damaged.path) == (None, tmp_path / "two/blur/1.png")
    with pytest.raises(PictureError, match=r"sharp/2\.png: has no damaged picture of the same name"):
        clean.files()
    with pytest.raises(PictureError, match=r"blur/1\.png: has no clean original of the same name"):
        damaged.files()


def test_the_two_folders_may_be_links(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.png", "set/sharp/a.png")
    (tmp_path / "set/blur").symlink_to(tmp_path / "elsewhere")
    assert [pair.name for pair in find_pairs(tmp_path / "set", BLURRED)] == ["a"]
    assert known_folders(tmp_path / "set") == BLURRED


def test_known_names_are_found_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a/input/1.png", "b/deeper/hazy/1.png", "b/deeper/clear/1.png")
    assert known_folders(tmp_path) == ("hazy", "clear")
    assert known_folders(tmp_path / "a") is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("blur", "clear"), "holds no folders blur and clear side by side, nor does a folder below"),
        (("blur", "blur"), "holds no folders blur and blur side by side"),
        (("blur", "sharp"), "its folders blur and sharp share no picture name"),
    ],
)
def test_folders_without_pairs_are_an_error(tmp_path: Path, names: tuple[str, str], words: str) -> None:
    touch(tmp_path, "blur/a.png", "sharp/b.png")
    with pytest.raises(PictureError, match=words):
        find_pairs(tmp_path, names)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for find in (known_folders, lambda folder: find_pairs(folder, BLURRED)):
        with pytest.raises(PictureError, match="none: no such folder"):
            find(tmp_path / "none")


def test_pictures_of_two_sizes_are_no_pair() -> None:
    pair = Pair("a", Path("blur/a.png"), Path("sharp/a.png"))
    require_one_size(pair, (4, 5), (4, 5))
    with pytest.raises(PictureError, match=r"blur/a\.png: a pair must have one size, not 5 x 4 and 6 x 4; crop one"):
        require_one_size(pair, (4, 5), (4, 6))
