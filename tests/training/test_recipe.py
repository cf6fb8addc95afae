from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from unblemish.training.errors import TrainingError
from unblemish.training.losses import LOSSES
from unblemish.training.recipe import Recipe, TaskPart

TEXT = """
purpose: test
network:
  name: srresnet
data:
  folder: photos
degradations:
  names: [jpeg]
optimiser:
  rate: 1e-4
steps: 10
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT)
    return path


def test_values_come_from_the_file_and_defaults_fill_up(file: Path) -> None:
    recipe = Recipe.load(file)
    assert recipe.optimiser.rate == 1e-4
    assert recipe.data.folder == Path("photos")
    assert (recipe.ema, recipe.precision, recipe.optimiser.clip) == (0.999, "bf16-mixed", 1.0)


def test_overrides_reach_parts_options_and_lists(file: Path) -> None:
    pairs = [
        "steps=2e3",
        "optimiser.rate=5e-4",
        "network.options.width=8",
        "data.scales=[1.0,0.5]",
        "compile=true",
    ]
    recipe = Recipe.load(file, [*pairs, "data.folder=a=b", "validation.folder=null"])
    assert (recipe.steps, recipe.optimiser.rate, recipe.data.scales) == (2000, 5e-4, (1.0, 0.5))
    assert (recipe.network.options, recipe.compile) == ({"width": 8}, True)
    assert (recipe.data.folder, recipe.validation.folder) == (Path("a=b"), None)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("setps=3", "setps"),
        ("data.ptach=64", "data.ptach"),
        ("steps=0", "steps"),
        ("steps=many", "steps"),
        ("data.scales=[2.0]", "data.scales"),
        ("degradations.names=[]", "degradations.names"),
        ("task.loss=l3", "task.loss"),
        ("precision=16", "precision"),
        ("optimiser.warmup=10", "optimiser.warmup"),
        ("ema=1", "ema"),
        ("steps", "key=value"),
        ("=3", "key=value"),
        ("data..patch=3", "key=value"),
        ("steps.more=3", "steps is a value"),
        ("steps=[1", "not valid YAML"),
        ("optimiser.rate=.inf", "optimiser.rate: Input should be a finite number"),
        ("contrast=spn", "contrast: is no part with keys of its own; write contrast.method=spn"),
        ("contrast.weight=1", "contrast: method must be one of spn, cr, ccr, pcl"),
        ("contrast={method: spn, steps: [-5]}", "contrast.steps.0: Input should be greater than or equal to 1;"),
        ("contrast={method: spn, layers: []}", "contrast: give layers and layer_weights together"),
        ("perceptual.weight=-1", "perceptual.weight: Input should be greater than or equal to 0"),
        ("perceptual.reduction=none", "perceptual.reduction: Input should be 'sum' or 'mean'"),
        ("perceptual={layers: [pool5]}", "perceptual: give layers and layer_weights together"),
        ("contrast={method: spn, decay: 2}", "contrast.decay: Input should be less than 1"),
    ],
)
def test_a_bad_override_is_one_line_that_names_it(file: Path, pair: str, words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Recipe.load(file, [pair])
    assert words in str(caught.value)
    assert "Value error" not in str(caught.value)
    assert "at least 1 item" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", "not valid YAML"),
        (b"- 1", "key: value"),
        (b"", "key: value"),
        (b"purpose: \xff\xfe", "no text file"),
        (b"purpose: x", "network: Field required"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        Recipe.load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.yaml: cannot read the recipe"):
        Recipe.load(tmp_path / "none.yaml")


def test_kernels_are_damage_enough(file: Path) -> None:
    recipe = Recipe.load(file, ["degradations.names=[]", "degradations.kernels=blurs"])
    assert (recipe.degradations.names, recipe.degradations.kernels) == ((), Path("blurs"))
    assert recipe.flat()["degradations.kernels"] == "blurs"


def test_pairs_need_no_damage(file: Path) -> None:
    recipe = Recipe.load(file, ["data.pairs=[blur,sharp]", "degradations.names=[]"])
    assert recipe.data.pairs == ("blur", "sharp")
    assert Recipe.parse(recipe.model_dump(mode="json"), "again") == recipe


def test_recipes_do_not_change(file: Path) -> None:
    recipe = Recipe.load(file)
    with pytest.raises(ValueError, match="frozen"):
        recipe.steps = 3


def test_flat_has_every_value_by_its_dotted_key(file: Path) -> None:
    recipe = Recipe.load(file, ["network.options.width=8"])
    flat = recipe.flat()
    assert flat["steps"] == 10
    assert flat["optimiser.rate"] == 1e-4
    assert flat["network.options"] == {"width": 8}
    assert Recipe.parse(recipe.model_dump(mode="json"), "again").flat() == flat


def test_every_loss_can_be_chosen() -> None:
    for name in LOSSES:
        assert TaskPart.model_validate({"loss": name}).loss == name


def test_the_guide_describes_every_key_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    table = guide.partition("| key |")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    stated = {cells[1].strip(" `"): cells[2].strip() for cells in rows}
    parts = {"network": {"name": "x"}, "data": {"folder": "x"}, "degradations": {"names": ["x"]}}
    least = {"purpose": "x", **parts, "steps": 1}
    required = {"purpose", "network.name", "data.folder", "degradations.names", "steps"}
    expected = {k: "required" if k in required else v for k, v in Recipe.parse(least, "least").flat().items()}
    assert {key: yaml.safe_load(default) for key, default in stated.items()} == expected
