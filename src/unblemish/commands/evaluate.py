"""`unblemish evaluate`: scores with their protocol."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unblemish.commands import evaluate_options, options
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.evaluation.cases import CaseSet
    from unblemish.evaluation.metrics import Metric
    from unblemish.evaluation.preparation import Preparation
    from unblemish.evaluation.protocol import Protocol
    from unblemish.evaluation.score_table import ScoreTable
    from unblemish.evaluation.scoring import Method
    from unblemish.restoration.restorer import Restorer

ELEVEN = "grids"
"""Word that stands for the eleven degradations of GRIDS."""

AUTO = "auto"
"""Word that stands for the network that an examination chooses for each picture."""

SHEET_CROP = 240
"""Side in pixels of the central squares on a contact sheet: as wide as a column, so shown pixel by pixel."""

_TABLES = (".json", ".csv", ".md")


def evaluate(
    folder: evaluate_options.Folder,
    degradations: evaluate_options.Degradations = None,
    pairs: options.Pairs = None,
    sampled: evaluate_options.Sampled = False,
    seed: evaluate_options.Seed = 0,
    limit: evaluate_options.Limit = None,
    gray: evaluate_options.Gray = False,
    multiple: evaluate_options.Multiple = None,
    patches: evaluate_options.Patches = None,
    rounding: evaluate_options.Rounding = "nearest",
    networks: evaluate_options.Networks = None,
    bundle: options.BundleFolder = None,
    self_ensemble: evaluate_options.SelfEnsemble = False,
    classical: evaluate_options.Classical = None,
    protocols: evaluate_options.Protocols = None,
    metrics: evaluate_options.Metrics = None,
    alexnet: evaluate_options.AlexNet = None,
    outputs: evaluate_options.Outputs = None,
    sheet: evaluate_options.Sheet = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Score networks on a folder and print a table with its protocol; exit status 1 if pictures failed."""
    from unblemish.evaluation.metrics import create_metric
    from unblemish.evaluation.preparation import Preparation
    from unblemish.evaluation.protocol import preset
    from unblemish.evaluation.tables import to_markdown
    from unblemish.restoration.restorer import Restorer

    _check_endings(outputs or [], sheet)
    started = time.monotonic()
    preparation = Preparation(gray=gray, multiple=multiple, patch=patches, rounding=rounding)
    sets = case_sets(
        folder, degradations or [], pairs, sampled=sampled, seed=seed, limit=limit, preparation=preparation
    )
    scales = [preset(name) for name in dict.fromkeys(protocols or ["rgb"])]
    measures = [create_metric(name, alexnet) for name in dict.fromkeys(metrics or ["psnr", "ssim"])]
    tools = classical_methods(classical or [])
    restorers = [
        Restorer(bundle, network=None if name == AUTO else name, device=device, precision=precision)
        for name in dict.fromkeys(networks or [AUTO])
    ]
    methods = [*(as_method(restorer, self_ensemble) for restorer in restorers), *tools]
    table = _scored(methods, sets, scales, measures)
    typer.echo(to_markdown(table), nl=False)
    for path in outputs or []:
        _write_table(table, path, seed, time.monotonic() - started)
    if sheet:
        _write_sheet(table, sets, methods, sheet)
    if table.failures:
        raise typer.Exit(1)


