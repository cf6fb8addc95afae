from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.pictures.picture import Picture
from unblemish.pictures.tiles import TileTooLargeError
from unblemish.restoration.engines import EagerEngine
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.treatment import Treatment


def picture(height=90, width=133, channels=3, dtype=np.float32, **fields):
    values = np.random.default_rng(0).random((height, width, channels), dtype=np.float32)
    pixels = values if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
    return Picture(pixels, "tiff", **fields)


def directly(network, pixels):
    """The network on float pixels, without any of the Treatment's machinery."""
    with torch.inference_mode():
        output = network.eval()(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
    return output.permute(1, 2, 0).clamp(0, 1).numpy()


def treatment(network, **options):
    return Treatment(network, device="cpu", **{"precision": "float32", **options})


def small_tiles(treatment, monkeypatch, tile):
    monkeypatch.setattr("unblemish.restoration.treatment.choose_tile", lambda *arguments: tile)
    return treatment


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (97, 133), (64, 210)])
def test_tiles_give_the_whole_result(convolutions, monkeypatch, fold, scale, size):
    network = convolutions(fold=fold, scale=scale)
    tiled = small_tiles(treatment(network), monkeypatch, 80)
    source = picture(*size)
    np.testing.assert_allclose(tiled.restore(source).pixels, directly(network, source.pixels), atol=1e-5)
    assert tiled.describe(*size).tiles > 1 or max(size) <= 80


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integer_samples_are_rounded_once(convolutions, dtype):
    network, source = convolutions(), picture(dtype=dtype)
    top = np.iinfo(dtype).max
    expected = directly(network, source.pixels.astype(np.float32) / np.float32(top)) * top
    restored = treatment(network).restore(source).pixels
    assert restored.dtype == dtype
    assert np.abs(restored - expected).max() <= 0.5 + 1e-5 * top


def test_gray_is_the_mean_of_equal_channels(convolutions):
    network, source = convolutions(), picture(channels=1)
    expected = directly(network, source.pixels.repeat(3, axis=2)).mean(axis=2, keepdims=True)
    np.testing.assert_allclose(treatment(network).restore(source).pixels, expected, atol=1e-6)


def test_everything_around_the_pixels_is_kept(convolutions):
    alpha = np.random.default_rng(1).integers(0, 255, (90, 133), dtype=np.uint8)
    source = picture(dtype=np.uint8, alpha=alpha, icc=b"profile", exif=b"exif", resolution=(3.0, 3.0), notes=("read",))
    restored = treatment(convolutions()).restore(source)
    np.testing.assert_array_equal(restored.alpha, alpha)
    assert (restored.icc, restored.exif, restored.format) == (b"profile", b"exif", "tiff")
    assert restored.resolution == (3.0, 3.0)
    assert restored.notes == ("read",)


def test_enlarging_enlarges_what_surrounds_the_pixels(convolutions):
    alpha = np.full((90, 133), 200, dtype=np.uint16)
    source = picture(dtype=np.uint16, alpha=alpha, resolution=(3.0, 2.0))
    restored = treatment(convolutions(scale=4)).restore(source)
    assert restored.pixels.shape == (360, 532, 3)
    np.testing.assert_array_equal(restored.alpha, np.full((360, 532), 200))
    assert restored.resolution == (12.0, 8.0)


def test_strength_mixes_input_and_result(convolutions):
    network, source = convolutions(), picture()
    full = treatment(network).restore(source).pixels
    half = treatment(network, strength=0.5).restore(source).pixels
    np.testing.assert_allclose(half, (full + source.pixels) / 2, atol=1e-6)
    assert treatment(network, strength=0).restore(source) is source
    with pytest.raises(RestorationError, match=r"strength of 1\.5 is not possible"):
        treatment(network, strength=1.5)
    with pytest.raises(RestorationError, match="its strength can only be 1"):
        treatment(convolutions(scale=4), strength=0.5)


