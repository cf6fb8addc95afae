from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from unblemish import __version__
from unblemish.commands import app as module
from unblemish.errors import UserError


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


ALL = dict(commands(typer.main.get_command(module.app)))


def test_the_verbs() -> None:
    assert {"examine", "restore", "degrade", "train", "evaluate", "export", "check-data"} <= set(ALL)
    assert {"bundle show", "bundle verify", "bundle measure", "bundle pack", "group search", "group build"} <= set(ALL)
    assert any(name.startswith("bench ") for name in ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_verb_and_option_explains_itself(name: str) -> None:
    assert ALL[name].help
    unexplained = [parameter.name for parameter in ALL[name].params if not parameter.help]
    assert not unexplained


def test_the_version(run) -> None:
    assert run("--version").out == f"unblemish {__version__}\n"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("a.png: is wrong; do this"), 1, "unblemish: a.png: is wrong; do this\n"),
        (
            PermissionError(13, "Permission denied", "t.json"),
            1,
            "unblemish: t.json: Permission denied; check space and permissions\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_reach_the_user_in_one_line(
    run, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("unblemish.restoration.bundle.Bundle.load", fail)
    ran = run("bundle", "show")
    assert (ran.status, ran.err) == (status, line)


def test_a_fault_of_the_program_keeps_its_traceback(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unblemish.restoration.bundle.Bundle.load", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("bundle", "show")


def test_wrong_usage_is_status_2(run) -> None:
    ran = run("restore", "a.png", "--quality", "0")
    assert ran.status == 2
    assert "--quality" in ran.err
    assert run("restroe").status == 2
