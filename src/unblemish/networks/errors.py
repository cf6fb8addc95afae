"""Errors of naming, configuring and filling networks."""

from __future__ import annotations

from unblemish.errors import UserError


class NetworkError(UserError):
    """A network or one of its options is not known, or a file of weights cannot be used."""
