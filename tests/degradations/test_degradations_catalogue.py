from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unblemish.degradations import catalogue
from unblemish.degradations.base import Degradation, Parameters
from unblemish.degradations.blends import SCENES, SCORES, Blend, Chain
from unblemish.degradations.blur import OneSidedMotionBlur
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.given_kernels import GivenKernels
from unblemish.errors import UserError

NOISES = {"poisson_noise", "gaussian_noise", "gray_gaussian_noise", "salt_and_pepper"}
BLENDS = {name for name in catalogue.names() if isinstance(catalogue.create(name), Blend)}
RANDOM = {*NOISES, *BLENDS, "blend_noise", "inpainting", "rain", "camera_shake", "rotating_shake"}
ALL: dict[str, Degradation] = {
    **{name: catalogue.create(name) for name in catalogue.names()},
    "one_sided_motion_blur": OneSidedMotionBlur(),
    "given_kernels": GivenKernels([torch.eye(side) / side for side in (5, 9, 3)]),
    "chain_with_a_blend": Chain([Blend("severe"), OneSidedMotionBlur()]),
}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]

every = pytest.mark.parametrize("degradation", ALL.values(), ids=ALL.keys())


def drawn(degradation: Degradation, batch: int, seed: int = 5) -> Parameters:
    return degradation.sample(batch, torch.Generator().manual_seed(seed))


def applied(degradation: Degradation, clean: Tensor, parameters: Parameters, seed: int = 3) -> Tensor:
    return degradation.apply(clean, parameters, torch.Generator(clean.device).manual_seed(seed))


@pytest.fixture(scope="module")
def batch(photograph: Tensor) -> Tensor:
    views = [photograph[..., y : y + 37, x : x + 53] for y, x in ((0, 0), (20, 30), (60, 80), (90, 90))]
    return torch.cat(views)


@every
@pytest.mark.parametrize("device", DEVICES)
def test_shape_type_range_and_untouched_input(degradation: Degradation, batch: Tensor, device: str) -> None:
    clean = batch.to(device)
    kept = clean.clone()
    damaged = applied(degradation, clean, drawn(degradation, len(batch)))
    assert damaged.shape == batch.shape
    assert damaged.dtype == torch.float32
    assert damaged.device == clean.device
    assert damaged.is_contiguous()
    assert torch.isfinite(damaged).all()
    assert damaged.min() >= 0.0
    assert damaged.max() <= 1.0
    assert torch.equal(clean, kept)
    assert damaged.data_ptr() != clean.data_ptr()
    assert (damaged - clean).abs().mean() > 1e-3, "the operator does nothing"


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 2), (16, 16)])
def test_small_pictures(degradation: Degradation, size: tuple[int, int]) -> None:
    clean = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert applied(degradation, clean, drawn(degradation, 2)).shape == clean.shape


@every
def test_equal_generators_give_equal_results(degradation: Degradation, batch: Tensor) -> None:
    parameters = drawn(degradation, len(batch))
    for key, values in drawn(degradation, len(batch)).items():
        assert torch.equal(values, parameters[key])
    once, again = applied(degradation, batch, parameters), applied(degradation, batch, parameters)
    assert torch.equal(once, again)


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_other_generators_and_other_pictures_get_other_damage(name: str, batch: Tensor) -> None:
    same = batch[:1].expand(3, -1, -1, -1)
    parameters = ALL[name].fixed(3)
    damaged = applied(ALL[name], same, parameters)
    assert not torch.equal(damaged, applied(ALL[name], same, parameters, seed=4))
    assert not torch.equal(damaged[0], damaged[1])


@pytest.mark.parametrize("name", [name for name in catalogue.names() if name not in RANDOM])
def test_a_batch_equals_its_pictures_one_by_one(name: str, batch: Tensor) -> None:
    degradation = ALL[name]
    parameters = drawn(degradation, len(batch))
    together = applied(degradation, batch, parameters)
    for index in range(len(batch)):
        own = {key: values[index : index + 1] for key, values in parameters.items()}
        alone = applied(degradation, batch[index : index + 1], own)
        # Float32 sums over a kernel may be ordered differently for one picture and for several.
        assert torch.allclose(together[index], alone[0], rtol=0.0, atol=2e-6)


