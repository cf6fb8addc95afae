"""The `unblemish` command: every verb, and how errors reach the user."""

from __future__ import annotations

import os
import sys

import typer

from unblemish.commands import bench, check_data, degrade, evaluate, export, models, restore, train
from unblemish.errors import UserError

app = typer.Typer(
    name="unblemish",
    help="Examines a picture, restores it, and grows when it meets damage it does not know.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("restore")(restore.restore)
app.command("degrade")(degrade.degrade)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("models")(models.models)
app.command("export")(export.export)
app.command("check-data")(check_data.check_data)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point: a user's error is one line on standard error and exit status 1, an interruption 130."""
    try:
        app()
    except UserError as error:
        typer.echo(f"unblemish: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("unblemish: interrupted; what is finished is kept, run the same command to go on", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe left; standard output must not be flushed once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
