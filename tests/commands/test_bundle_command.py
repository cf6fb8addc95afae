from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group


@pytest.fixture
def grouped(bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle with a group and protocols, as a folder of its own."""
    old = Bundle.load(bundle)
    networks = [
        (entry.model_copy(update={"protocol": "rgb", "treats": ("jpeg",)}), old.blob(entry))
        for entry in old.manifest.networks
    ]
    return Bundle.write(
        tmp_path / "grouped", networks, groups=[Group(name="codec", degradations=("jpeg",), network="other")]
    ).path


def test_parts_with_their_terms(run, bundle: Path) -> None:
    ran = run("bundle", "show")
    assert ran.status == 0
    assert ran.out.startswith(f"{bundle}: bundle format 2, ")
    assert "2 networks, 0 groups; does not examine pictures\n" in ran.out
    assert "\nnetwork tiny (default): Shows that all is joined.\n" in ran.out
    assert "\nnetwork other: Is another one.\n" in ran.out
    assert "  architecture: srresnet (blocks=1, width=4)\n" in ran.out
    assert ran.out.count("  licence: CC0-1.0\n") == 2
    assert "  training: recipe drawn at random, 7 steps\n" in ran.out
    assert "  scores: psnr/jpeg 12.35\n" in ran.out
    assert "protocol" not in ran.out  # this bundle states none
    assert run("bundle", "show", bundle).out == ran.out


def test_groups_are_shown(run, grouped: Path) -> None:
    shown = run("bundle", "show", grouped).out
    assert "\ngroup codec: jpeg\n  network: other\n" in shown
    assert "  protocol: rgb\n" in shown


def test_all_of_it_for_machines(run, grouped: Path) -> None:
    shown = json.loads(run("bundle", "show", grouped, "--json").out)
    assert shown.items() >= json.loads((grouped / "bundle.json").read_text()).items()
    assert shown["total_bytes"] == sum(path.stat().st_size for path in grouped.iterdir())
    assert shown["sizes"] == {path.name: path.stat().st_size for path in grouped.glob("*.safetensors")}


def test_generators_are_shown(run, grouped: Path) -> None:
    bundle = Bundle.load(grouped)
    entry = bundle.entry("tiny").model_copy(update={"name": "replay", "treats": ("haze",)})
    bundle.update(generators=[(entry, bundle.blob(entry))])
    shown = run("bundle", "show", grouped).out
    assert shown.startswith(f"{grouped}: bundle format 3, ")
    assert "2 networks, 1 group, 1 generator; does not examine pictures\n" in shown
    generator = shown[shown.index("\ngenerator replay: ") :]
    assert "\n  makes: haze\n" in generator
    assert (generator.count("treats: "), shown.count("treats: jpeg")) == (0, 2)
    listed = json.loads(run("bundle", "show", grouped, "--json").out)
    assert [one["name"] for one in listed["generators"]] == ["replay"]


def test_no_bundle_is_one_line(run) -> None:
    ran = run("bundle", "show", "nowhere")
    assert ran.status == 1
    assert ran.err.startswith("unblemish: there is no bundle in nowhere")


def test_verifying(run, grouped: Path) -> None:
    ran = run("bundle", "verify", grouped)
    assert (ran.status, ran.out.count("ok: network ")) == (0, 2)
    assert ran.out.endswith("all parts are fine\n")
    path = grouped / Bundle.load(grouped).entry("other").file
    path.write_bytes(path.read_bytes()[:-1])
    ran = run("bundle", "verify", grouped)
    assert ran.status == 1
    assert f"\nWRONG: network other ({path.name}, " in ran.out
    assert "differs from its checksum" in ran.out
    assert ran.out.endswith("1 of 2 parts are wrong\n")


def test_scores_without_protocol_are_wrong(run) -> None:
    ran = run("bundle", "verify")
    assert ran.status == 1
    assert ran.out.count("states scores but not how they are computed") == 2


def test_packing(run, grouped: Path, photos: Path) -> None:
    ran = run("bundle", "pack", grouped, "--output", "my.bundle")
    assert ran.status == 0
    assert ran.out.startswith("my.bundle: 2 networks, 1 group, ")
    assert run("bundle", "verify", "my.bundle").status == 0
    assert run("restore", photos / "a.png", "--bundle", "my.bundle", "-o", "packed.png").status == 0
    assert run("restore", photos / "a.png", "--bundle", grouped, "-o", "folder.png").status == 0
    assert Path("packed.png").read_bytes() == Path("folder.png").read_bytes()


def test_packing_spares_other_files(run, grouped: Path, photos: Path) -> None:
    before = (photos / "a.png").read_bytes()
    ran = run("bundle", "pack", grouped, "--output", photos / "a.png")
    assert ran.status == 1
    assert "is there and is no packed bundle" in ran.err
    assert (photos / "a.png").read_bytes() == before


def test_the_bundle_that_ships_is_whole_and_states_everything() -> None:
    bundle = Bundle.load(Path(str(files("unblemish") / "assets" / "default_bundle")))
    assert [report for report in bundle.verify() if report.problems] == []
    for entry in bundle.manifest.parts.values():
        assert entry.licence
        assert entry.training_set
        assert entry.recipe
        assert entry.scores
        assert entry.protocol
