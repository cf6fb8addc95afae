"""How near generated damage comes to real damage, by generator: a block of `docs/lifelong.md`."""

from __future__ import annotations

from pathlib import Path

from lira_study import Each, Found, cell, origins, pace

from unblemish.evaluation.markdown import markdown_table

TITLES = {
    "random": "`random`, `paired`, matched",
    "unmatched": "`random`, `paired`",
    "unpaired": "`random`, matched",
    "residual": "`residual`",
    "logarithm": "`residual`, `log`",
    "published": "as published",
}
"""Arms by what is switched on."""

HEADINGS = ("generator", "parameters", "s", "damaged, dB", "restored, dB", "apart, dB", "apart at the end, dB")


def replay_text(results: Path) -> str:
    """What generators make of clean pictures, and what the restorer makes of that, against real damage.

    Raises:
        SystemExit: The study's result is missing.
    """
    found = Found.load(results / "lira_replay.json")
    rows = [
        [
            found.label(arm, TITLES.get(arm, arm)),
            f"{found.parameters(arm):,}",
            pace(found, arm),
            cell(_beyond_real(found, arm, "damage"), 2, "+"),
            cell(_beyond_real(found, arm, "restored"), 2, "+"),
            cell({seed: -max(gains.values()) for seed, gains in _curves(found, arm, "gain").items()}, 2),
            cell({seed: -gains[max(gains)] for seed, gains in _curves(found, arm, "gain").items()}, 2),
        ]
        for arm in found.arms
    ]
    said = (
        "PSNR of generated pictures (damaged) and of what R makes of them (restored) less that of really damaged ones, "
        "and both differences without their signs together (apart), by the validation where that is least; at the "
        "end: by the last one."
    )
    table = markdown_table(HEADINGS, rows)
    return "\n" + "\n\n".join([f"{found.budget_text()} {said}", table, *origins(found, ())]) + "\n"


def _curves(found: Found, arm: str, name: str) -> dict[int, dict[int, float]]:
    """Validations by seed and step."""
    return {seed: dict(run["validations"][name]) for seed, run in found.runs(arm).items()}


def _beyond_real(found: Found, arm: str, name: str) -> Each:
    """What generated pictures score above real ones, by the validation that is best of all."""
    generated, real = _curves(found, arm, name), _curves(found, arm, f"real_{name}")
    best = {seed: max(gains, key=gains.__getitem__) for seed, gains in _curves(found, arm, "gain").items()}
    return {seed: generated[seed][step] - real[seed][step] for seed, step in best.items()}