def test_floats_beyond_white_keep_their_excess(identity):
    source = picture()
    source.pixels[10:20, 10:20] = 7.5
    source.pixels[30, 30] = -2
    source.pixels[40, 40] = np.inf
    source.pixels[50, 50] = np.nan
    np.testing.assert_allclose(treatment(identity()).restore(source).pixels, source.pixels, atol=1e-6)


def test_floats_beyond_white_do_not_harm_their_surroundings(convolutions):
    network, source = convolutions(), picture()
    source.pixels[50, 50] = np.nan
    tame = np.nan_to_num(source.pixels)
    expected = directly(network, tame)
    expected[50, 50] = np.nan
    np.testing.assert_allclose(treatment(network).restore(source).pixels, expected, atol=1e-6)


def test_a_batch_takes_the_path_of_pictures(convolutions):
    network = convolutions(fold=2)
    batch = torch.rand(2, 3, 41, 57, generator=torch.Generator().manual_seed(0))
    result = treatment(network).restore_tensor(batch)
    assert result.shape == batch.shape
    for got, given in zip(result, batch, strict=True):
        expected = directly(network, given.permute(1, 2, 0).contiguous().numpy())
        np.testing.assert_allclose(got.permute(1, 2, 0).numpy(), expected, atol=1e-6)
    torch.testing.assert_close(treatment(network, strength=0).restore_tensor(batch), batch)


def test_memory_that_runs_out_makes_tiles_smaller_and_is_remembered(convolutions, monkeypatch):
    network, source = convolutions(), picture(200, 260)
    expected = directly(network, source.pixels)
    forward = EagerEngine._forward
    seen: list[int] = []

    def limited(self, tiles):
        seen.append(max(tiles.shape[2:]))
        if seen[-1] > 150:
            raise MemoryError
        return forward(self, tiles)

    monkeypatch.setattr(EagerEngine, "_forward", limited)
    short = treatment(network)
    restored = short.restore(source)
    np.testing.assert_allclose(restored.pixels, expected, atol=1e-5)
    assert restored.notes == ("memory ran out: the tile was made smaller, 130 pixels",)
    seen.clear()
    assert short.restore(source).notes == ()
    assert max(seen) <= 130


def test_memory_that_never_suffices_is_a_clear_error(convolutions, monkeypatch):
    def never(self, tiles):
        raise TileTooLargeError

    monkeypatch.setattr(EagerEngine, "_forward", never)
    with pytest.raises(Exception, match="not enough memory even for tiles"):
        treatment(convolutions()).restore(picture(200, 260))


def test_overflows_in_bfloat16_are_noted(overflow):
    restored = treatment(overflow(), precision="bfloat16").restore(picture())
    assert restored.notes == ("tiles repeated in float32 after an overflow: 1",)


def test_a_small_budget_makes_small_tiles(convolutions):
    network = convolutions()
    rich, poor = treatment(network, memory="1GB"), treatment(network, memory="12MB")
    assert rich.describe(600, 600).tiles == 1
    setup = poor.describe(600, 600)
    assert setup.tiles > 4
    assert setup.memory == 12_000_000
    assert (setup.engine, setup.device, setup.precision, setup.exact) == ("eager", "cpu", "float32", True)
    source = picture(600, 600)
    np.testing.assert_allclose(poor.restore(source).pixels, rich.restore(source).pixels, atol=1e-5)
    with pytest.raises(RestorationError, match="budget of 0 MB is too small"):
        treatment(network, memory=1000).restore(source)


def test_networks_that_see_everything_get_a_fixed_overlap(identity):
    network = identity()
    network.receptive_field = None
    setup = treatment(network).describe(100, 100)
    assert setup.overlap == 48
    assert not setup.exact


def test_progress_is_told(convolutions):
    shares: list[float] = []
    treatment(convolutions()).restore(picture(), shares.append)
    assert shares == [1.0]
