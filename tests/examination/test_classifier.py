from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from unblemish.examination import classifier
from unblemish.examination.classifier import MEMBERS, Classifier, fit_classifier, fit_regression

CLASSES, SIZE = 3, 240


Fit = tuple[Classifier, torch.Tensor]


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 100)
        yield


@pytest.fixture(scope="module")
def clusters() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Statistics of very different scales, classes and folds; clusters overlap in no pair of statistics."""
    draw = torch.Generator().manual_seed(0)
    classes = torch.arange(SIZE) % CLASSES
    centres = 3 * torch.randn(CLASSES, 10, generator=draw)
    x = centres[classes] + torch.randn(SIZE, 10, generator=draw)
    return x * torch.logspace(-3, 3, 10) + 50, classes, torch.arange(SIZE) // CLASSES % MEMBERS


@pytest.fixture(scope="module")
def fit(clusters) -> Fit:
    """The classifier of the clusters, and what it says of rows held out."""
    return fit_classifier(*clusters, CLASSES)


def right(probabilities: torch.Tensor, classes: torch.Tensor) -> float:
    return float((probabilities.argmax(1) == classes).float().mean())


def test_clusters_are_told_apart(clusters, fit: Fit) -> None:
    x, classes, _ = clusters
    fitted, held_out = fit
    for said in (held_out, fitted.probabilities(x)):
        assert said.shape == (SIZE, CLASSES)
        torch.testing.assert_close(said.sum(1), torch.ones(SIZE))
        assert right(said, classes) > 0.97
    assert fitted.members(x).shape == (MEMBERS, SIZE, CLASSES)


def test_members_have_not_seen_what_they_speak_of() -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(160, 300, generator=draw)  # enough statistics to learn labels that mean nothing by heart
    classes, folds = torch.randint(2, (160,), generator=draw), torch.arange(160) % MEMBERS
    fitted, held_out = fit_classifier(x, classes, folds, 2)
    for member in range(MEMBERS):
        seen = folds != member
        outputs = fitted.members(x)[member]
        assert right(outputs[seen], classes[seen]) > 0.95
        torch.testing.assert_close(held_out[~seen], (outputs[~seen] / fitted.temperature).softmax(1))
    assert right(held_out, classes) == pytest.approx(0.5, abs=0.15)


def test_a_fold_of_its_own_making_is_not_known(clusters) -> None:
    x, classes, folds = clusters
    swapped = torch.where(folds == 2, (classes + 1) % CLASSES, classes)
    _, held_out = fit_classifier(x, swapped, folds, CLASSES)
    assert right(held_out[folds == 2], swapped[folds == 2]) < 0.05


def test_the_temperature_calibrates(clusters) -> None:
    _, _, folds = clusters
    draw = torch.Generator().manual_seed(2)
    x = torch.randn(SIZE, 1, generator=draw)
    classes = (torch.rand(SIZE, generator=draw) < torch.sigmoid(2 * x[:, 0])).long()
    wide = torch.cat((x, torch.randn(SIZE, 80, generator=draw)), 1)  # much to be mistaken about
    fitted, held_out = fit_classifier(wide, classes, folds, 2)
    raw = held_out.log() * fitted.temperature  # logits up to a constant of each row
    assert fitted.temperature > 1.1
    best = F.nll_loss(held_out.log(), classes)
    for factor in (0.8, 1.25):
        assert F.cross_entropy(raw / (fitted.temperature * factor), classes) >= best
    assert float(held_out.amax(1).mean()) == pytest.approx(right(held_out, classes), abs=0.08)


def test_values_are_regressed(clusters) -> None:
    x, classes, folds = clusters
    values = torch.tensor([-1.0, 2.0, 8.0])[classes]
    fitted, held_out = fit_regression(x, values, folds)
    assert (held_out - values).abs().mean() < 1
    torch.testing.assert_close(fitted.values(x), fitted.members(x).mean(0))
    assert fitted.values(x).shape == (SIZE, 1)
    assert float(fitted.temperature) == 1


def test_the_seed_decides(clusters, fit: Fit) -> None:
    again, other = (fit_classifier(*clusters, CLASSES, seed)[1] for seed in (0, 7))
    torch.testing.assert_close(again, fit[1], rtol=0, atol=0)
    assert not torch.equal(other, again)


def test_far_statistics_and_constant_ones(clusters, monkeypatch) -> None:
    x, classes, folds = clusters
    monkeypatch.setattr(classifier, "STEPS", 10)
    fitted, _ = fit_classifier(torch.cat((x, torch.ones(SIZE, 1)), 1), classes, folds, CLASSES)
    mean, spread = fitted.mean, fitted.spread
    for sign in (-1, 1):
        far, farther = (fitted.probabilities((mean + sign * k * spread)[None]) for k in (6, 1e6))
        torch.testing.assert_close(far, farther)
        assert bool(farther.isfinite().all())


def test_tensors_round_trip(clusters, fit: Fit) -> None:
    x, fitted = clusters[0], fit[0]
    stored = fitted.tensors("picture")
    assert all(name.startswith("picture.") for name in stored)
    again = Classifier.from_tensors(stored | {"other": x}, "picture")
    torch.testing.assert_close(again.probabilities(x), fitted.probabilities(x), rtol=0, atol=0)
    half = Classifier.from_tensors({name: value.double() for name, value in stored.items()}, "picture")
    assert half.probabilities(x).dtype == torch.float32
    del stored["picture.outer"]
    with pytest.raises(KeyError, match=r"picture\.outer"):
        Classifier.from_tensors(stored, "picture")