def case_sets(
    folder: Path,
    degradations: Sequence[str],
    pairs: tuple[str, str] | None = None,
    *,
    sampled: bool,
    seed: int,
    limit: int | None,
    preparation: Preparation | None = None,
) -> list[CaseSet]:
    """What is scored: pairs where no damage is named, else the folder's pictures with each damage, once.

    Folders of pairs are found by well-known names, or by the two that are given.

    Raises:
        UserError: The folder or a damage is not what it must be.
    """
    from unblemish.degradations.catalogue import GRIDS_ELEVEN
    from unblemish.degradations.parsing import parse
    from unblemish.evaluation.cases import CLEAN, DegradedFolder
    from unblemish.evaluation.paired_cases import PairedFolder
    from unblemish.evaluation.preparation import AS_THEY_ARE

    preparation = preparation or AS_THEY_ARE
    if degradations and pairs:
        raise UserError("pairs come damaged; give either --pairs or --with")
    if not degradations:
        return [PairedFolder(folder, pairs, limit=limit, preparation=preparation)]
    words = [word for text in degradations for word in (GRIDS_ELEVEN if text == ELEVEN else (text,))]
    sets: dict[str, CaseSet] = {}
    for word in words:
        degradation, values = (None, {}) if word == CLEAN else parse(word)
        drawn = sampled and not values and degradation is not None
        cases = DegradedFolder(
            folder, degradation, values=values, sampled=drawn, seed=seed, limit=limit, preparation=preparation
        )
        sets.setdefault(cases.name, cases)
    return list(sets.values())


def as_method(restorer: Restorer, ensemble: bool = False) -> Method:
    """A network as a method, along the path that pictures take, averaged over eight orientations if asked to."""
    from unblemish.evaluation.scoring import Method
    from unblemish.evaluation.self_ensemble import self_ensemble

    precision = str(restorer.treatment.engine.dtype).removeprefix("torch.")
    if ensemble:
        return Method(f"{restorer.name} x8", self_ensemble(restorer.restore_tensor), precision=precision)
    return Method(restorer.name, restorer.restore_tensor, precision=precision)


def classical_methods(words: Sequence[str]) -> list[Method]:
    """The named classical tools; 'all' for every one that is installed.

    Raises:
        UserError: A tool is not known, or one that was named is not installed.
    """
    import torch

    from unblemish.evaluation.classical import classical_names, create_classical
    from unblemish.evaluation.errors import EvaluationError

    tools: list[Method] = []
    # Noise with a black square: something to do for each tool, so that each says now what it lacks.
    trial = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    trial[..., 30:34, 30:34] = 0
    for name in dict.fromkeys(classical_names() if "all" in words else words):
        tool = create_classical(name)
        try:
            tool.restore(trial)
        except EvaluationError as error:
            if "all" not in words:
                raise
            typer.echo(f"left out: {name} ({error})", err=True)
            continue
        tools.append(tool)
    return tools


def _scored(
    methods: Sequence[Method], sets: Sequence[CaseSet], scales: Sequence[Protocol], measures: Sequence[Metric]
) -> ScoreTable:
    from unblemish.commands.console import progress_bar
    from unblemish.evaluation.scoring import score

    with progress_bar() as progress:
        bar = progress.add_task("evaluate", total=None)
        return score(
            methods,
            sets,
            scales,
            measures,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _check_endings(outputs: Sequence[Path], sheet: Path | None) -> None:
    """Complains before the hours of scoring rather than after them."""
    from unblemish.evaluation.contact_sheets import check_sheet_ending

    for path in outputs:
        if path.suffix not in _TABLES:
            raise UserError(f"{path}: tables are written as {', '.join(_TABLES)}; choose one of these endings")
    if sheet:
        check_sheet_ending(sheet)


def _write_table(table: ScoreTable, path: Path, seed: int, seconds: float) -> None:
    from unblemish.evaluation.provenance import provenance, write_result
    from unblemish.evaluation.tables import to_csv, to_markdown

    if path.suffix == ".json":
        origin = provenance(["unblemish", *sys.argv[1:]], [seed], seconds)
        write_result(path, {"provenance": origin, "table": table.to_dict()})
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_csv(table) if path.suffix == ".csv" else to_markdown(table), encoding="utf-8")


def _write_sheet(table: ScoreTable, sets: Sequence[CaseSet], methods: Sequence[Method], path: Path) -> None:
    from unblemish.evaluation.contact_sheets import contact_sheet, save_sheet, sheet_rows

    failing = {failure.method for failure in table.failures}
    sound = [method for method in methods if method.name not in failing]
    columns = ["clean", "damaged", *(method.name for method in sound)]
    save_sheet(contact_sheet(columns, sheet_rows(sets, sound, SHEET_CROP), SHEET_CROP), path)
