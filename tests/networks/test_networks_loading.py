from __future__ import annotations

import hashlib
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create, names
from unblemish.networks.errors import NetworkError
from unblemish.networks.loading import load_described, load_weights, put_weights, read_foreign, save_weights, sha256


def tiny(**options: int) -> Network:
    return create("srresnet", {"blocks": 1, "width": 4, **options})


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", names())
def test_round_trip(name: str, lively: Callable[..., Network], tmp_path: Path) -> None:
    saved, path = lively(name), tmp_path / "weights.safetensors"
    save_weights(saved, path, {"step": "7"})
    loaded = create(name)
    load_weights(loaded, path)
    assert equal(saved.state_dict(), loaded.state_dict())
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"step": "7"}
    path.unlink()  # the large ones would pile up


def test_equal_weights_and_metadata_give_equal_files(tmp_path: Path) -> None:
    network, metadata = tiny(), {f"key {number}": "Größe" for number in range(12)}
    for name, pairs in (("one", metadata.items()), ("other", reversed(metadata.items()))):
        save_weights(network, tmp_path / name, dict(pairs))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    with safe_open(tmp_path / "one", "pt") as file:
        assert file.metadata() == metadata


def test_memory_format_does_not_matter(tmp_path: Path) -> None:
    network, loaded = tiny().to(memory_format=torch.channels_last), tiny()
    save_weights(network, tmp_path / "w.safetensors", {})
    load_weights(loaded, tmp_path / "w.safetensors")
    assert equal(network.state_dict(), loaded.state_dict())


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    network, loaded = tiny(width=32), tiny(width=32)
    network.register_buffer("count", torch.tensor(70_001))
    loaded.register_buffer("count", torch.tensor(0))
    save_weights(network, tmp_path / "full.safetensors", {})
    save_weights(network, tmp_path / "half.safetensors", {}, torch.float16)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.55 * (tmp_path / "full.safetensors").stat().st_size
    assert network.conv_first.weight.dtype == torch.float32
    load_weights(loaded, tmp_path / "half.safetensors")
    assert loaded.conv_first.weight.dtype == torch.float32
    assert equal(
        loaded.state_dict(),
        {k: v.half().float() if v.is_floating_point() else v for k, v in network.state_dict().items()},
    )


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(tiny(), path, {})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_weights(tiny(), path, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_fit_is_listed_and_nothing_changes(tmp_path: Path) -> None:
    path, network = tmp_path / "w.safetensors", tiny()
    weights = {key: torch.zeros_like(value) for key, value in network.state_dict().items()}
    weights["extra"] = weights.pop("conv_last.bias")
    weights["conv_hr.bias"] = torch.zeros(5)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(NetworkError) as caught:
        put_weights(network, weights, path)
    assert str(caught.value) == (
        f"{path}: does not fit SRResNet (1 missing: conv_last.bias; 1 unexpected: extra; "
        "1 of another shape: conv_hr.bias (5,) instead of (4,)); "
        "give the network and the options that it was saved from"
    )
    assert equal(before, network.state_dict())


def test_long_lists_are_cut(tmp_path: Path) -> None:
    save_weights(tiny(blocks=3), tmp_path / "w.safetensors", {})
    with pytest.raises(NetworkError, match=r"8 unexpected: body\.1\.conv1\.bias, [^,]*, [^,]*, \.\.\.\)"):
        load_weights(tiny(), tmp_path / "w.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\xff" * 64])
def test_no_safetensors_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=r"w\.safetensors: is damaged or no safetensors file \(.*\); give") as caught:
        load_weights(tiny(), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_foreign, lambda path: load_weights(tiny(), path)])
def test_missing_file(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="there is no such file; check the path"):
        read(tmp_path / "none")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"params": {}, "params_ema": state},
        lambda state: {"params": state, "step": 3},
        lambda state: {"state_dict": OrderedDict((f"module.{key}", value) for key, value in state.items())},
        lambda state: {"epoch": 1, "model": {"state_dict": state}},
    ],
)
def test_foreign_wrappings(wrap: Callable[[dict[str, Tensor]], Any], tmp_path: Path) -> None:
    network, path = tiny(), tmp_path / "foreign.pth"
    torch.save(wrap(network.state_dict()), path)
    weights = read_foreign(path)
    assert equal(weights, dict(network.state_dict()))
    put_weights(tiny(), weights, path)


class Harmful:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def _zipped(thing: object, path: Path) -> None:
    torch.save({"params": thing}, path)


def _legacy(thing: object, path: Path) -> None:
    torch.save({"params": thing}, path, _use_new_zipfile_serialization=False)


def _plain(thing: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(thing))


@pytest.mark.parametrize("write", [_zipped, _legacy, _plain])
def test_code_in_a_foreign_file_is_not_run(write: Callable[[object, Path], None], tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "foreign.pth"
    write(Harmful(trace), path)
    with pytest.raises(NetworkError, match="refused because it holds more than tensors") as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "foreign.pth")
    with pytest.raises(NetworkError, match="save its state dict as safetensors"):
        read_foreign(tmp_path / "foreign.pth")


@pytest.mark.parametrize("cut", [0, 10, 900])
def test_damaged_foreign_file(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "foreign.pth"
    torch.save(tiny().state_dict(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(NetworkError, match="damaged or no PyTorch checkpoint") as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [{}, [torch.zeros(1)], {"optimizer": {"lr": 1.0}}, {"params": {"x": 3}}, {0: torch.zeros(1)}]
)
def test_foreign_file_without_weights(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "foreign.pth")
    with pytest.raises(NetworkError, match="holds no weights at its top nor under params_ema, params"):
        read_foreign(tmp_path / "foreign.pth")


def test_checksum(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_described_file_builds_its_network(tmp_path: Path) -> None:
    network = create("srresnet", {"blocks": 1, "width": 4})
    path = tmp_path / "weights.safetensors"
    save_weights(network, path, {"network": "srresnet", "options": '{"blocks": 1, "width": 4}'}, torch.float16)
    built = load_described(path)
    assert {p.dtype for p in built.parameters()} == {torch.float32}
    for one, other in zip(built.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other.half().float())
    save_weights(network, path, {"step": "1"})
    with pytest.raises(NetworkError, match="does not say which network it is for"):
        load_described(path)
