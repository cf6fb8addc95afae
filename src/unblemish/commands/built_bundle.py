"""What commands that build a bundle show: progress on the way, and at the end what was built."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.bundle_parts import Group
    from unblemish.restoration.listening import Listener


def listener() -> Listener:
    """Says on standard error what happens; counts only on a terminal."""
    from unblemish.commands.console import TrainingProgress
    from unblemish.restoration.listening import Listener

    def say(line: str) -> None:
        typer.echo(line, err=True)

    def progress(what: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{what}: {done} of {total} ", err=True, nl=done == total)

    return Listener(say, progress, lambda: [TrainingProgress("the same command goes on")])


def size_line(bundle: Bundle) -> str:
    """Where the bundle is, and its size."""
    return f"{bundle.path}: {bundle.total_bytes / 1e6:.1f} MB"


def group_lines(bundle: Bundle, groups: Sequence[Group]) -> list[str]:
    """Scores of trained groups, each after an empty line."""
    width = max(len(name) for group in groups for name in group.degradations)
    lines: list[str] = []
    for group in groups:
        scores = bundle.entry(group.network).scores
        gain = scores["psnr_gain/validation"]
        lines += ["", f"group {group.name}: mean gain {gain:+.2f} dB"]
        lines += [f"  {name:{width}}  {scores[f'psnr/{name}']:6.2f} dB" for name in group.degradations]
        if gain <= 0:
            lines.append("  This network makes pictures worse: train it longer (--steps) or on more photographs.")
    return lines


def closing_lines(bundle: Bundle) -> list[str]:
    """Scores of the examiner, and what to do next."""
    from unblemish.examination.knowledge import Settings

    settings = Settings.model_validate(bundle.knowledge()[1])
    lines = ["", "Examiner, on specimens that it had not seen:"]
    lines += [
        f"  {name.removeprefix('held_out/').replace('_', ' '):24} {share:.1%}"
        for name, share in settings.scores.items()
    ]
    use = [f"  unblemish {verb} photo.jpg --bundle {bundle.path}" for verb in ("examine", "restore")]
    return [*lines, "", "Use it:", *use]
