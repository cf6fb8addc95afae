"""unblemish: examines a picture, restores it, and grows when it meets damage it does not know.

What is listed in `__all__` is the public interface. Names are imported when they are first used, so that
`import unblemish` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblemish.errors import UserError
    from unblemish.examination.examination import Examination
    from unblemish.examination.examiner import Examiner
    from unblemish.pictures.picture import Picture
    from unblemish.pictures.reading import read
    from unblemish.pictures.writing import write
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.examining import examine, load_examiner
    from unblemish.restoration.restorer import Restorer
    from unblemish.restoration.single import restore
    from unblemish.restoration.single_growth import grow

    __version__: str

__all__ = [
    "Bundle",
    "Examination",
    "Examiner",
    "Picture",
    "Restorer",
    "UserError",
    "__version__",
    "examine",
    "grow",
    "load_examiner",
    "read",
    "restore",
    "write",
]

_HOMES = {
    "Bundle": "unblemish.restoration.bundle",
    "Examination": "unblemish.examination.examination",
    "Examiner": "unblemish.examination.examiner",
    "Picture": "unblemish.pictures.picture",
    "Restorer": "unblemish.restoration.restorer",
    "UserError": "unblemish.errors",
    "examine": "unblemish.restoration.examining",
    "grow": "unblemish.restoration.single_growth",
    "load_examiner": "unblemish.restoration.examining",
    "read": "unblemish.pictures.reading",
    "restore": "unblemish.restoration.single",
    "write": "unblemish.pictures.writing",
}


def __getattr__(name: str) -> Any:
    """Imports a public name at its first use."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value = version("unblemish")
        except PackageNotFoundError:  # run from a source tree that is not installed
            value = "0+unknown"
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'unblemish' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