@every
def test_parameters_act_on_their_own_picture(degradation: Degradation, batch: Tensor) -> None:
    """Changing the second picture's parameters changes the second picture only."""
    varied = [key for key, spec in degradation.specs.items() if spec.low < spec.high or not spec.choices]
    same = batch[:1].expand(2, -1, -1, -1).contiguous()
    base = degradation.fixed(2)
    before = applied(degradation, same, base)
    for key in varied:
        spec = degradation.specs[key]
        # A value below the default, so that the size of kernels and the count of draws stay as they were.
        lower = max(spec.minimum, spec.default - max(1.0, 0.5 * spec.default) if spec.integer else 0.5 * spec.default)
        if lower == spec.default:
            lower = spec.default + 1
        changed = {**base, key: torch.tensor([spec.default, lower], dtype=torch.float32)}
        after = applied(degradation, same, changed)
        assert not torch.equal(after[1], before[1]), key
        if degradation.name not in {"poisson_noise"} and "blend" not in degradation.name:
            assert torch.allclose(after[0], before[0], rtol=0.0, atol=2e-6), key


@every
def test_sampling_stays_in_range_and_varies(degradation: Degradation) -> None:
    parameters = drawn(degradation, 512)
    assert set(parameters) == set(degradation.specs)
    for key, spec in degradation.specs.items():
        values = parameters[key]
        assert values.shape == (512,)
        assert values.dtype == torch.float32
        assert spec.minimum <= spec.low <= spec.default <= spec.high <= spec.maximum, key
        assert values.min() >= spec.low
        assert values.max() <= spec.high
        if spec.low < spec.high:
            reach = spec.high - spec.low
            assert values.min() < spec.low + 0.1 * reach
            assert values.max() > spec.high - 0.1 * reach
        if spec.integer:
            assert torch.equal(values, values.round())
            assert spec.default == int(spec.default)
        assert spec.unit
        assert spec.meaning


@every
def test_autocast_and_gradients_do_not_reach_inside(degradation: Degradation, batch: Tensor) -> None:
    parameters = drawn(degradation, len(batch))
    plain = applied(degradation, batch, parameters)
    with torch.autocast("cpu", torch.bfloat16):
        cast = applied(degradation, batch.clone().requires_grad_(), parameters)
    assert cast.dtype == torch.float32
    assert not cast.requires_grad
    assert torch.allclose(plain, cast, rtol=0.0, atol=2e-6)


def test_names_are_those_of_the_classes_and_the_eleven_are_known() -> None:
    assert len(catalogue.operators()) == 19
    assert catalogue.names()[:19] == catalogue.operators()
    assert len(catalogue.names()) == len(set(catalogue.names()))
    for name in catalogue.names():
        assert catalogue.create(name).name == name
        assert catalogue.create(name).title
    assert len(set(catalogue.GRIDS_ELEVEN)) == 11
    assert set(catalogue.GRIDS_ELEVEN) < set(catalogue.operators())


def test_every_blend_has_a_name_and_is_made_anew() -> None:
    expected = [Blend(severity, scene) for severity in SCORES for scene in SCENES]
    assert {blend.name for blend in expected} == BLENDS
    assert len(BLENDS) == 12
    for blend in expected:
        created = catalogue.create(blend.name)
        assert isinstance(created, Blend)
        assert created is not catalogue.create(blend.name)
        assert created.specs == blend.specs


def test_unknown_name_lists_the_known_and_the_closest() -> None:
    with pytest.raises(DegradationError, match=r"'gausian_noise'; did you mean gaussian_noise\?.*jpeg.*rain") as caught:
        catalogue.create("gausian_noise")
    assert isinstance(caught.value, UserError)
    with pytest.raises(DegradationError, match="known are: gaussian_blur"):
        catalogue.create("xyzzy")


def test_haze_and_darkness_are_everywhere_whatever_else_is_done() -> None:
    everywhere = {name for name in catalogue.names() if catalogue.create(name).everywhere}
    scenes = {f"{severity}_blend_with_{scene}" for severity in SCORES for scene in ("haze", "darkness")}
    assert everywhere == {"haze", "darkness"} | scenes
    assert {catalogue.create(name).rest for name in scenes} == {f"{severity}_blend" for severity in SCORES}
    assert Chain([catalogue.create("haze"), catalogue.create("jpeg")]).rest == "jpeg"
    assert catalogue.create("haze").rest == ""
