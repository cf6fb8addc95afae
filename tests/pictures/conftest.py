"""Material that the tests of pictures share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image, ImageCms

# The same examples in every run, and no folder of old ones.
settings.register_profile("deterministic", derandomize=True, database=None, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def exif() -> Image.Exif:
    """What a camera writes, with an orientation, a maker note and a place."""
    block = Image.Exif()
    block[0x010F], block[0x0110] = "Maker", "Model"
    block[0x0112] = 6
    block[0x0132] = "2020:01:02 10:00:00"
    block[0x8298] = "The photographer"
    detail = block.get_ifd(0x8769)
    detail[0x829A], detail[0x8827] = (1, 250), 400
    detail[0x9003] = "2020:01:02 10:00:00"
    detail[0x927C] = b"NOTE" + bytes(range(200))
    place = block.get_ifd(0x8825)
    place[1], place[2] = "N", (50.0, 1.0, 2.5)
    return block


@pytest.fixture(scope="session")
def xmp() -> bytes:
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:Description tiff:Orientation="6" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/>'
        b'</x:xmpmeta><?xpacket end="w"?>'
    )


@pytest.fixture
def random_samples() -> Callable[..., NDArray[Any]]:
    """Makes random samples of a shape and sample type, over the full range."""
    generator = np.random.default_rng(7)

    def make(shape: tuple[int, ...], depth: str = "uint8") -> NDArray[Any]:
        if depth == "float32":
            return generator.random(shape, dtype=np.float32)
        return generator.integers(0, np.iinfo(depth).max, shape, dtype=depth, endpoint=True)

    return make


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.uint8]:
    """(48, 64, 3): smooth, as photographs are, with a few edges."""
    y, x = np.mgrid[0:48, 0:64]
    planes = [128 + 90 * np.sin(x / 9 + k) * np.cos(y / 7 - k) + 30 * (x > 30 + 4 * k) for k in range(3)]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)
