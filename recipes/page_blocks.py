"""Parts of documents that scripts write: what stands between the markers of a block."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def provenance_line(result: Path, provenance: dict[str, Any]) -> str:
    """Where a table comes from."""
    hardware = provenance["hardware"]
    revision = (provenance["revision"] or {}).get("commit", "unknown")[:10]
    return (
        f"\n`{provenance['command']}` ({result.parent.name}/{result.name}), revision {revision}, seeds "
        f"{provenance['seeds']}, {provenance['seconds']:.0f} s on {hardware['cores']} cores of {hardware['cpu']}.\n"
    )


def replace_block(page: Path, name: str, text: str) -> None:
    """Replaces what stands between the markers of a block in a Markdown page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page}: has no block between '{begin.strip()}' and '{end.strip()}'; add both lines")
    page.write_text(before + begin + text + end + after, encoding="utf-8")
