"""`recipes/lira_page.py` on results of the studies that ship, made of runs that were never trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from unblemish.evaluation.provenance import provenance, write_result
from unblemish.studies.result import FinishedRun, StudyResult
from unblemish.studies.study import Study, StudyRun, plan

ROOT = Path(__file__).parents[1]
BLOCKS = ("base", "parts", "sizes", "replay", "haze", "darkness", "darkness_cold")
BASE = {
    "lira": 23.0,
    "without_gates": 22.5,
    "without_attention": 23.25,
    "nafnet": 23.5,
    "owan": 22.0,
    "owan_scaled": 22.25,
}
GROWN = {
    "lira": (22.75, 19.0),
    "joint": (23.0, 19.25),
    "fine_tuning": (18.0, 19.5),
    "ewc": (20.0, 18.0),
    "owan_scaled": (20.25, 17.0),
    "owan_scaled_longer": (21.25, 17.5),
}
"""PSNR of the old and of the new task by arm."""


def record(run: StudyRun, validations: Mapping[str, list[tuple[int, float]]]) -> dict[str, Any]:
    return {
        "steps": run.recipe.steps,
        "seconds": 100.0 + run.seed,
        "parameters": 1_000_000 if run.recipe.network.name == "nafnet_compact" else 2_000_000,
        "facts": {"pictures": 6, "device": "cpu", "protocol": "rgb on 2 held-out pictures: all said"},
        "hardware": {"cpu": "abacus", "gpu": None, "threads": 1},
        "revision": {"commit": "0123456789abcdef", "dirty": False},
        "curve": [],
        "validations": dict(validations),
    }


def entry(scores: Mapping[str, float], before: float) -> dict[str, Any]:
    def spread(psnr: Mapping[str, float]) -> dict[str, float]:
        keys = {f"set/{damage}/rgb/psnr": value for damage, value in psnr.items()}
        return keys | {key.replace("psnr", "ssim"): value / 100 for key, value in keys.items()}

    return {
        "network": spread(scores), "input": spread(dict.fromkeys(scores, before)), "pictures": {},
        "protocols": ["rgb on set (6): all said"], "damage": ["Blend: drawn, seed 0"], "failures": [], "device": "cpu",
    }  # fmt: skip


def write(name: str, folder: Path, finish: Callable[[Study, StudyRun], FinishedRun | None]) -> None:
    """A result with the runs that `finish` gives."""
    study = Study.load(ROOT / f"recipes/studies/{name}.yaml")
    planned = plan(study, Path("runs") / name, ["data.folder=photos"])
    found = tuple(one for run in planned if (one := finish(study, run)))
    content = StudyResult(study, tuple(planned), (), found).to_dict()
    write_result(folder / f"{name}.json", {"provenance": provenance(["compare", name], study.seeds, 1.0), **content})


def base_run(study: Study, run: StudyRun) -> FinishedRun | None:
    """The second seed is 0.5 dB better with a NAFNet; OWAN lacks it."""
    if run.arm not in BASE or (run.arm, run.seed) == ("owan", 1):
        return None
    psnr = BASE[run.arm] + 0.5 * run.seed * (run.arm == "nafnet")
    levels = {damage: psnr - place for place, damage in enumerate(study.scored)}
    return FinishedRun(run, record(run, {"moderate_blend": [(1500, psnr)]}), {"set": entry(levels, 20.0)})


def grown_run(study: Study, run: StudyRun) -> FinishedRun | None:
    if run.arm not in GROWN or (run.arm, run.seed) == ("ewc", 1):
        return None
    old, new = GROWN[run.arm]
    scores = {
        damage: (new if task else old) + run.seed - place % 3
        for place, (damage, task) in enumerate(study.scored.items())
    }
    scene = run.recipe.degradations.names[0]
    curves = {"moderate_blend": [(100, 23.0), (200, old)], scene: [(100, 15.0), (200, new)], "gain": [(200, 1.0)]}
    return FinishedRun(run, record(run, curves), {"set": entry(scores, 14.0)})


def lone_run(_: Study, run: StudyRun) -> FinishedRun:
    """Of a study that is not scored."""
    curves = {name: [(500, 15.0)] for name in ("moderate_blend", *run.recipe.degradations.names)}
    return FinishedRun(run, record(run, curves), {})


def generator_run(_: Study, run: StudyRun) -> FinishedRun | None:
    """Validated twice; the first validation is best, but for one run; an arm lacks a seed."""
    gains = {"random": (-2.0, -1.0 - 2 * run.seed), "published": (-8.0, -9.0)}.get(run.arm)
    if gains is None or (run.arm, run.seed) == ("published", 1):
        return None
    curves = {
        "gain": [(600, gains[0]), (1200, gains[1])],
        "damage": [(600, 21.0), (1200, 19.5)], "real_damage": [(600, 20.0), (1200, 20.0)],
        "restored": [(600, 23.0), (1200, 24.0)], "real_restored": [(600, 23.25), (1200, 23.25)],
    }  # fmt: skip
    return FinishedRun(run, record(run, curves), {})


@pytest.fixture
def page(recipe_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    script = recipe_script("lira_page")
    for name, path in (("PAGE", "page.md"), ("RESULTS", "."), ("IMAGES", "images")):
        monkeypatch.setattr(script, name, tmp_path / path)
    script.PAGE.write_text("".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in BLOCKS))
    return script


def row(text: str, start: str) -> list[str]:
    """The cells of the first row of a table that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_base_network_and_others(page: ModuleType, tmp_path: Path) -> None:
    write("lira_base", tmp_path, base_run)
    text = page.base_text(tmp_path)
    assert row(text, "input")[3:6] == ["20.00"] * 3
    assert row(text, "`lira_compact`")[1:5] == ["2,000,000", "100", "23.00 ± 0.00", "22.00 ± 0.00"]
    assert row(text, "`nafnet_compact`")[3] == "23.75 ± 0.35"
    assert row(text, "`owan` (seed 0)")[3:7] == ["22.00", "21.00", "20.00", "0.2200"]
    assert "without_gates" not in text.partition("Not trained yet")[0]
    assert "base network is 0.75 dB behind `nafnet_compact`, with 2 times its parameters and 1 times" in text
    assert row(text, "`owan` + `residual` + `scaled`")[3] == "22.25 ± 0.00"
    assert "1.00 dB ahead of `owan`," in text
    assert "1,500 steps of 8 patches of 64 pixels from 6 photographs" in text
    assert "rgb on set (6): all said" in text
    assert "Trained at revision 0123456789 on abacus (1 thread)." in text
    assert "Not trained yet: without_experts_seed0, " in text
    assert "owan_seed1" in text


