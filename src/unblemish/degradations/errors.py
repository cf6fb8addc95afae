"""Errors of naming and configuring degradations."""

from __future__ import annotations

from unblemish.errors import UserError


class DegradationError(UserError):
    """A degradation, or one of its parameters, is not known or not allowed."""
