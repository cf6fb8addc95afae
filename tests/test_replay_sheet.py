"""`recipes/replay_sheet.py` with tiny networks of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unblemish.errors import UserError
from unblemish.networks.catalogue import create


@pytest.fixture
def words(photos: Path, tmp_path: Path) -> list[str]:
    torch.manual_seed(0)
    for name, network, options in (
        ("generator", "replay_generator", {"width": 4, "blocks": 1, "random": True}),
        ("restorer", "srresnet_compact", {"width": 4, "blocks": 1}),
    ):
        told = {"network": network, "options": json.dumps(options), "step": "1"}
        save_file(create(network, options).state_dict(), tmp_path / f"{name}.safetensors", told)
    shown = [str(photos / f"picture{number}.png") for number in range(2)]
    return [str(tmp_path / "generator.safetensors"), *shown, "--crop", "32", "-o", str(tmp_path / "sheets/x.png")]


def test_a_row_for_each_photograph(recipe_script: Callable[[str], ModuleType], words: list[str]) -> None:
    restorer = Path(words[0]).with_name("restorer.safetensors")
    script, sizes = recipe_script("replay_sheet"), []
    for more in ([], ["--restorer", str(restorer)]):
        script.main([*words, *more])
        with Image.open(words[-1]) as sheet:
            sizes.append(sheet.size)
    assert sizes[1][0] == sizes[0][0] + 2 * 68  # two columns of 64 pixels more
    assert sizes[0][1] == sizes[1][1] > 2 * 64


def test_pixels_are_repeated(recipe_script: Callable[[str], ModuleType], words: list[str]) -> None:
    script = recipe_script("replay_sheet")
    network = create("srresnet_compact", {"width": 4, "blocks": 1}).eval()
    row = script.row(Path(words[1]), "gaussian_noise:sigma=50", [network], 32, 3)
    assert [picture.shape for picture in row.pictures] == [(1, 3, 96, 96)] * 3
    assert row.captions[0] == "picture0"
    for picture in row.pictures:
        assert torch.equal(picture[..., ::3, ::3].repeat_interleave(3, -1).repeat_interleave(3, -2), picture)
    again = script.row(Path(words[1]), "gaussian_noise:sigma=50", [network], 32, 3)
    assert torch.equal(row.pictures[1], again.pictures[1])


def test_a_photograph_that_is_too_small(recipe_script: Callable[[str], ModuleType], words: list[str]) -> None:
    with pytest.raises(UserError, match=r"picture0\.png: smaller than 1000 pixels; leave it out, or lower --crop"):
        recipe_script("replay_sheet").main([*words, "--crop", "1000"])