def test_seconds_tell_of_experts_where_they_are_known(page: ModuleType, tmp_path: Path) -> None:
    write("lira_base", tmp_path, base_run)
    write("lira_experts", tmp_path, lone_run)
    text = page.base_text(tmp_path)
    assert row(text, "`lira_compact`")[2] == "100 + 100"
    assert row(text, "`nafnet_compact`")[2] == "100"
    assert "levels, seconds with those of its experts, LIRA" in text
    assert "2 times its seconds of training" in text
    assert "`compare lira_experts`" in text


@pytest.mark.parametrize(("before", "fails"), [(20.0, False), (20.5, True)])
def test_the_default_bundle_stands_beside_if_it_met_the_same_damage(
    page: ModuleType, tmp_path: Path, before: float, fails: bool
) -> None:
    """The study has scored six of its seven pictures."""
    write("lira_base", tmp_path, base_run)
    pictures = {f"{number}.png": 25.0 if number < 6 else 99.0 for number in range(7)}

    def scored(method: str, damage: str, metric: str) -> dict[str, Any]:
        by = {"psnr": 1.0, "ssim": 0.01}[metric]
        values = {name: (before if method == "input" else value) * by for name, value in pictures.items()}
        return {"method": method, "case_set": damage, "metric": metric, "values": values}

    levels = ("mild_blend", "moderate_blend", "severe_blend")
    scores = [scored(m, d, k) for m in ("input", "blend") for d in levels for k in ("psnr", "ssim")]
    content = {"provenance": provenance(["evaluate"], [0], 1.0), "table": {"scores": scores}}
    (tmp_path / "blends.json").write_text(json.dumps(content))
    if fails:
        with pytest.raises(SystemExit, match="not scored on the same damaged pictures"):
            page.base_text(tmp_path)
    else:
        assert row(page.base_text(tmp_path), "default bundle, blend")[3:7] == [*["25.00"] * 3, "0.2500"]


