from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from unblemish.pictures.tiles import TileTooLargeError
from unblemish.restoration import engines
from unblemish.restoration.engines import ENGINES, EagerEngine, create_engine, is_out_of_memory
from unblemish.restoration.errors import RestorationError

CPU = torch.device("cpu")


def tiles(*shape):
    return np.random.default_rng(0).random(shape or (2, 3, 20, 29), dtype=np.float32)


def directly(network, batch):
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(batch)).numpy()


def test_eager_float32_is_the_network_itself(convolutions):
    network, batch = convolutions(), tiles()
    np.testing.assert_allclose(
        create_engine("auto", network, CPU, torch.float32).run(batch), directly(network, batch), atol=1e-6
    )


def test_eager_bfloat16_is_near_and_leaves_the_network_alone(convolutions):
    network, batch = convolutions(), tiles()
    result = create_engine("eager", network, CPU, torch.bfloat16).run(batch)
    assert result.dtype == np.float32
    difference = np.abs(result - directly(network, batch)).max()
    assert 0 < difference < 4 / 256  # a few steps of a number with 8 significant bits
    assert next(network.parameters()).dtype == torch.float32


def test_tiles_may_lie_in_memory_as_pictures_do(convolutions):
    engine = create_engine("auto", convolutions(), CPU, torch.float32)
    batch = tiles()
    as_picture = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(engine.run(as_picture), engine.run(batch), atol=1e-6)


def test_an_overflow_in_bfloat16_is_repeated_in_float32(overflow):
    engine = create_engine("auto", overflow(), CPU, torch.bfloat16)
    batch = tiles()
    np.testing.assert_array_equal(engine.run(batch), batch)
    assert engine.repeats == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_overflow_in_float32_too_names_the_network(overflow, dtype):
    with pytest.raises(RestorationError, match="the network Overflow gives values that are not finite"):
        create_engine("auto", overflow(ever=True), CPU, dtype).run(tiles())


def test_memory_that_runs_out_is_reported_as_such(identity, monkeypatch):
    engine = create_engine("auto", identity(), CPU, torch.float32)
    monkeypatch.setattr(EagerEngine, "_forward", lambda self, batch: torch.empty(2**60))
    with pytest.raises(TileTooLargeError, match="memory"):
        engine.run(tiles())


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_other_errors_pass_through(identity, monkeypatch):
    def broken(self, batch):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(EagerEngine, "_forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        create_engine("auto", identity(), CPU, torch.float32).run(tiles())


def test_unknown_engine(identity):
    with pytest.raises(RestorationError, match="unknown engine 'warp': choose auto, eager, compiled, onnx, openvino"):
        create_engine("warp", identity(), CPU, torch.float32)


@pytest.mark.parametrize(("name", "extra"), [("onnx", "export"), ("openvino", "fast")])
def test_a_missing_extra_is_named(identity, monkeypatch, name, extra):
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    with pytest.raises(RestorationError, match=rf"install it with pip install 'unblemish\[{extra}\]'"):
        create_engine(name, identity(), CPU, torch.float32)


def test_compiling_needs_a_compiler(identity, monkeypatch):
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    with pytest.raises(RestorationError, match=r"needs a C\+\+ compiler"):
        create_engine("compiled", identity(), CPU, torch.float32)


def test_every_engine_has_its_name():
    assert all(name == engine.name for name, engine in ENGINES.items())


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # torch.compile's own import
@pytest.mark.slow
def test_compiled_agrees(convolutions):
    if engines.shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    network, batch = convolutions(), tiles()
    engine = create_engine("compiled", network, CPU, torch.float32)
    np.testing.assert_allclose(engine.run(batch), directly(network, batch), atol=1e-5)


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_foreign_runtimes_agree_at_any_size(convolutions, name, package, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if importlib.util.find_spec(package) is None or importlib.util.find_spec("onnxscript") is None:
        pytest.skip(f"{package} is not installed")
    network = convolutions(fold=2)
    engine = create_engine(name, network, CPU, torch.float32)
    for shape in [(1, 3, 20, 29), (1, 3, 33, 16)]:
        np.testing.assert_allclose(engine.run(tiles(*shape)), directly(network, tiles(*shape)), atol=1e-5)
