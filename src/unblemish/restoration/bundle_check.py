"""Whether a bundle is whole: every part is read, built, and held against what the bundle says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unblemish.errors import UserError
from unblemish.restoration.bundle_parts import DESCRIPTOR, KnowledgeEntry, NetworkEntry
from unblemish.restoration.errors import BundleError

if TYPE_CHECKING:
    from unblemish.restoration.bundle import Bundle


@dataclass(frozen=True, slots=True)
class PartReport:
    """What was found about a part.

    Attributes:
        part: What users call it, such as "network mix".
        file: Its file in the bundle.
        size: Bytes; None where the file cannot be read.
        problems: What is wrong, one line each; none where it is fine.
    """

    part: str
    file: str
    size: int | None
    problems: tuple[str, ...]


def check(bundle: Bundle) -> tuple[PartReport, ...]:
    """Reads every part of a bundle.

    A part is fine if its file fits its checksum, is safetensors, and fits its architecture (a network), describes
    damage (the descriptor), or is an examiner's knowledge of the bundle's groups (the knowledge); and if it states its
    scores with their protocol.
    """
    return tuple(
        PartReport(part, entry.file, _size(bundle, entry), tuple(_problems(bundle, part)))
        for part, entry in bundle.manifest.parts.items()
    )


def _size(bundle: Bundle, entry: NetworkEntry | KnowledgeEntry) -> int | None:
    try:
        return bundle.size(entry)
    except BundleError:
        return None


def _problems(bundle: Bundle, part: str) -> Iterator[str]:
    from unblemish.restoration.examining import describer

    entry = bundle.manifest.parts[part]
    try:
        if isinstance(entry, KnowledgeEntry):
            _check_knowledge(bundle)
        elif part == DESCRIPTOR:
            describer(bundle.descriptor(), "cpu")
        else:
            bundle.build(entry)
    except UserError as error:
        yield str(error)
    if not entry.scores:
        yield "states no scores: evaluate it and write them into its card"
    elif not entry.protocol:
        yield "states scores but not how they are computed: write the protocol into its card"


def _check_knowledge(bundle: Bundle) -> None:
    from unblemish.examination.knowledge import Knowledge

    known = Knowledge.from_parts(*bundle.knowledge()).settings.groups
    groups = {group.name: {*group.degradations} for group in bundle.groups}
    if {name: {*members} for name, members in known.items()} != groups:
        raise BundleError(
            f"was calibrated for the groups {_listed(known)} and the bundle has {_listed(groups)}: calibrate it again"
        )


def _listed(groups: dict[str, set[str]] | dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{name}: {', '.join(sorted(members))}" for name, members in groups.items()) or "none"
