"""Errors of deconvolution."""

from __future__ import annotations

from unblemish.errors import UserError


class DeconvolutionError(UserError):
    """A picture cannot be deconvolved as asked."""
