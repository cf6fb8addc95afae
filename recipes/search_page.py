r"""Writes what was measured of searches into `docs/search.md`: the paper's tables, each search, equal latency.

    unblemish search recipes/searches/NAME.yaml ... --baselines --result results/search_NAME.json
    python recipes/clearer_protocol.py DATA 30=WEIGHTS ... -o results/clearer_protocol.json
    python recipes/equal_latency.py ARCHITECTURE -o results/equal_latency.json
    unblemish compare recipes/studies/equal_latency.yaml ... -o results/equal_latency_GROUP.json
    python recipes/search_page.py

Searches are all `results/search_NAME.json` of the recipes in `recipes/searches`; their drawings are made anew, and a
contact sheet `docs/images/search_NAME_sheet.jpg` is shown where there is one. Rows of Table 5 are
`results/search_table5_*.json`, which the header of `recipes/searches/denoising.yaml` says how to make.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from equal_latency_page import equal_latency_text
from page_blocks import provenance_line, replace_block

from unblemish.architecture_search.alphas_plot import draw_alphas
from unblemish.architecture_search.drawing import draw_architecture
from unblemish.architecture_search.published import (
    ALPHAS,
    GAPS,
    SETS,
    SIGMAS,
    TABLE_1,
    TABLE_3,
    TABLE_5,
    PublishedConfiguration,
    PublishedScore,
)
from unblemish.evaluation.markdown import markdown_table

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS, IMAGES, SEARCHES = (
    ROOT / name for name in ("docs/search.md", "results", "docs/images", "recipes/searches")
)
PREFIX = "search_"
WAYS = {"": "whole, eight orientations", "-P": "patches"}
"""How the rows of CLEARER and CLEARER-P are scored, by what is added to the name."""

NONE = "–"
UNMEASURED = "Not measured yet; `recipes/QUEUE.md` says what is to come.\n"


def table_1(content: dict[str, Any]) -> str:
    """PSNR/SSIM on BSD500 test by noise level: published methods, then ours."""
    rows = [[name, *map(_pair, scores)] for name, scores in TABLE_1.items()]
    for rounding in ("truncated", "none"):
        for suffix, way in WAYS.items():
            cells = [_found(content, sigma, "bsds500_test", way, rounding) for sigma in SIGMAS]
            rows.append([_ours(suffix, rounding), *cells])
    cells = [_found(content, sigma, "bsds500_test", WAYS[""], "truncated", "input") for sigma in SIGMAS]
    rows.append(["noisy picture, here", *cells])
    return markdown_table(("method", *(f"sigma {sigma}" for sigma in SIGMAS)), rows)


def table_3(content: dict[str, Any]) -> str:
    """PSNR/SSIM at sigma 50 on Set12 and BSD68: published methods, then ours."""
    rows = [[name, *map(_pair, scores)] for name, scores in TABLE_3.items()]
    for rounding in ("truncated", "none"):
        for suffix, way in WAYS.items():
            cells = [_found(content, 50, name.lower(), way, rounding) for name in SETS]
            rows.append([_ours(suffix, rounding), *cells])
    return markdown_table(("method", *SETS), rows)


def table_5(results: list[Path]) -> str:
    """The paper's grid of lambda_1 and lambda_2, published and here."""
    found: dict[tuple[float | None, float | None], dict[str, Any]] = {}
    for path in results:
        content = json.loads(path.read_text(encoding="utf-8"))
        part = content["recipe"]["search"]
        found[part["architecture_weight"], part["complexity_weight"]] = _row(
            content, content["study"]["study"]["reference"]
        )
        for arm in content["architectures"]:
            if arm.startswith("random"):
                found.setdefault((None, None), _row(content, arm))
    headings = (
        "lambda_1", "lambda_2", "paper: PSNR/SSIM", "paper: M parameters", "paper: gap", "here: architecture",
        "here: PSNR/SSIM", "here: K parameters", "here: gap",
    )  # fmt: skip
    return markdown_table(headings, [_table_5_row(one, found) for one in TABLE_5])


