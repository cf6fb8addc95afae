"""A clear word where an optional part is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from unblemish.errors import UserError


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turns a failing import into an error that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("unblemish"):
            raise
        raise UserError(
            f"this needs the package '{error.name}'; install it with: pip install 'unblemish[{extra}]'"
        ) from error
