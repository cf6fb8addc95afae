from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from unblemish.degradations.blends import Blend
from unblemish.degradations.catalogue import create, names
from unblemish.degradations.parsing import parse
from unblemish.evaluation.cases import Case, DegradedFolder
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write


def made(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_the_damage_is_that_of_the_evaluation(run, photos: Path) -> None:
    (photos / "b.jpg").unlink()
    word = "gaussian_noise:sigma=30"
    assert run("degrade", photos, "-o", "out", "--with", word, "--seed", "3").status == 0
    degradation, values = parse(word)
    cases = list(DegradedFolder(photos, degradation, values=values, seed=3))
    assert len(cases) == 2
    for case in cases:
        assert isinstance(case, Case)
        levels = case.damaged[0].permute(1, 2, 0).mul(255).round().numpy().astype(np.uint8)  # (H, W, 3)
        assert np.array_equal(read(Path("out", case.name)).pixels, levels)


def test_it_follows_from_seed_and_name_alone(run, photos: Path) -> None:
    words = ("--with", "gaussian_noise", "--with", "jpeg", "--sampled")
    run("degrade", "photos", "-o", "folder", *words)
    run("degrade", "photos/b.jpg", "photos/a.png", "-o", "files", *words)
    run("degrade", photos.resolve() / "a.png", "-o", "one.png", *words)
    assert run("degrade", "photos", "-o", "seeded", *words, "--seed", "1").status == 0
    folder, files, seeded = (made(Path(name)) for name in ("folder", "files", "seeded"))
    assert set(folder) == {"a.png", "b.jpg", "deep/c.png"}
    assert {name: folder[name] for name in files} == files
    assert Path("one.png").read_bytes() == folder["a.png"]
    assert all(seeded[name] != folder[name] for name in folder)


def test_pictures_of_one_content_get_noise_of_their_own(run, photos: Path) -> None:
    (photos / "deep" / "a.png").write_bytes((photos / "a.png").read_bytes())
    run("degrade", "photos", "-o", "out", "--with", "gaussian_noise")
    assert Path("out/a.png").read_bytes() != Path("out/deep/a.png").read_bytes()


def test_sixteen_bits_gray_and_alpha_survive(run, draw, tmp_path: Path) -> None:
    pixels, alpha = draw(1, (40, 56, 1), "uint16"), draw(2, (40, 56), "uint16")
    write(Picture(pixels, "png", alpha=alpha), tmp_path / "gray.png")
    assert run("degrade", "gray.png", "--with", "darkness:gamma=2").status == 0
    damaged = read(tmp_path / "gray_degraded.png")
    wanted = (pixels / 65535.0) ** 2 * 65535
    assert damaged.pixels.dtype == np.uint16
    assert damaged.pixels.shape == pixels.shape
    assert np.abs(damaged.pixels - wanted).max() < 0.51  # rounded once
    assert np.array_equal(damaged.alpha, alpha)


def test_gray_gets_all_the_noise_that_was_asked_for(run, tmp_path: Path) -> None:
    write(Picture(np.full((200, 200, 1), 128, np.uint8), "png"), tmp_path / "gray.png")
    run("degrade", "gray.png", "--with", "gaussian_noise:sigma=20")
    found = read(tmp_path / "gray_degraded.png").pixels.astype(float).std()
    assert found == pytest.approx(20, rel=0.02)  # 40 000 samples: 0.4 % standard error


def test_floats_are_kept_as_floats(run, draw, tmp_path: Path) -> None:
    pixels = draw(1).astype(np.float32) / 255
    pixels[0, 0], pixels[0, 1] = 3.0, np.nan
    write(Picture(pixels, "tiff"), tmp_path / "float.tif")
    assert run("degrade", "float.tif", "--with", "darkness:gamma=1.5").status == 0
    damaged = read(tmp_path / "float_degraded.tif").pixels
    assert damaged.dtype == np.float32
    assert np.allclose(damaged[1:], pixels[1:] ** 1.5, atol=1e-6)
    assert damaged[0, 0].tolist() == [1, 1, 1]
    assert damaged[0, 1].tolist() == [0, 0, 0]


def test_blends_draw_within_their_bins_and_say_what_they_did(run, photos: Path) -> None:
    ran = run("degrade", "photos", "-o", "out", "--blend", "severe", "--scene", "haze", "--json")
    assert ran.status == 0, ran.err
    report = json.loads(ran.out)
    assert report["setup"] == {"damage": "severe_blend_with_haze", "drawn": True, "seed": 0}
    told = [outcome["notes"][0] for outcome in report["outcomes"]]
    assert len(set(told)) == 3
    for note in told:
        members = [part.partition(":")[0] for part in note.removeprefix("degraded with ").split()]
        assert members == ["haze", "gaussian_blur", "gaussian_noise", "jpeg"]
        blur, noise = (float(value) for value in re.findall(r"sigma=([\d.]+)", note))
        assert 0 <= blur <= 5
        assert 0 <= noise <= 50
        assert note in ran.err


def test_a_blend_by_name_is_that_of_the_options(run, photos: Path) -> None:
    run("degrade", "photos", "-o", "options", "--blend", "moderate", "--scene", "rain")
    ran = run("degrade", "photos", "-o", "name", "--with", "moderate_blend_with_rain", "--sampled", "--json")
    assert made(Path("options")) == made(Path("name"))
    (note, *_) = json.loads(ran.out)["outcomes"][0]["notes"]
    word = note.removeprefix("degraded with ")
    degradation, values = parse(word)  # what is told can be given
    assert degradation.name == "moderate_blend_with_rain"
    assert set(values) == set(degradation.specs)


def test_given_parameters_stand_and_the_others_are_drawn(run, photos: Path) -> None:
    ran = run("degrade", "photos", "-o", "out", "--with", "motion_blur:length=9", "--sampled", "--json")
    notes = [outcome["notes"][0] for outcome in json.loads(ran.out)["outcomes"]]
    found = [re.fullmatch(r"degraded with motion_blur:length=9,angle=([\d.]+)", note) for note in notes]
    assert len({match[1] for match in found if match}) == 3


def test_given_kernels_blur_before_other_damage(run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    np.save(tmp_path / "kernels" / "a.npy", [[0, 0, 1]])
    np.save(tmp_path / "kernels" / "b.npy", np.eye(7))
    ran = run("degrade", photos / "a.png", "-o", "moved.png", "--kernels", "kernels", "--json")
    assert ran.status == 0, ran.err
    report = json.loads(ran.out)
    assert report["setup"]["damage"] == "given_kernels"
    assert report["outcomes"][0]["notes"] == ["degraded with given_kernels:kernel=0,noise=0,light=gamma"]
    assert np.array_equal(read(Path("moved.png")).pixels[:, 1:], read(photos / "a.png").pixels[:, :-1])
    words = ("--kernels", "kernels/b.npy", "--with", "jpeg:quality=30", "--sampled", "--json")
    (note,) = json.loads(run("degrade", photos / "a.png", "-o", "both.png", *words).out)["outcomes"][0]["notes"]
    assert re.fullmatch(r"degraded with given_kernels:kernel=0,noise=[\d.]+,light=gamma jpeg:quality=30,\S+", note)


def test_a_lossy_file_does_not_add_its_damage_in_silence(run, photos: Path) -> None:
    ran = run("degrade", "photos", "-o", "out", "--with", "haze")
    warned = [line for line in ran.err.splitlines() if "adds its own loss" in line]
    assert len(warned) == 1
    assert warned[0].startswith("photos/b.jpg: JPEG adds its own loss")
    assert "adds its own loss" not in run("degrade", "photos", "-o", "p", "--with", "haze", "--format", "png").err


def test_the_list_names_every_degradation_and_parameter(run) -> None:
    ran = run("degrade", "--list")
    assert ran.status == 0
    blocks = dict(re.findall(r"^(\w+): .*\n((?:  .*\n)*)", ran.out, re.MULTILINE))
    assert tuple(blocks) == names()
    for name, block in blocks.items():
        degradation = create(name)
        specs = degradation.specs
        if isinstance(degradation, Blend):
            _, given = parse(f"{name}:{block.strip()}")
            assert list(given) == list(specs)
            assert list(given.values()) == pytest.approx([spec.default for spec in specs.values()], rel=1e-4)
            continue
        assert re.findall(r"^  (\w+)=", block, re.MULTILINE) == list(specs)
        assert all(spec.unit in block for spec in specs.values() if not spec.choices)
    assert "sigma=3  standard deviation; a number from 0 to 100 (pixels); --sampled draws 2 to 4" in ran.out
    assert "severe_blend_with_rain: 1 rain, 2 gaussian_blur, 3 gaussian_noise, 4 jpeg; --sampled draws" in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no degradation is given"),
        (["--with", "jepg"], "did you mean jpeg?"),
        (["--with", "jpeg:qualty=3"], "no parameter 'qualty'"),
        (["--with", "jpeg:quality=300"], "quality=300 is not allowed"),
        (["--with", "jpeg", "--blend", "mild"], "exclude each other"),
        (["--kernels", "photos", "--blend", "mild"], "--blend and --kernels exclude each other"),
        (["--kernels", "none"], "none: no such file or folder"),
        (["--with", "jpeg", "--scene", "haze"], "--scene belongs to --blend"),
        (["--blend", "mild", "--scene", "fog"], "no scene of a blend is called 'fog'; known are: none, haze"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_1(run, photos: Path, words: list[str], message: str) -> None:
    ran = run("degrade", "photos/a.png", *words)
    assert ran.status == 1
    assert message in ran.err
    assert ran.err.startswith("unblemish: ")
    assert len(ran.err.splitlines()) == 1
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "b.jpg", "deep"]
