from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.degradations.catalogue import create
from unblemish.examination import examiner as examining
from unblemish.examination import parts
from unblemish.examination.errors import ExaminationError
from unblemish.examination.examination import Verdict
from unblemish.examination.examiner import RULES, Examiner
from unblemish.examination.generalised_gaussian import kl_divergence, log_distance
from unblemish.examination.knowledge import Knowledge
from unblemish.pictures.picture import Picture


@pytest.fixture(scope="module")
def examiner(describe_with, knowledge) -> Examiner:
    return Examiner(describe_with, knowledge)


def damaged(clean: torch.Tensor, kind: str, **values: float) -> torch.Tensor:
    degradation = create(kind)
    draw = torch.Generator().manual_seed(0)
    return degradation.apply(clean[None], degradation.fixed(1, **values), draw)[0].mul(255).round() / 255


def picture(x: torch.Tensor, dtype=np.uint8) -> Picture:
    values = x.permute(1, 2, 0).numpy()
    top = {np.uint8: 255, np.uint16: 65535}.get(dtype)
    return Picture(np.ascontiguousarray(values if top is None else np.rint(values * top)).astype(dtype), "png")


def test_unseen_pictures_are_judged_rightly(examiner: Examiner, scene) -> None:
    assert (examiner.groups, examiner.strangers) == (("noise", "blur"), ("darkness",))
    verdicts = []
    for seed in range(100, 104):
        clean = scene(seed, 192, 128)
        noisy = examiner.examine(picture(damaged(clean, "gaussian_noise", sigma=30)))
        blurred = examiner.examine(picture(damaged(clean, "gaussian_blur", sigma=2.5)))
        assert (noisy.finding, blurred.finding) == ("known: noise", "known: blur")
        assert noisy.gain.expected > blurred.gain.expected + 2
        assert noisy.gain.low < noisy.gain.expected < noisy.gain.high
        assert next(iter(blurred.degradations)) == "gaussian_blur"
        verdicts.append(examiner.examine(picture(clean)).verdict)
    assert verdicts.count(Verdict.CLEAN) >= 3
    assert Verdict.KNOWN not in verdicts


def test_what_an_examination_states(examiner: Examiner, knowledge, scene) -> None:
    found = examiner.examine(picture(scene(100)))
    assert [*found.probabilities] == ["clean", "noise", "blur", "unknown"]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert sum(found.degradations.values()) == pytest.approx(1, abs=1e-5)
    assert {*found.degradations} == {"gaussian_noise", "gaussian_blur"}
    assert [*found.degradations.values()] == sorted(found.degradations.values(), reverse=True)
    assert found.seconds > 0
    assert found.rule == "statistics"
    for name, kind in (("clean", "clean"), ("noise", "gaussian_noise"), ("blur", "gaussian_blur")):
        expected = log_distance(kl_divergence(knowledge.signatures[kind], found.signature))
        assert found.distances[name] == pytest.approx(expected)
    if found.verdict is Verdict.CLEAN:
        assert (found.gain.expected, found.gain.low, found.gain.high) == (0, 0, 0)


def test_the_rule_of_the_paper(examiner: Examiner, scene) -> None:
    for seed in range(100, 103):
        found = examiner.examine(picture(damaged(scene(seed), "gaussian_noise", sigma=40)), "divergence")
        assert found.rule == "divergence"
        assert found.group == min(("noise", "blur"), key=found.distances.__getitem__)
        nearest = min(found.distances, key=found.distances.__getitem__)
        expected = "unknown" if found.distances[nearest] > 4 else "clean" if nearest == "clean" else f"known: {nearest}"
        assert found.finding == expected


def test_unknown_rules_are_refused(examiner: Examiner, scene) -> None:
    assert examiner.rules == RULES
    with pytest.raises(ExaminationError, match="no rule 'guess': choose statistics or divergence"):
        examiner.examine(picture(scene(0)), "guess")


def test_sample_types_and_gray_give_the_same(examiner: Examiner, scene) -> None:
    x = damaged(scene(101), "gaussian_noise", sigma=25)
    expected = examiner.examine(picture(x))
    for dtype in (np.uint16, np.float32):
        found = examiner.examine(picture(x, dtype))
        assert found.finding == expected.finding
        assert found.probabilities == pytest.approx(expected.probabilities, abs=0.02)
    gray = x[:1]
    one, three = examiner.examine(picture(gray)), examiner.examine(picture(gray.expand(3, -1, -1)))
    assert one.probabilities == pytest.approx(three.probabilities, abs=1e-5)


def test_pixels_and_alpha_do_not_change_and_alpha_does_not_count(examiner: Examiner, scene) -> None:
    plain = picture(scene(102))
    pixels, alpha = plain.pixels.copy(), np.zeros(plain.pixels.shape[:2], np.uint8)
    pixels.flags.writeable = False
    found = examiner.examine(Picture(pixels, "png", alpha=alpha))
    np.testing.assert_array_equal(pixels, plain.pixels)
    assert found.probabilities == pytest.approx(examiner.examine(plain).probabilities, abs=1e-6)


def test_strange_floats_count_as_the_nearest_sample(examiner: Examiner, scene) -> None:
    x = scene(103)
    wild, tame = x.clone(), x.clone()
    for place, (value, nearest) in enumerate(
        [(float("nan"), 0.0), (float("inf"), 1.0), (-float("inf"), 0.0), (7.0, 1.0), (-2.0, 0.0)]
    ):
        wild[:, 5 * place : 5 * place + 5], tame[:, 5 * place : 5 * place + 5] = value, nearest
    kept = wild.clone()
    one, other = examiner.examine(picture(wild, np.float32)), examiner.examine(picture(tame, np.float32))
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    examiner.examine_tensor(wild)
    torch.testing.assert_close(wild, kept, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (70, 3000)])
