"""A found architecture beside others, as Markdown."""

from __future__ import annotations

from unblemish.architecture_search.ranking import Agreement, Regret
from unblemish.architecture_search.report import LIKELIHOOD, PARAMETERS, WORK, Comparison
from unblemish.architecture_search.supernet_scores import AS_SEARCHED, RECALIBRATED
from unblemish.evaluation.markdown import markdown_table
from unblemish.studies.result import Summary
from unblemish.studies.table import to_markdown as study_tables

_TITLES = {
    RECALIBRATED: "gain with the supernet's weights, dB",
    AS_SEARCHED: "the same, statistics of the mixture, dB",
    LIKELIHOOD: "log likelihood by the alphas",
}
_SIZES = {PARAMETERS: "parameters alone", WORK: "multiply-adds alone"}
_NONE = "–"


def to_markdown(found: Comparison) -> str:
    """The tables of the study, then those of the architectures, of the ranks and of the regret."""
    parts = [
        study_tables(found.result).rstrip("\n"),
        "Architectures, best first. Gains are those over the damaged held-out pictures after the last step: mean ± "
        "sample standard deviation over the seeds.",
        _architectures(found),
        "How judgements without training order the trained architectures (p: probability of as much by chance).",
        _ranks(found),
        _regret(found.regret(), found.compared.exhaustive),
    ]
    return "\n\n".join(parts) + "\n"


def _architectures(found: Comparison) -> str:
    arms = found.arms
    order = sorted(arms, key=lambda arm: -found.gains[arm].mean if arm in found.gains else float("inf"))
    headings = ["arm", "stands for", "architecture", "parameters", "multiply-adds a pixel", "gain, dB"]
    rows = [
        [
            arm,
            ", ".join(role for role in arms[arm]["stands_for"] if role != arm) or _NONE,
            arms[arm]["architecture"],
            f"{arms[arm]['parameters']:,}",
            f"{arms[arm]['multiply_adds_per_pixel']:,.0f}",
            _gain(found.gains.get(arm)),
            *(f"{arms[arm][way]:.3f}" for way in _TITLES),
        ]
        for arm in order
    ]
    return markdown_table([*headings, *_TITLES.values()], rows)


def _ranks(found: Comparison) -> str:
    headings = ["judged by", "architectures", "Kendall's tau-b", "p", "Spearman's rho", "p", "note"]
    titles = {**_TITLES, **_SIZES}
    rows = [[titles[way], *_agreement(one)] for way, one in found.agreements().items()]
    return markdown_table(headings, rows)


def _agreement(found: Agreement | str) -> list[str]:
    if isinstance(found, str):
        return [*[_NONE] * 5, found]
    numbers = [f"{found.tau:.2f}", f"{found.tau_p:.2g}", f"{found.rho:.2f}", f"{found.rho_p:.2g}"]
    return [str(found.count), *numbers, found.note or _NONE]


def _regret(found: Regret | str, exhaustive: bool) -> str:
    if isinstance(found, str):
        return f"Regret: {found}."
    lines = [
        f"Regret: {found.regret:.3f} dB to {found.best}, rank {found.rank} of {found.count}.",
        "What seeds alone make of it is unknown with one seed."
        if found.noise is None
        else f"Seeds alone make two arms differ by {found.noise:.3f} dB (standard deviation); within that it is none.",
    ]
    if found.mean is not None:
        kind = "all architectures" if exhaustive else "the random architectures"
        spread = "" if found.spread is None else f" ± {found.spread:.3f}"
        how = "exactly" if exhaustive else "as estimated from them"
        powers = [draws for draws in found.expected if draws & (draws - 1) == 0]
        best = ", ".join(f"{draws}: {found.expected[draws]:.3f} dB" for draws in powers)
        lines += [
            f"Gain of {kind}: {found.mean:.3f}{spread} dB.",
            f"Best of so many random draws on average, {how}: {best}.",
        ]
    return " ".join(lines)


def _gain(summary: Summary | None) -> str:
    if summary is None:
        return _NONE
    return f"{summary.mean:.3f}" + ("" if summary.spread is None else f" ± {summary.spread:.3f}")