def search_text(result: Path) -> str:
    """One search: what it was for, what it found, what that is worth, and the drawings."""
    content = json.loads(result.read_text(encoding="utf-8"))
    name, found, recipe = result.stem.removeprefix(PREFIX), content["found"], content["recipe"]
    images = [IMAGES / f"{result.stem}.svg", IMAGES / f"{result.stem}_alphas.svg"]
    draw_architecture(found["architecture"], images[0], recipe["purpose"], found["alphas"])
    draw_alphas([(point["step"], point["fusion"]) for point in content["alphas"]], images[1])
    parts = [
        f"### {recipe['purpose'][0].upper()}{recipe['purpose'][1:]}",
        _budget(name, content),
        "\n".join(f"![{name}](images/{image.name})" for image in images),
    ]
    if "study" in content:
        parts += [_arms(content), _ranks(content["ranking"]), _regret(content)]
    sheet = IMAGES / f"{result.stem}_sheet.jpg"
    if sheet.exists():
        parts.append(f"![contact sheet](images/{sheet.name})")
    return "\n\n".join(parts) + "\n" + provenance_line(result, content["provenance"])


def _budget(name: str, content: dict[str, Any]) -> str:
    found, recipe, search = content["found"], content["recipe"], content["search"]
    sides = f"{recipe['batch']} patches of {recipe['data']['patch']} pixels"
    words = (
        f"`recipes/searches/{name}.yaml`: {found['steps']:,} steps of {sides} each for weights and alphas, "
        f"{found['seconds'] / 60:.0f} min on {search['hardware']['cpu']} ({search['hardware']['cores']} cores, one "
        "used). "
        f"Found: `{found['architecture']}`, {found['parameters']:,} parameters, mean gap of the alphas "
        f"{found['gap']:.2f}."
    )
    if "study" not in content:
        return words
    budget = content["study"]["arms"][content["study"]["study"]["reference"]]["budget"]
    return (
        f"{words} Trained from scratch: {budget['steps']:,} steps of {budget['batch']} patches of "
        f"{budget['data.patch']} pixels, every arm alike."
    )


def _arms(content: dict[str, Any]) -> str:
    study, arms = content["study"], content["architectures"]
    keys = [key for key in next(iter(study["arms"].values()))["scores"] if _is_headline(key)]
    headings = ["arm", "architecture", "K parameters", "K multiply-adds a pixel", "validation gain, dB"]
    if timed := content["found"]["complexity"]["kind"] == "latency":
        headings.insert(4, "modules, ms")
    headings += [" ".join((key.split("/")[0], key.split("/")[3].upper(), f"({key.split('/')[2]})")) for key in keys]
    order = sorted(arms, key=lambda arm: -(arms[arm]["gain"] or {"mean": 0})["mean"])
    if len(order) > 10:
        chosen = study["study"]["reference"]
        order = [arm for number, arm in enumerate(order) if number < 3 or number > len(order) - 3 or arm == chosen]
    rows = []
    for arm in order:
        roles = [role for role in arms[arm]["stands_for"] if role != arm]
        modules = [f"{_milliseconds(content, arms[arm]['architecture']):.1f}"] if timed else []
        rows.append(
            [
                ", ".join([*roles, arm]) if roles else arm,
                f"`{arms[arm]['architecture']}`",
                f"{arms[arm]['parameters'] / 1e3:,.0f}",
                f"{arms[arm]['multiply_adds_per_pixel'] / 1e3:,.1f}",
                *modules,
                _summary(arms[arm]["gain"], 2),
                *(_summary(study["arms"][arm]["scores"][key], 4 if key.endswith("ssim") else 2) for key in keys),
            ]
        )
    return markdown_table(headings, rows)


def _milliseconds(content: dict[str, Any], architecture: str) -> float:
    """What an architecture's modules take by the table that the search measured."""
    table = content["found"]["complexity"]["modules"]
    chosen = architecture.replace("/", "")
    return 1e3 * sum(costs["PF".index(module)] for costs, module in zip(table, chosen, strict=True))


def _ranks(ranking: dict[str, Any]) -> str:
    names = {
        "supernet": "gain with the supernet's weights, statistics averaged anew",
        "supernet_as_searched": "the same with the mixture's statistics",
        "log_likelihood": "likelihood by the alphas",
        "parameters": "number of parameters",
        "multiply_adds_per_pixel": "multiply-adds",
    }
    words = []
    for way, name in names.items():
        found = ranking[way]
        if "refused" in found:
            words.append(f"{name}: {found['refused']}")
        else:
            words.append(f"{name} {found['tau']:+.2f} (p {found['tau_p']:.2g}, {found['count']} architectures)")
    return f"Kendall's tau with the trained gain: {'; '.join(words)}."


