from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import unblemish
from unblemish.networks.catalogue import create


@pytest.mark.parametrize("name", unblemish.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(unblemish, name)
    assert name in dir(unblemish)
    assert isinstance(value, str) if name == "__version__" else value.__doc__


def test_the_lazy_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse(Path(unblemish.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == unblemish._HOMES
    assert {*seen, "__version__"} == set(unblemish.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'restroe'"):
        _ = unblemish.restroe  # pyright: ignore[reportAttributeAccessIssue]


def test_a_picture_is_read_restored_and_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create("srresnet", {"blocks": 1, "width": 4})
    pixels = np.random.default_rng(0).integers(256, size=(24, 32, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    unblemish.write(unblemish.Picture(pixels, "png"), path)
    options = {"network": network, "device": "cpu", "precision": "float32"}
    expected = unblemish.Restorer(**options).restore(unblemish.read(path)).pixels
    assert not np.array_equal(expected, pixels)
    for source in (path, str(path), path.read_bytes(), unblemish.read(path)):
        assert np.array_equal(unblemish.restore(source, **options).pixels, expected)
    half = unblemish.restore(path, strength=0.5, **options).pixels
    assert np.abs(half - (expected.astype(float) + pixels) / 2).max() <= 1


def test_what_the_user_can_mend_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(unblemish.UserError, match="there is no such file"):
        unblemish.restore(tmp_path / "none.png")
    with pytest.raises(unblemish.UserError, match="there is no bundle"):
        unblemish.Bundle.load(tmp_path)
