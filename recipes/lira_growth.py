"""What a network forgets while it learns a new task, by strategy: Table 4 of LIRA as a block of `docs/lifelong.md`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from lira_study import NONE, Each, Found, cell, difference, listed, origin, origins, pace

from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.metrics import create_metric
from unblemish.lifelong.retention import Transfer, transfer

OLD, NEW = 0, -1
"""Tasks as the studies' `scored` counts them."""

JOINT, FREE = "joint", "fine_tuning"
"""Arms that others are held against: what can be had with the old pictures, and what is left without any care."""

TITLES = {
    "lira": "LIRA",
    "setting_a": "setting A",
    JOINT: "joint learning",
    FREE: "fine-tuning",
    "lwf": "LwF",
    "progressive": "progressive networks",
    "lira_tenth_rate": "LIRA, rho 0.1",
    "lira_full_rate": "LIRA, rho 1",
    "joint_full_rate": "joint learning, rho 1",
    "owan_scaled": "OWAN on merged data",
    "owan_scaled_longer": "OWAN on merged data, longer",
}
"""Arms in words."""

Transfers = Mapping[str, Mapping[int, Transfer]]
"""By arm and seed."""


def growth_text(results: Path, scene: str) -> str:
    """Scores of the old and the new task, transfer between them, and Fig. 4's picture.

    Raises:
        SystemExit: The study's result is missing, or was scored in another way than the network before it grew.
    """
    found = Found.load(results / f"lira_{scene}.json")
    if not found.arms:
        return f"\n{found.origin_text()}\n"
    older = {arm: one for arm in found.arms if (one := grown_from(found, arm))}
    tables = [_table(found, older, metric) for metric in ("psnr", "ssim")]
    facts = next(iter(found.runs(found.arms[0]).values()))["facts"]
    grown = "`before` is the network that arms grew from; what it makes of the new task was not measured."
    words = [
        found.budget_text(),
        *([grown] if older else []),
        "Average, backward transfer and forgetting are those of the means over the levels "
        "(`lifelong.retention.transfer`); seconds are those of training, and after + of what was trained for it alone. "
        f"Curves: {facts['protocol'].partition(':')[0]}; thin lines are seeds, their number in brackets.",
    ]
    picture = f"![Validation of the old and the new task over the steps of growing](images/lira_{scene}.png)"
    said = claims(found, transfers(found, older, "psnr"))
    parts = [" ".join(words), *tables, said, picture, *origins(found, (one for one, _ in older.values()))]
    return "\n" + "\n\n".join(filter(None, parts)) + "\n"


def title(found: Found, arm: str) -> str:
    """An arm in words."""
    part = found.recipe(arm)["lifelong"] or {}
    weight = f"EWC, lambda {part['importance_weight']:g}" if part.get("strategy") == "ewc" else arm.replace("_", " ")
    return TITLES.get(arm, weight)


def grown_from(found: Found, arm: str) -> tuple[Found, str] | None:
    """The result and the arm that an arm's network was before this study; None where there is none beside its result.

    Raises:
        SystemExit: It was scored in another way.
    """
    recipe = found.recipe(arm)
    study, name = origin((recipe["lifelong"] or {}).get("old") or recipe["network"]["start"])
    if study == found.path.stem:
        return grown_from(found, name) if name in found.arms else None
    one = Found.look(found.path.with_name(f"{study}.json"))
    if one is None or name not in one.arms:
        return None
    if one.content["protocols"] != found.content["protocols"]:
        raise SystemExit(
            f"{one.path} and {found.path}: were not scored alike ({listed(one.content['protocols'])}; "
            f"{listed(found.content['protocols'])}); give both the same --score"
        )
    return one, name


def transfers(found: Found, older: Mapping[str, tuple[Found, str]], metric: str) -> Transfers:
    """Average, backward transfer and forgetting of each arm whose network is known from before."""
    levels = found.damages(OLD)
    told = {}
    for arm, (one, name) in older.items():
        first, old, new = one.each(name, levels, metric), *_ends(found, arm, metric)
        shared = sorted(first.keys() & old.keys() & new.keys())
        told[arm] = {seed: transfer([[first[seed]], [old[seed], new[seed]]]) for seed in shared}
    return told


