"""Writes what was measured of LIRA into the blocks of `docs/lifelong.md`, and Fig. 4's pictures into `docs/images`.

    python recipes/lira_page.py            # all blocks
    python recipes/lira_page.py base parts

Results are those of the studies `recipes/studies/lira_NAME.yaml`, as `results/lira_NAME.json`, and of
`recipes/lira_sizes.py`; their headers have the commands. Blocks need lira_base (base, parts), lira_sizes (sizes),
lira_replay, lira_haze, lira_darkness and lira_darkness_cold. Where there are results of lira_experts, lira_replay or
the warm-ups, seconds and curves tell of them; of `results/blends.json`, the table of base networks shows the default
bundle's. Arms, seeds and scores may be missing, and the page says which.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean

from lira_curves import save_growth
from lira_growth import beside, growth_text
from lira_replay_page import replay_text
from lira_sizes_page import sizes_text
from lira_study import Each, Found, cell, difference, listed, origins, pace, prepared
from page_blocks import provenance_line, replace_block

from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.metrics import create_metric

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS, IMAGES = ROOT / "docs/lifelong.md", ROOT / "results", ROOT / "docs/images"

METRICS = ("psnr", "ssim")
SCENES = ("haze", "darkness", "darkness_cold")
SHIPPED = "blends.json"
"""What `unblemish evaluate` wrote of the default bundle's networks on the same damage."""

PARTS = {
    "without_experts": "without pretrained experts",
    "durb_m": "DuRB-M's blocks for selective kernels",
    "half_of_gates": "without half of the gates",
    "without_gates": "without gates",
    "without_attention": "without attention",
    "without_bi_sgu": "without bidirectional gating",
}
"""Arms of the ablation in words."""


def base_text(results: Path) -> str:
    """Table 1: the damaged pictures, networks of other kinds, LIRA's base network, and the default bundle's.

    Raises:
        SystemExit: There is no result, nothing is scored, or the default bundle on other pictures.
    """
    found = Found.load(results / "lira_base.json")
    others = [arm for arm in found.arms if not _is_ours(found, arm)]
    shown = [*others, *(arm for arm in found.arms if arm == found.reference)]
    rows = [["input", "", "", *_input(found)]]
    for arm in shown:
        label = found.label(arm, _network(found, arm))
        rows.append([label, f"{found.parameters(arm):,}", pace(found, arm), *_scores(found, arm)])
    shipped, sources = _shipped(found)
    headings = ["network", "parameters", "s", *_headings(found)]
    words = [found.budget_text(), "s: seconds of training, and after + of the experts that a network starts from."]
    if shipped:
        words.append("Rows of the default bundle: trained otherwise and for longer, in bfloat16, on the same pictures.")
    table = markdown_table(headings, [*rows, *shipped])
    return _joined(" ".join(words), table, _against(found, others), *origins(found, ()), *sources)


def parts_text(results: Path) -> str:
    """Table 3: LIRA's base network, and itself without each of its parts.

    Raises:
        SystemExit: There is no result, or nothing is scored.
    """
    found = Found.load(results / "lira_base.json")
    apart = {arm: _apart(found, arm) for arm in found.arms if _is_ours(found, arm) and arm != found.reference}
    rows = [
        [found.label(arm, PARTS.get(arm, arm.replace("_", " "))), *_scores(found, arm), cell(each, 3, "+")]
        for arm, each in apart.items()
    ]
    if found.reference in found.arms:
        rows.append([found.label(found.reference, "all parts"), *_scores(found, found.reference), ""])
    headings = ["network", *_headings(found), "PSNR less that of all parts, paired by seed"]
    return _joined(found.budget_text(), markdown_table(headings, rows), _worth(apart), *origins(found, ()))


def _network(found: Found, arm: str) -> str:
    """The name of an arm's network, and what is switched on in it."""
    network = found.recipe(arm)["network"]
    switched = [option for option, value in sorted(network["options"].items()) if value is True]
    return " + ".join(f"`{word}`" for word in (network["name"], *switched))


def _is_ours(found: Found, arm: str) -> bool:
    """Whether an arm's network is of the kind that the study is about."""
    return found.recipe(arm)["network"]["name"] == found.content["study"]["changes"]["network.name"]


