"""Errors of lifelong learning."""

from __future__ import annotations

from unblemish.errors import UserError


class LifelongError(UserError):
    """A network cannot grow, or would forget; the message says what to do."""
