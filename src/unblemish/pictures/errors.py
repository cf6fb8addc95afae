"""Errors of reading and writing pictures."""

from __future__ import annotations

from unblemish.errors import UserError


class PictureError(UserError):
    """A picture cannot be read or written as asked."""