def test_what_each_part_brings(page: ModuleType, tmp_path: Path) -> None:
    write("lira_base", tmp_path, base_run)
    text = page.parts_text(tmp_path)
    assert row(text, "without gates")[-1] == "-0.500 ± 0.000"
    assert row(text, "without attention")[-1] == "+0.250 ± 0.000"
    assert row(text, "all parts")[-1] == ""
    assert "nafnet_compact" not in text
    assert "worse with every seed: without gates; better with every seed: without attention. Lowest" in text


@pytest.mark.parametrize("scene", ["haze", "darkness"])
def test_strategies_against_forgetting(page: ModuleType, tmp_path: Path, scene: str) -> None:
    write("lira_base", tmp_path, base_run)
    write("lira_replay", tmp_path, lone_run)
    write(f"lira_{scene}", tmp_path, grown_run)
    text = page.growth_text(tmp_path, scene)
    assert row(text, "input")[2:8] == ["14.00"] * 6
    assert row(text, "before: lira")[2:8] == ["23.00 ± 0.00", "22.00 ± 0.00", "21.00 ± 0.00", *"–––"]
    ours = row(text, "LIRA")
    assert ours[1:4] == ["100 + 100", "23.25 ± 0.71", "22.25 ± 0.71"]
    assert ours[-3:] == ["20.38 ± 0.71", "+0.25 ± 0.71", "-0.25 ± 0.71"]
    assert row(text, "EWC, lambda 0.1 (seed 0)")[-3:] == ["18.00", "-3.00", "+3.00"]
    longer = row(text, "OWAN on merged data, longer")
    assert longer[1] == "100 + 100"
    assert longer[-2:] == ["-0.50 ± 0.71", "+0.50 ± 0.71"]  # held against its start before the study
    assert "LIRA gains 0.25 dB on the old task, where fine-tuning loses 4.50 dB." in text
    assert "On the new one it is 0.25 dB behind joint learning." in text
    assert "Curves: rgb on 2 held-out pictures; thin lines" in text
    assert "Of 5 arms with the same seeds, joint learning has the highest average (20.62 dB)" in text
    assert "fine-tuning is best at the new task (19.00 dB)" in text


def test_a_growth_whose_base_is_not_measured(page: ModuleType, tmp_path: Path) -> None:
    write("lira_haze", tmp_path, grown_run)
    text = page.growth_text(tmp_path, "haze")
    assert "before" not in text
    assert row(text, "LIRA")[-3:] == ["–"] * 3
    assert "On the new one" in text


def test_other_pictures_before_and_after_are_refused(page: ModuleType, tmp_path: Path) -> None:
    write("lira_base", tmp_path, base_run)
    write("lira_haze", tmp_path, grown_run)
    path = tmp_path / "lira_base.json"
    path.write_text(path.read_text().replace("rgb on set (6)", "rgb on set (5)"))
    with pytest.raises(SystemExit, match="were not scored alike"):
        page.growth_text(tmp_path, "haze")


