"""Errors of scoring."""

from __future__ import annotations

from unblemish.errors import UserError


class EvaluationError(UserError):
    """Something cannot be scored, compared or written as asked."""
