"""Errors of measuring signatures and examining pictures."""

from __future__ import annotations

from unblemish.errors import UserError


class ExaminationError(UserError):
    """A signature, a distance or an examination cannot be had as asked."""
