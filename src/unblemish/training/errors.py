"""Errors of describing and running a training."""

from __future__ import annotations

from unblemish.errors import UserError


class TrainingError(UserError):
    """A recipe, its data or a checkpoint does not allow training as asked."""
