"""The file formats: what each can hold, how a file is recognised, which suffixes it goes by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unblemish.pictures.errors import PictureError

_ANY_SIDE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a file format can hold, as this package reads and writes it.

    Attributes:
        key: Value of `Picture.format`.
        title: Name in messages.
        suffixes: File name endings, lower case with the dot; the first is given to new files.
        depths: Sample types it holds, by numpy name.
        alpha: Whether it holds an alpha channel.
        gray: Whether one channel stays one channel; else gray is stored as RGB.
        icc: Whether it carries an ICC profile.
        exif: Whether it carries EXIF.
        xmp: Whether it carries XMP.
        lossy: Whether it has a quality setting.
        longest_side: Most pixels in width and in height.
        written_as: Key of the format such a picture is written in; another one where no encoder is at hand.
    """

    key: str
    title: str
    suffixes: tuple[str, ...]
    depths: tuple[str, ...]
    alpha: bool = True
    gray: bool = True
    icc: bool = True
    exif: bool = True
    xmp: bool = True
    lossy: bool = False
    longest_side: int = _ANY_SIDE
    written_as: str


_TABLE = (
    Format(
        key="png",
        title="PNG",
        suffixes=(".png",),
        depths=("uint8", "uint16"),
        written_as="png",
    ),
    Format(
        key="jpeg",
        title="JPEG",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
        depths=("uint8",),
        alpha=False,
        lossy=True,
        longest_side=65_500,
        written_as="jpeg",
    ),
    Format(
        key="tiff",
        title="TIFF",
        suffixes=(".tif", ".tiff"),
        depths=("uint8", "uint16", "float32"),
        written_as="tiff",
    ),
    Format(
        key="webp",
        title="WebP",
        suffixes=(".webp",),
        depths=("uint8",),
        gray=False,
        lossy=True,
        longest_side=16_383,
        written_as="webp",
    ),
    Format(
        key="bmp",
        title="BMP",
        suffixes=(".bmp", ".dib"),
        depths=("uint8",),
        icc=False,
        exif=False,
        xmp=False,
        written_as="bmp",
    ),
    Format(
        key="avif",
        title="AVIF",
        suffixes=(".avif",),
        depths=("uint8", "uint16"),
        gray=False,
        lossy=True,
        longest_side=16_384,
        written_as="avif",
    ),
    Format(
        key="heif",
        title="HEIC",
        suffixes=(".heic", ".heif"),
        depths=("uint8", "uint16"),
        gray=False,
        lossy=True,
        longest_side=16_384,
        written_as="avif",
    ),
)

FORMATS: dict[str, Format] = {entry.key: entry for entry in _TABLE}
"""Every format by its key."""

_BY_SUFFIX = {suffix: entry for entry in _TABLE for suffix in entry.suffixes}

# Kinds of file that a user may well offer as a picture; naming them helps more than "not a picture".
_FOREIGN = (
    (b"GIF8", "a GIF"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"<svg", "an SVG drawing"),
    (b"FUJIFILMCCD-RAW", "a camera raw file"),
    (b"IIU\x00", "a camera raw file"),
)


def format_named(name: str) -> Format:
    """The format for a key or a suffix without its dot, in any case ("jpeg", "jpg", "TIF").

    Raises:
        PictureError: No such format.
    """
    wanted = name.lower().lstrip(".")
    found = FORMATS.get(wanted) or _BY_SUFFIX.get(f".{wanted}")
    if found is None:
        raise PictureError(f"there is no picture format {name!r}; choose one of: {', '.join(FORMATS)}")
    return found


def format_of_name(path: Path) -> Format | None:
    """The format that a file name's suffix stands for, or None."""
    return _BY_SUFFIX.get(path.suffix.lower())


def is_picture_name(path: Path) -> bool:
    """Whether the suffix is one of a picture format."""
    return format_of_name(path) is not None


def recognise(head: bytes, name: str) -> Format:
    """The format of a file by its first bytes; suffixes are not looked at.

    Args:
        head: At least the first 32 bytes, or all there are.
        name: How messages call the file.

    Raises:
        PictureError: It is of no supported format.
    """
    key = _signature(head)
    if key is not None:
        return FORMATS[key]
    kind = next((kind for start, kind in _FOREIGN if head.lstrip().startswith(start)), None)
    if kind is not None:
        raise PictureError(f"{name}: is {kind}, which is not supported; save it (or one frame of it) as PNG")
    titles = ", ".join(entry.title for entry in _TABLE)
    raise PictureError(f"{name}: is not a picture; give a file in one of the formats {titles}")


def _signature(head: bytes) -> str | None:
    """The key for the first bytes of a file."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    # "BM" alone is how many texts begin; a bitmap has two reserved zero words and a small header size too.
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0" and head[15:18] == b"\0\0\0":
        return "bmp"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4]), 256), 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "heif"
    return None


def formats_that_hold(depth: str, alpha: bool) -> str:
    """Titles of the formats that can be written with this sample type (and alpha), for messages."""
    fitting = [f for f in _TABLE if f.written_as == f.key and depth in f.depths and (f.alpha or not alpha)]
    return " or ".join(entry.title for entry in fitting)