def test_curves_begin_where_the_warm_up_ended(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    write("lira_haze", tmp_path, grown_run)
    write("lira_haze_warmup", tmp_path, lone_run)
    recipe_script("lira_page")
    curves = recipe_script("lira_curves")
    found = curves.Found.load(tmp_path / "lira_haze.json")
    assert curves.validated(found, "moderate_blend")["lira"][1] == [(0, 15.0), (100, 23.0), (200, 22.75)]
    curves.save_growth(found, tmp_path / "a/x.png")
    with Image.open(tmp_path / "a/x.png") as figure:
        assert figure.width == 1680


def test_curves_without_a_warm_up_begin_where_they_were_first_validated(
    recipe_script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    write("lira_darkness_cold", tmp_path, grown_run)
    curves = recipe_script("lira_curves")
    found = curves.Found.load(tmp_path / "lira_darkness_cold.json")
    assert curves.validated(found, "moderate_blend")["lira"][0][0] == (100, 23.0)
    curves.save_growth(found, tmp_path / "x.png")


def test_all_blocks_or_the_named_ones(page: ModuleType, tmp_path: Path) -> None:
    write("lira_base", tmp_path, base_run)
    for scene in ("haze", "darkness", "darkness_cold"):
        write(f"lira_{scene}", tmp_path, grown_run)
    with pytest.raises(SystemExit, match=r"lira_sizes\.json: is missing"):
        page.main([])
    assert page.PAGE.read_text().count("\nold\n") == 7
    page.main(["base", "parts", "haze"])
    assert page.PAGE.read_text().count("\nold\n") == 4
    assert (tmp_path / "images/lira_haze.png").exists()
    assert not (tmp_path / "images/lira_darkness.png").exists()
    with pytest.raises(SystemExit, match="no block is called speed"):
        page.main(["speed"])


def test_what_is_missing_is_said(page: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"lira_base\.json: is missing; .* recipes/studies/lira_base\.yaml"):
        page.base_text(tmp_path)
    write("lira_base", tmp_path, lone_run)
    with pytest.raises(SystemExit, match="found 0; score the study on one set"):
        page.base_text(tmp_path)


def test_a_table_of_sizes(page: ModuleType, tmp_path: Path) -> None:
    def sizes(*values: float) -> dict[str, Any]:
        psnr = {"mean": sum(values) / len(values), "spread": None, "each": {str(n): v for n, v in enumerate(values)}}
        return {"psnr": psnr, "ssim": psnr}

    full = {
        "patches": 3, "left_out": ["a.png"], "input": {"psnr": 20.0, "ssim": 0.5},
        "scores": {"LIRA": sizes(23.0, 24.0), "OWAN": sizes(22.0)},
    }  # fmt: skip
    content = {
        "provenance": provenance(["sizes"], [0], 1.0), "protocol": "rgb", "damage": "Moderate",
        "order": {"sets": ["set5", "set14"], "sides": [64, 128], "methods": ["LIRA", "OWAN"]},
        "methods": {"LIRA": {"weights": [{}, {}]}, "OWAN": {"weights": [{}]}},
        "sets": {
            "set5": {"64": full, "128": {"patches": 0, "left_out": ["a.png", "b.png"], "input": {}, "scores": {}}},
            "set14": {"64": full, "128": full},
        },
    }  # fmt: skip
    (tmp_path / "lira_sizes.json").write_text(json.dumps(content))
    text = page.sizes_text(tmp_path)
    assert "| LIRA | 64 | 23.50 ± 0.71 | 23.5000 ± 0.7071 | 23.50 ± 0.71 |" in text
    assert "| OWAN | 128 | – | – | 22.00 | 22.0000 |" in text
    assert "Patches: 3 of set5 at 64, 0 of set5 at 128, 3 of set14 at 64" in text
    assert "left out: 1 of set5 at 64, 2 of set5 at 128" in text
    assert "LIRA is 1.50 dB ahead of OWAN at 64 pixels, 1.50 dB ahead of OWAN at 128 pixels." in text


def test_generators_against_real_damage(page: ModuleType, tmp_path: Path) -> None:
    """Each seed's best validation tells: the last one of random's first seed, the first one of its second."""
    write("lira_replay", tmp_path, generator_run)
    text = page.replay_text(tmp_path)
    assert row(text, "`random`, `paired`, matched")[1:] == [
        "2,000,000", "100", "+0.25 ± 1.06", "+0.25 ± 0.71", "1.50 ± 0.71", "2.00 ± 1.41"
    ]  # fmt: skip
    assert row(text, "as published (seed 0)")[3:] == ["+1.00", "-0.25", "8.00", "9.00"]
    assert "validated on rgb on 2 held-out pictures. PSNR of generated" in text
    assert "Not trained yet: unmatched_seed0" in text


def test_the_page_has_the_blocks() -> None:
    text = (ROOT / "docs/lifelong.md").read_text()
    assert all(f"<!-- {name} -->\n" in text and f"<!-- end of {name} -->\n" in text for name in BLOCKS)
