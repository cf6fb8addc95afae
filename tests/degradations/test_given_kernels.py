from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torch import Tensor

from unblemish.degradations.errors import DegradationError
from unblemish.degradations.given_kernels import GivenKernels, read_kernels

Damage = Callable[..., Tensor]
WEIGHTS = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 0, 9], [1, 0, 0]])
EXPECTED = torch.tensor(WEIGHTS / WEIGHTS.sum(), dtype=torch.float32)


def written(folder: Path, name: str) -> Path:
    """A file with `WEIGHTS` times 7 in it."""
    path, values, kind = folder / name, WEIGHTS * 7, name.partition(".")[0]
    gray = values.astype(np.uint8)
    match kind:
        case "array":
            np.save(path, values)
        case "levin":
            savemat(path, {"x": np.ones((9, 9)), "f": values / 3.0, "y": np.ones((9, 9))})
        case "alone":
            savemat(path, {"psf": values})
        case "deep":
            Image.fromarray(values.astype(np.uint16) * 900).save(path)
        case "float":
            Image.fromarray(values.astype(np.float32) * 1e-6).save(path)
        case "colour":
            Image.fromarray(np.repeat(gray[..., None], 3, axis=2)).save(path)
        case "clear":
            Image.fromarray(np.stack([gray, gray + 100], 2)).save(path)
        case "palette":
            Image.fromarray(gray).convert("P").save(path)
        case _:
            Image.fromarray(gray).save(path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "gray.png", "gray.TIF", "deep.png", "deep.tiff", "float.tif", "colour.png", "clear.png", "palette.png",
        "array.npy", "levin.mat", "alone.mat",
    ],
)  # fmt: skip
def test_every_kind_of_file_is_read(tmp_path: Path, name: str) -> None:
    (kernel,) = read_kernels(written(tmp_path, name))
    assert kernel.dtype == torch.float32
    torch.testing.assert_close(kernel, EXPECTED)


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.ones((3, 3)))
    np.save(tmp_path / "a.npy", np.ones((1, 5)))
    written(tmp_path, "c.png")
    (tmp_path / "README.txt").write_text("no kernel")
    (tmp_path / ".hidden.png").write_text("no kernel")
    (tmp_path / "below").mkdir()
    assert [tuple(kernel.shape) for kernel in read_kernels(tmp_path)] == [(1, 5), (3, 3), (5, 3)]


def test_even_sides_keep_their_centre(tmp_path: Path) -> None:
    dot = np.zeros((4, 6))
    dot[2, 3] = 1  # the centre of MATLAB's and SciPy's "same"
    np.save(tmp_path / "dot.npy", dot)
    (kernel,) = read_kernels(tmp_path / "dot.npy")
    assert kernel.shape == (5, 7)
    assert kernel[2, 3] == 1.0
    picture = torch.rand(1, 3, 11, 13, generator=torch.Generator().manual_seed(0))
    given = GivenKernels([kernel])
    torch.testing.assert_close(given.apply(picture, given.fixed(1), torch.Generator()), picture, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 3, 3)), r"holds float64 of shape \(3, 3, 3\); give a two-dimensional point spread function"),
        (np.ones((3, 0)), "give a two-dimensional"),
        (np.ones((3, 3), complex), "complex128"),
        (np.array([["a"]]), "give a two-dimensional"),
        (np.ones((3, 202)), "cut it to 201 along each side"),
        (-np.eye(3), "holds values below 0"),
        (np.array([[np.nan]]), "or infinite ones"),
        (np.zeros((3, 3)), "is 0 everywhere"),
        (np.array([[None]]), "cannot be read"),
    ],
)
def test_what_is_no_kernel_is_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.save(tmp_path / "wrong.npy", values)
    with pytest.raises(DegradationError, match=message) as caught:
        read_kernels(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'wrong.npy'}: ")
    assert "\n" not in str(caught.value)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for name in ("broken.png", "broken.npy", "broken.mat"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DegradationError, match=r"cannot be read .*; save the kernel anew"):
            read_kernels(tmp_path / name)
    Image.new("RGB", (3, 3), (9, 8, 7)).save(tmp_path / "colours.png")
    with pytest.raises(DegradationError, match="has colours; save the kernel as a gray picture"):
        read_kernels(tmp_path / "colours.png")
    savemat(tmp_path / "many.mat", {"one": np.ones(3), "two": np.ones(3)})
    with pytest.raises(DegradationError, match="holds one, two; save the kernel alone, or under the name f"):
        read_kernels(tmp_path / "many.mat")


def test_places_without_kernels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DegradationError, match="no such file or folder"):
        read_kernels(tmp_path / "none")
    with pytest.raises(DegradationError, match=r"holds no kernel; give a folder with files of the kinds \.png"):
        read_kernels(tmp_path)
    (tmp_path / "kernel.txt").write_text("1 2 1")
    with pytest.raises(DegradationError, match=r"no file of a kernel; give one of the kinds \.png"):
        read_kernels(tmp_path / "kernel.txt")


def test_without_scipy_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "alone.mat")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DegradationError, match=r"needs SciPy; pip install 'unblemish\[train\]'"):
        read_kernels(path)


def test_a_kernel_is_the_picture_of_a_point_of_light(damage: Damage) -> None:
    dot = torch.zeros(1, 3, 11, 11)
    dot[..., 5, 5] = 1.0
    seen = damage(GivenKernels([EXPECTED]), dot)[0, 0]
    torch.testing.assert_close(seen[3:8, 4:7], EXPECTED, rtol=0.0, atol=1e-6)


def test_kernels_are_drawn_evenly_and_used_by_number(damage: Damage, photograph: Tensor) -> None:
    given = GivenKernels([torch.ones(1, 1), torch.ones(3, 7) / 21, EXPECTED])
    drawn = given.sample(3000, torch.Generator().manual_seed(0))["kernel"]
    assert torch.bincount(drawn.long()).tolist() == pytest.approx([1000] * 3, abs=130)  # five standard deviations
    torch.testing.assert_close(damage(given, photograph, kernel=0), photograph, rtol=0.0, atol=2e-6)
    alone = damage(GivenKernels([EXPECTED]), photograph)
    torch.testing.assert_close(damage(given, photograph, kernel=2), alone, rtol=0.0, atol=2e-6)
    with pytest.raises(ValueError, match="kernel=3 is not allowed; give a whole number from 0 to 2"):
        given.fixed(1, kernel=3)


def test_none_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        GivenKernels([])
