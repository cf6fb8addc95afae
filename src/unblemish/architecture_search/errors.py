"""Errors of searching an architecture."""

from __future__ import annotations

from unblemish.errors import UserError


class SearchError(UserError):
    """A recipe, an architecture or what an earlier search left does not allow searching, or drawing it, as asked."""
