from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from unblemish.training.contrast_part import CcrPart, CrPart, PclPart, SpnPart
from unblemish.training.embedding_part import EmbeddingPart
from unblemish.training.recipe_parts import Part


@pytest.mark.parametrize(
    ("heading", "part"),
    [("All methods", EmbeddingPart), ("`spn`", SpnPart), ("`cr`", CrPart), ("`ccr`", CcrPart), ("`pcl`", PclPart)],
)
def test_the_guide_describes_every_key_with_its_default(heading: str, part: type[Part]) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "contrast.md").read_text()
    table = guide.partition("## Keys")[2].partition(f"\n{heading}:\n")[2].lstrip().partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    stated = {cells[1].strip(" `"): yaml.safe_load(cells[2].strip()) for cells in rows}
    shared = set() if part is EmbeddingPart else {*EmbeddingPart.model_fields, "method"}
    expected = {
        f"contrast.{name}": "required" if field.is_required() else field.get_default()
        for name, field in part.model_fields.items()
        if name not in shared
    }
    assert stated == {key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()}
