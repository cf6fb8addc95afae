"""Errors that a user can act on."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. The message is one line that says what is wrong and what to do.

    Commands print the message without a traceback and end with a non-zero status; every package derives its own
    errors from this class.
    """
