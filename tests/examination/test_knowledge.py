from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save

from unblemish.examination.errors import ExaminationError
from unblemish.examination.knowledge import Knowledge, Settings

VALID = {
    "kinds": ["clean", "a", "b", "c"],
    "groups": {"one": ["b"], "two": ["a"]},
    "sure": 0.5,
    "margin": {"a": 1.0, "b": 2.0},
    "coverage": 0.9,
}


def test_it_survives_a_file(knowledge, observations) -> None:
    from unblemish.examination.statistics import picture_vector

    tensors = load(save({name: value.contiguous() for name, value in knowledge.tensors().items()}))
    settings = json.loads(json.dumps(knowledge.settings.model_dump(mode="json")))
    again = Knowledge.from_parts(tensors, settings)
    assert again.settings == knowledge.settings
    for kind, known in knowledge.signatures.items():
        assert again.signatures[kind].alpha == pytest.approx(known.alpha, rel=1e-6)
        assert again.signatures[kind].sigma == pytest.approx(known.sigma, rel=1e-6)
    vector = picture_vector(observations[5].moments, observations[5].tones)[None]
    for one, other in ((again.picture, knowledge.picture), (again.gain, knowledge.gain)):
        torch.testing.assert_close(one.probabilities(vector), other.probabilities(vector), rtol=0, atol=0)


def test_sums_over_groups() -> None:
    settings = Settings.model_validate(VALID)
    assert [settings.group_of(kind) for kind in settings.kinds] == [None, "two", "one", None]
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])
    torch.testing.assert_close(settings.sums(p), torch.tensor([0.1, 0.3, 0.2, 0.4]))
    torch.testing.assert_close(settings.sums(p.expand(2, 5, 4))[1, 4], settings.sums(p))


def test_damage_that_is_everywhere_is_of_whole_pictures_that_surely_have_it() -> None:
    settings = Settings.model_validate(VALID | {"everywhere": {"two": 0.6}, "rest": {"a": "b"}})
    unsure, sure = torch.tensor([[0.1, 0.5, 0.4, 0.0], [0.1, 0.6, 0.2, 0.1]])
    without = torch.tensor([[0.1, 0.0, 0.9, 0.0], [0.1, 0.0, 0.8, 0.1]])
    both = torch.stack((unsure, sure))
    torch.testing.assert_close(settings.of_parts(both), without)
    torch.testing.assert_close(settings.of_parts(both.expand(3, 2, 4))[2], without)
    torch.testing.assert_close(settings.of_pictures(both), torch.stack((without[0], sure)))
    torch.testing.assert_close(settings.of_pictures(sure), sure)
    torch.testing.assert_close(Settings.model_validate(VALID).of_pictures(both), both)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kinds": ["a", "clean", "b", "c"]}, "kinds must start with 'clean'"),
        ({"kinds": ["clean"]}, "at least 2"),
        ({"groups": {}}, "at least 1"),
        ({"groups": {"one": ["a"], "two": ["a"]}}, "each in one group"),
        ({"groups": {"one": ["fog"]}}, "hold each group's degradations"),
        ({"groups": {"one": ["clean"]}}, "hold each group's degradations"),
        ({"sure": 0.0}, "greater than 0"),
        ({"sure": 1.0}, "less than 1"),
        ({"coverage": 1.5}, "less than or equal to 1"),
        ({"everywhere": {"a": 0.9}}, "of no group"),
        ({"everywhere": {"one": 1.0}}, "less than 1"),
        ({"everywhere": {"one": 0.9}}, "has to leave something"),
        ({"everywhere": {"one": 0.9}, "rest": {"b": "fog"}}, "has to leave something"),
        ({"everywhere": {"one": 0.9}, "rest": {"b": "b"}}, "has to leave something"),
        ({"rest": {"b": "clean"}}, "has to leave something"),
        ({"surprise": 1}, "not permitted"),
    ],
)
def test_settings_that_do_not_fit(change: dict, complaint: str) -> None:
    Settings.model_validate(VALID)
    with pytest.raises(ValueError, match=complaint):
        Settings.model_validate(VALID | change)


@pytest.mark.parametrize(
    "missing", ["signatures", "picture.temperature", "region.inner", "gain.outer_bias", "picture.mean"]
)
def test_missing_tensors_are_refused(knowledge, missing: str) -> None:
    tensors = knowledge.tensors()
    del tensors[missing]
    with pytest.raises(ExaminationError, match=rf"knowledge is damaged \('{missing}'\); fetch the bundle again"):
        Knowledge.from_parts(tensors, knowledge.settings.model_dump(mode="json"))


def test_damaged_settings_and_signatures_are_refused(knowledge) -> None:
    settings = knowledge.settings.model_dump(mode="json")
    with pytest.raises(ExaminationError, match="knowledge is damaged"):
        Knowledge.from_parts(knowledge.tensors(), {})
    for wrong in (torch.ones(2, 2), torch.ones(4, 3)):
        with pytest.raises(ExaminationError, match="knowledge is damaged"):
            Knowledge.from_parts(knowledge.tensors() | {"signatures": wrong}, settings)
    with pytest.raises(ExaminationError, match="sigma above 0"):
        Knowledge.from_parts(knowledge.tensors() | {"signatures": torch.tensor([[1.0, float("nan")]] * 4)}, settings)
