from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from scipy.ndimage import convolve

from unblemish.degradations.blur import line_kernels
from unblemish.networks.catalogue import create
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write

LINE = line_kernels(torch.tensor([7.0]), torch.tensor([20.0]))[0].numpy()
GOLF = {"width": 2, "corrector_width": 2}


@pytest.fixture(autouse=True)
def files(photos: Path, tmp_path: Path) -> None:
    """`kernel.npy`, `kernel.png`, and `golf.safetensors` as a training leaves it."""
    np.save(tmp_path / "kernel.npy", LINE)
    Image.fromarray(np.rint(LINE / LINE.max() * 255).astype(np.uint8)).save(tmp_path / "kernel.png")
    torch.manual_seed(0)
    told = {"network": "golf", "options": json.dumps(GOLF), "step": "1"}
    save_file(create("golf", GOLF).state_dict(), tmp_path / "golf.safetensors", told)


def blurred(sharp: NDArray[np.uint16]) -> NDArray[np.uint16]:
    seen = [convolve(channel.astype(np.float64), LINE, mode="nearest") for channel in sharp.transpose(2, 0, 1)]
    return np.rint(seen).transpose(1, 2, 0).astype(np.uint16)


@pytest.mark.parametrize("method", ["tv", "wiener", "richardson_lucy"])
def test_a_picture_comes_back_sharper_with_sixteen_bits_and_alpha(
    run, draw: Callable[..., NDArray[np.uint16]], tmp_path: Path, method: str
) -> None:
    alpha = draw(5, (64, 72), "uint16")
    for name, channels in (("colour", 3), ("gray", 1)):
        sharp = draw(1, (64, 72, channels), "uint16")
        seen = np.ascontiguousarray(blurred(sharp))
        write(Picture(seen, "png", alpha=alpha), tmp_path / f"{name}.png")
        ran = run("deconvolve", f"{name}.png", "--kernel", "kernel.npy", "--method", method)
        assert ran.status == 0, ran.err
        assert ran.err.startswith(f"{method}, ")
        found = read(tmp_path / f"{name}_deconvolved.png")
        assert found.pixels.dtype == np.uint16
        assert found.pixels.shape == sharp.shape
        assert np.array_equal(found.alpha, alpha)
        assert (found.pixels % 257 != 0).any()  # not eight bits blown up
        off = [np.square(x.astype(np.float64) - sharp).mean() for x in (found.pixels, seen)]
        assert off[0] < 0.5 * off[1]


def test_a_learned_prior_needs_a_golf_optimizer(run, photos: Path) -> None:
    words = ("deconvolve", "photos/a.png", "--kernel", "kernel.png", "--method", "prior", "--iterations", "3")
    ran = run(*words, "--bundle", "golf.safetensors", "--device", "cpu", "--json")
    assert ran.status == 0, ran.err
    setup = json.loads(ran.out)["setup"]
    assert {key: setup[key] for key in ("method", "weight", "iterations", "device")} == {
        "method": "prior", "weight": 1.0, "iterations": 3, "device": "cpu",
    }  # fmt: skip
    assert setup["memory"] > 1e6
    first = read(Path("photos/a_deconvolved.png")).pixels
    run(*words, "--bundle", "golf.safetensors", "--weight", "0.1", "--overwrite")
    assert not np.array_equal(read(Path("photos/a_deconvolved.png")).pixels, first)
    refused = run(*words, "-o", "other.png")
    assert refused.status == 1
    assert "holds no Golf Optimizer" in refused.err
    assert "--bundle" in refused.err
    assert "has in 'tiny' no Golf Optimizer" in run(*words, "-o", "other.png", "--network", "tiny").err


def test_folders_are_mirrored(run, photos: Path) -> None:
    assert run("deconvolve", "photos", "-o", "out", "--kernel", "kernel.png", "--method", "wiener").status == 0
    made = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.*"))
    assert made == ["a.png", "b.jpg", "deep/c.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kernel", "none.png"], "none.png: no such file"),
        (["--kernel", "kernels"], "kernels: holds 2 kernels"),
        (["--kernel", "kernel.npy", "--method", "wiener", "--iterations", "3"], "wiener knows no iterations"),
        (["--kernel", "kernel.npy", "--method", "richardson_lucy", "--weight", "3"], "knows no weight"),
        (["--kernel", "kernel.npy", "--weight", "0"], "weight 0 is not possible"),
        (["--kernel", "kernel.npy", "--bundle", "golf.safetensors"], "the method tv uses no network"),
        (["--kernel", "kernel.npy", "--method", "prior", "--bundle", "nowhere"], "there is no bundle in nowhere"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_1(run, photos: Path, words: list[str], message: str) -> None:
    Path("kernels").mkdir()
    for name in ("a", "b"):
        np.save(f"kernels/{name}.npy", LINE)
    ran = run("deconvolve", "photos/a.png", *words, "--quiet")
    assert ran.status == 1
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not Path("photos/a_deconvolved.png").exists()


def test_a_kernel_is_asked_for(run, photos: Path) -> None:
    ran = run("deconvolve", "photos/a.png")
    assert ran.status == 2
    assert "--kernel" in ran.err
