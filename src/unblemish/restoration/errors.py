"""Errors of restoring pictures."""

from __future__ import annotations

from unblemish.errors import UserError


class RestorationError(UserError):
    """A picture cannot be restored as asked."""


class BundleError(UserError):
    """A bundle is missing, damaged, or not one."""
