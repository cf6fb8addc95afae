"""The `unblemish` command: every verb, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from unblemish.commands import (
    bench,
    bundle,
    check_data,
    compare,
    deconvolve,
    degrade,
    evaluate,
    examine,
    export,
    group,
    grow,
    restore,
    search,
    train,
)
from unblemish.errors import UserError

app = typer.Typer(
    name="unblemish",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # reflows what docstrings say; the default keeps their line ends
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("examine")(examine.examine)
app.command("restore")(restore.restore)
app.command("deconvolve")(deconvolve.deconvolve)
app.command("degrade")(degrade.degrade)
app.command("train")(train.train)
app.command("search")(search.search)
app.command("grow")(grow.grow)
app.command("compare")(compare.compare)
app.command("check-data")(check_data.check_data)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.add_typer(group.app, name="group")
app.add_typer(bundle.app, name="bundle")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        from unblemish import __version__

        typer.echo(f"unblemish {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Examines a picture, restores it, and grows when it meets damage it does not know."""


def main() -> None:
    """Entry point: what the user can mend is one line on standard error and exit status 1.

    Wrong usage is status 2 and an interruption 130, as everywhere.
    """
    try:
        app()
    except UserError as error:
        _end(str(error))
    except OSError as error:
        # Pictures explain their own; what comes this far is a report or a sheet that cannot be written.
        _end(f"{error.filename or 'a file'}: {error.strerror or error}; check space and permissions")
    finally:
        _flush()


def _end(message: str) -> None:
    typer.echo(f"unblemish: {message}", err=True)
    sys.exit(1)


def _flush() -> None:
    """Writes out what waits; where the reader of a pipe has left, Python must not try again at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