def _regret(content: dict[str, Any]) -> str:
    found = content["regret"]
    if "refused" in found:
        return f"Regret: {found['refused']}."
    drawn = "of the whole space" if content["exhaustive"] else "of the random ones"
    noise = "" if found["noise"] is None else f", with ± {found['noise']:.2f} dB of chance between seeds"
    mean = "" if found["mean"] is None else f" Mean {drawn} {found['mean']:+.2f} dB."
    best = found["expected"]
    few = ", ".join(f"{draws}: {best[draws]:+.2f}" for draws in ("1", "2", "4", "8") if draws in best)
    return (
        f"Regret {found['regret']:.2f} dB to {found['best']}: rank {found['rank']} of {found['count']}{noise}.{mean} "
        f"Best of so many random draws: {few} dB."
    )


def _row(content: dict[str, Any], arm: str) -> dict[str, Any]:
    """What Table 5 says of one arm of one search."""
    scores = content["study"]["arms"][arm]["scores"]
    whole = {key.rpartition("/")[2]: score for key, score in scores.items() if "/clearer/" in key and _is_headline(key)}
    gap = content["found"]["gap"] if arm == content["study"]["study"]["reference"] else None
    return {"architecture": content["architectures"][arm]["architecture"], "scores": whole, "gap": gap,
            "parameters": content["architectures"][arm]["parameters"]}  # fmt: skip


def _table_5_row(published: PublishedConfiguration, found: dict[Any, dict[str, Any]]) -> list[str]:
    key = (published.architecture_weight, published.complexity_weight)
    one = found.get(key)
    gap = GAPS.get(key[0]) if key[0] is not None and key[1] == 0 else None
    heads = ["random", NONE] if key[0] is None else [f"{key[0]:.2f}", f"{key[1]:.2f}"]
    cells = [*heads, _pair(published.score), f"{published.parameters:.2f}", NONE if gap is None else f"{gap:.2f}"]
    if one is None:
        return [*cells, NONE, NONE, NONE, NONE]
    psnr, ssim = (one["scores"][metric]["mean"] for metric in ("psnr", "ssim"))
    mine = NONE if one["gap"] is None else f"{one['gap']:.2f}"
    return [*cells, f"`{one['architecture']}`", f"{psnr:.2f}/{ssim:.4f}", f"{one['parameters'] / 1e3:,.0f}", mine]


def _found(content: dict[str, Any], sigma: int, name: str, way: str, rounding: str, who: str = "network") -> str:
    for row in content["scores"]:
        if (row["sigma"], row["set"], row["way"], row["rounding"]) == (sigma, name, way, rounding):
            return f"{row[who]['psnr']:.2f}/{row[who]['ssim']:.4f}"
    return NONE


def _ours(suffix: str, rounding: str) -> str:
    return f"CLEARER{suffix}, here{'' if rounding == 'truncated' else ', noise not rounded'}"


def _pair(score: PublishedScore) -> str:
    return f"{score.psnr:.2f}/{NONE if score.ssim is None else format(score.ssim, '.4f')}"


def _summary(found: dict[str, Any] | None, decimals: int) -> str:
    if found is None:
        return NONE
    spread = "" if found["spread"] is None else f" ± {found['spread']:.{decimals}f}"
    return f"{found['mean']:.{decimals}f}{spread}"


def _is_headline(key: str) -> bool:
    """Whether a score is of the only damage that a search is for."""
    return len(key.split("/")) == 4


def main() -> None:
    """Writes the blocks of the page."""
    draw_architecture("FPPF/FFFF/PFFP", IMAGES / f"{PREFIX}architecture.svg", "CLEARER, lambda_1 = 0.1", ALPHAS)
    order = [path.stem for path in sorted(SEARCHES.glob("*.yaml"))]
    found = [path for name in order if (path := RESULTS / f"{PREFIX}{name}.json").exists()]
    replace_block(PAGE, "searches", "\n".join(map(search_text, found)))
    timed = (RESULTS / "equal_latency.json").exists()
    replace_block(PAGE, "equal latency", equal_latency_text(RESULTS) if timed else UNMEASURED)
    protocol = RESULTS / "clearer_protocol.json"
    for name, table in (("table 1", table_1), ("table 3", table_3)):
        replace_block(PAGE, name, _protocol_text(protocol, table) if protocol.exists() else UNMEASURED)
    grid = sorted(RESULTS.glob(f"{PREFIX}table5_*.json"))
    first = RESULTS / f"{PREFIX}denoising.json"
    replace_block(PAGE, "table 5", table_5([first, *grid]) + "\n" if first.exists() else UNMEASURED)


def _protocol_text(result: Path, table: Callable[[dict[str, Any]], str]) -> str:
    content = json.loads(result.read_text(encoding="utf-8"))
    return f"{table(content)}\n{provenance_line(result, content['provenance'])}"


if __name__ == "__main__":
    main()