def _shipped(found: Found) -> tuple[list[list[str]], list[str]]:
    """Rows of the default bundle's networks on the study's pictures, and where they come from; none of no result.

    Raises:
        SystemExit: They were measured on other pictures or other damage.
    """
    path = found.path.with_name(SHIPPED)
    if not path.exists():
        return [], []
    content = json.loads(path.read_text(encoding="utf-8"))
    (pictures,) = {int(re.findall(r"\((\d+)\): ", one)[0]) for one in found.content["protocols"]}
    scores = {
        (one["method"], one["case_set"], one["metric"]): fmean(
            value for _, value in sorted(one["values"].items())[:pictures]
        )
        for one in content["table"]["scores"]
    }
    asked = [(damage, metric) for metric in METRICS for damage in _levels(found)]
    if any(abs(scores["input", *each] - found.before(*each)) > 1e-4 for each in asked):
        raise SystemExit(f"{path} and {found.path}: were not scored on the same damaged pictures; score both anew")
    methods = dict.fromkeys(method for method, *_ in scores if method != "input")
    rows = [
        [
            f"default bundle, {method}",
            "",
            "",
            *(f"{scores[method, *each]:.{create_metric(each[1]).decimals}f}" for each in asked),
        ]
        for method in methods
    ]
    return rows, [provenance_line(path, content["provenance"]).strip()]


def _levels(found: Found) -> list[str]:
    return list(found.content["study"]["scored"])


def _headings(found: Found) -> list[str]:
    return [f"{create_metric(m).title}, {damage.partition('_')[0]}" for m in METRICS for damage in _levels(found)]


def _input(found: Found) -> list[str]:
    return [f"{found.before(d, m):.{create_metric(m).decimals}f}" for m in METRICS for d in _levels(found)]


def _scores(found: Found, arm: str) -> list[str]:
    return [cell(found.each(arm, [d], m), create_metric(m).decimals) for m in METRICS for d in _levels(found)]


def _apart(found: Found, arm: str) -> Each:
    """Mean PSNR over the levels less the reference's; empty where no seed has both."""
    ours = found.each(found.reference, _levels(found), "psnr") if found.reference in found.arms else {}
    return difference(found.each(arm, _levels(found), "psnr"), ours)


def _against(found: Found, others: Iterable[str]) -> str:
    """Where LIRA stands beside other networks, and what it takes for that; empty where no seed has both."""
    known = {arm: each for arm in others if (each := _apart(found, arm))}
    if not known:
        return ""
    before, _ = prepared(found, found.reference)
    seconds, size = fmean(found.seconds(found.reference).values()) + before, found.parameters(found.reference)
    told = [
        f"{beside(-fmean(each.values()))} {_network(found, arm)}, with {size / found.parameters(arm):.2g} times its "
        f"parameters and {seconds / fmean(found.seconds(arm).values()):.2g} times its seconds of training"
        for arm, each in known.items()
    ]
    counted = ", seconds with those of its experts" if before else ""
    return f"In mean PSNR over the levels{counted}, LIRA's base network is {'; '.join(told)}."


def _worth(apart: dict[str, Each]) -> str:
    """Which parts help with every seed, and which with none; empty where nothing is known."""
    known = {arm: each for arm, each in apart.items() if each}
    if not known:
        return ""
    means = {arm: fmean(each.values()) for arm, each in known.items()}
    worst = min(means, key=means.__getitem__)
    kinds = {
        "worse with every seed": [arm for arm, each in known.items() if max(each.values()) < 0],
        "better with every seed": [arm for arm, each in known.items() if min(each.values()) > 0],
    }
    rest = [arm for arm in known if not any(arm in arms for arms in kinds.values())]
    kinds["seeds disagree"] = rest
    told = [f"{words}: {listed(PARTS.get(a, a) for a in arms)}" for words, arms in kinds.items() if arms]
    return (
        f"Against all parts, in mean PSNR over the levels, {'; '.join(told)}. Lowest: "
        f"{PARTS.get(worst, worst)}, {means[worst]:+.3f} dB."
    )


def _joined(*parts: str) -> str:
    return "\n" + "\n\n".join(filter(None, parts)) + "\n"


BLOCKS: dict[str, Callable[[Path], str]] = {
    "base": base_text,
    "parts": parts_text,
    "sizes": sizes_text,
    "replay": replay_text,
    **{scene: lambda results, scene=scene: growth_text(results, scene) for scene in SCENES},
}
"""What writes each block."""


def main(words: Sequence[str] | None = None) -> None:
    """Writes the blocks; all texts are there before the page is touched."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks", nargs="*", metavar="BLOCK", help=f"of {', '.join(BLOCKS)}; all by default")
    chosen = parser.parse_args(words).blocks or list(BLOCKS)
    if unknown := [name for name in chosen if name not in BLOCKS]:
        raise SystemExit(f"no block is called {listed(unknown)}; choose from {', '.join(BLOCKS)}")
    texts = {name: BLOCKS[name](RESULTS) for name in chosen}
    for scene in SCENES:
        if scene in texts:
            save_growth(Found.load(RESULTS / f"lira_{scene}.json"), IMAGES / f"lira_{scene}.png")
    for name, text in texts.items():
        replace_block(PAGE, name, text)


if __name__ == "__main__":
    main()