def claims(found: Found, told: Transfers) -> str:
    """What the table says of the reference, of other seeds' like, and who is first; empty where nothing is known."""
    sentences, ours, name = [], told.get(found.reference, {}), TITLES.get(found.reference, found.reference)
    for arm in (FREE, JOINT):
        if shared := sorted(ours.keys() & told.get(arm, {}).keys()):
            own, other = (fmean(one[seed].backward for seed in shared) for one in (ours, told[arm]))
            sentences.append(f"{name} {_lost(own)} on the old task, where {TITLES[arm]} {_lost(other)}.")
    if found.reference in found.arms and JOINT in found.arms:
        ends = [_ends(found, arm, "psnr")[1] for arm in (found.reference, JOINT)]
        if apart := difference(*ends).values():
            sentences.append(f"On the new one it is {beside(fmean(apart))} {TITLES[JOINT]}.")
    if len(ranked := [arm for arm, one in told.items() if one and one.keys() == ours.keys()]) > 1:
        means = {arm: [fmean(column) for column in zip(*told[arm].values(), strict=True)] for arm in ranked}
        best, kept = max(means, key=lambda arm: means[arm][0]), min(means, key=lambda arm: means[arm][2])
        newest = {arm: fmean(_ends(found, arm, "psnr")[1][seed] for seed in ours) for arm in ranked}
        ablest = max(newest, key=newest.__getitem__)
        sentences.append(
            f"Of {len(ranked)} arms with the same seeds, {title(found, best)} has the highest average "
            f"({means[best][0]:.2f} dB), {title(found, kept)} forgets least "
            f"({round(means[kept][2], 2) + 0.0:.2f} dB), and "
            f"{title(found, ablest)} is best at the new task ({newest[ablest]:.2f} dB)."
        )
    return " ".join(["PSNR over the levels:", *sentences]) if sentences else ""


def beside(value: float) -> str:
    """A difference in dB in words that a name may follow."""
    size = f"{abs(value):.2f}"
    return "level with" if float(size) == 0 else f"{size} dB {'ahead of' if value > 0 else 'behind'}"


def _lost(value: float) -> str:
    size = f"{abs(value):.2f}"
    return "loses nothing" if float(size) == 0 else f"{'gains' if value > 0 else 'loses'} {size} dB"


def _ends(found: Found, arm: str, metric: str) -> tuple[Each, Each]:
    """Mean over the levels of the old and of the new task, after the new one was learnt."""
    old, new = (found.each(arm, found.damages(task), metric) for task in (OLD, NEW))
    return old, new


def _table(found: Found, older: Mapping[str, tuple[Found, str]], metric: str) -> str:
    decimals = create_metric(metric).decimals
    old, new = found.damages(OLD), found.damages(NEW)
    levels = [f"{task}, {damage.partition('_')[0]}" for task, ones in (("old", old), ("new", new)) for damage in ones]
    headings = [create_metric(metric).title, "s", *levels, "average", "backward transfer", "forgetting"]
    rows = [["input", "", *(f"{found.before(damage, metric):.{decimals}f}" for damage in (*old, *new)), *[""] * 3]]
    for one, name in {(one.path, name): (one, name) for one, name in older.values()}.values():
        scores = [cell(one.each(name, [damage], metric), decimals) for damage in old]
        rows.append([one.label(name, f"before: {name}"), "", *scores, *[NONE] * len(new), *[""] * 3])
    told = transfers(found, older, metric)
    for arm in found.arms:
        scores = [cell(found.each(arm, [damage], metric), decimals) for damage in (*old, *new)]
        ends = [
            cell({seed: each[place] for seed, each in told.get(arm, {}).items()}, decimals, sign)
            for place, sign in enumerate(("", "+", "+"))
        ]
        rows.append([found.label(arm, title(found, arm)), pace(found, arm), *scores, *ends])
    return markdown_table(headings, rows)
