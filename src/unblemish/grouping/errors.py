"""Errors of grouping degradations."""

from __future__ import annotations

from unblemish.errors import UserError


class GroupingError(UserError):
    """Distances, a table of drops or an earlier search do not allow grouping as asked."""


class SearchStoppedError(GroupingError):
    """The user stopped the search during a training; what is trained is kept for the next start."""