@pytest.mark.parametrize("rule", RULES)
def test_any_size_and_flat_pictures(examiner: Examiner, size: tuple[int, int], rule: str) -> None:
    for level in (0.0, 0.5):
        found = examiner.examine(picture(torch.full((1, *size), level)), rule)
        assert all(np.isfinite([*found.probabilities.values(), *found.distances.values(), found.gain.expected]))


def test_regions_say_where_the_damage_sits(examiner: Examiner, scene) -> None:
    half = scene(104, 256, 384)
    half[:, :, 192:] = damaged(half, "gaussian_noise", sigma=40)[:, :, 192:]
    regions = examiner.examine(picture(half)).regions
    assert len({len(row) for row in regions}) == 1
    flat = [region for row in regions for region in row]
    assert [(r.top, r.left) for r in flat] == sorted((r.top, r.left) for r in flat)
    noisy, sound = [r for r in flat if r.left >= 192], [r for r in flat if r.left + r.side <= 192]
    assert sum(r.finding == "noise" for r in noisy) > 0.9 * len(noisy)
    assert np.mean([r.damage for r in noisy]) > np.mean([r.damage for r in sound]) + 0.3


def test_knowledge_from_a_file_says_the_same(examiner: Examiner, describe_with, knowledge, scene) -> None:
    again = Knowledge.from_parts(knowledge.tensors(), knowledge.settings.model_dump(mode="json"))
    x = scene(105)
    expected = examiner.examine_tensor(x)
    found = Examiner(describe_with, again).examine_tensor(x)
    assert found.probabilities == expected.probabilities
    assert found.regions == expected.regions


def test_damage_of_a_part_is_judged_by_that_part(describe_with, knowledge, scene, monkeypatch) -> None:
    """A picture with a noisy quarter resembles neither noise nor its absence."""
    examiner, found, without = Examiner(describe_with, knowledge), [], []
    for name in ("SURELY_DAMAGED", "OWN"):
        monkeypatch.setattr(parts, name, 0.5)  # a classifier after few steps is never very sure
    for seed in range(100, 106):
        x = scene(seed, 256, 256)
        x[..., :64] = damaged(x, "gaussian_noise", sigma=20)[..., :64]
        found.append(examiner.examine(picture(x)))
        with monkeypatch.context() as patched:
            patched.setattr(parts, "LEAST_SOUND", 1.1)
            without.append(examiner.examine(picture(x)))
    assert sum(one.finding == "known: noise" for one in found) >= 5
    assert sum(one.finding == "known: noise" for one in without) <= 1
    assert all(one.gain.expected > 4 for one in found if one.verdict is Verdict.KNOWN)
    sound = [examiner.examine(picture(scene(seed, 256, 256))) for seed in range(100, 106)]
    assert all(one.verdict is not Verdict.KNOWN for one in sound)


def test_a_part_that_tells_nothing_leaves_the_word_to_the_whole(describe_with, knowledge, scene, monkeypatch) -> None:
    """If the other patches agree; here the part to judge is a sound strip of a noisy picture."""
    examiner = Examiner(describe_with, knowledge)
    x = damaged(scene(100, 256, 256), "gaussian_noise", sigma=30)
    x[..., -64:] = scene(100, 256, 256)[..., -64:]
    assert examiner.examine(picture(x)).finding == "known: noise"
    sides = [region.left for row in examiner.examine(picture(x)).regions for region in row]
    strip = torch.tensor([place for place, left in enumerate(sides) if left == max(sides)])
    monkeypatch.setattr(examining, "damaged_part", lambda regions: strip)
    monkeypatch.setattr(parts, "OWN", 0.5)
    assert examiner.examine(picture(x)).finding == "known: noise"
    monkeypatch.setattr(parts, "OWN", 1.1)
    assert examiner.examine(picture(x)).finding == "unknown"


def test_damage_that_is_everywhere_is_not_judged_by_parts(describe_with, knowledge, scene, monkeypatch) -> None:
    """A few patches that speak for another group make a picture unknown, unless its damage has no parts."""
    monkeypatch.setattr(examining, "damaged_part", lambda regions: torch.arange(3))
    monkeypatch.setattr(examining, "speaks_for", lambda regions, place: False)
    settings = knowledge.settings.model_copy(update={"everywhere": {"noise": 0.5}, "rest": {"gaussian_noise": "clean"}})
    whole = Examiner(describe_with, Knowledge.from_parts(knowledge.tensors(), settings.model_dump(mode="json")))
    noisy = picture(damaged(scene(100, 256, 256), "gaussian_noise", sigma=30))
    assert Examiner(describe_with, knowledge).examine(noisy).finding == "unknown"
    found = whole.examine(noisy)
    assert found.finding == "known: noise"
    regions = [region for row in found.regions for region in row]
    assert {region.finding for region in regions} == {"noise"}
    assert [region.treatable for region in regions] == pytest.approx([found.probabilities["noise"]] * len(regions))
    blurred = picture(damaged(scene(100, 256, 256), "gaussian_blur", sigma=3))
    assert whole.examine(blurred).finding == "unknown"
