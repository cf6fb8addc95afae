"""Errors of measuring signatures and examining pictures."""

from __future__ import annotations

from unblemish.errors import UserError
from unblemish.pictures.errors import PictureError


class ExaminationError(UserError):
    """A signature, a distance or an examination cannot be had as asked."""


class PairSizeError(PictureError):
    """A clean photograph and its damaged partner differ in size, so that they are no pair."""
