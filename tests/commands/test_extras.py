from __future__ import annotations

import pytest

from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError


def test_a_missing_package_is_named_with_what_to_install() -> None:
    message = r"'frobnicator'; install it with: pip install 'unblemish\[train\]'"
    with pytest.raises(UserError, match=message), needs_extra("train"):
        import frobnicator  # noqa: F401  # pyright: ignore


def test_our_own_missing_module_is_a_defect_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("train"):
        import unblemish.nothing  # noqa: F401  # pyright: ignore


def test_nothing_happens_when_all_is_there() -> None:
    with needs_extra("train"):
        import json  # noqa: F401
