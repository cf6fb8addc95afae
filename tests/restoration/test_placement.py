from __future__ import annotations

import pytest
import torch

from unblemish.restoration import placement
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.placement import (
    available_memory,
    choose_device,
    choose_precision,
    default_budget,
    parse_memory,
)

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Sets which accelerators PyTorch reports."""

    def have(cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return have


def test_cuda_comes_before_mps_before_cpu(machine):
    machine(cuda=2, mps=True)
    assert choose_device().type == "cuda"
    assert choose_device("cuda:1") == torch.device("cuda:1")
    machine(mps=True)
    assert choose_device().type == "mps"
    machine()
    assert choose_device() == CPU


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "no CUDA device here"),
        ("mps", "no MPS device here"),
        ("gpu", "unknown device 'gpu': choose auto"),
        ("cuda:", "unknown device"),
    ],
)
def test_a_device_that_is_not_there_is_a_clear_error(machine, name, message):
    machine()
    with pytest.raises(RestorationError, match=message):
        choose_device(name)


def test_a_cuda_device_beyond_the_last(machine):
    machine(cuda=2)
    with pytest.raises(RestorationError, match="choose cuda:0 to cuda:1"):
        choose_device("cuda:2")


def test_precision_follows_what_the_cpu_multiplies(monkeypatch):
    for found, expected in [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "amx_bf16": False}, torch.float32),
    ]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert choose_precision(CPU) == expected


def test_older_pytorch_asks_the_flags_of_the_cpu(monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(placement, "Path", lambda name: flags)
    assert choose_precision(CPU) == torch.float32
    flags.write_text("flags : fpu avx512f avx512_bf16 sse\n")
    assert choose_precision(CPU) == torch.bfloat16
    flags.write_text("flags : fpu avx512f sse\n")
    assert choose_precision(CPU) == torch.float32


def test_precision_of_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert choose_precision(torch.device("cuda")) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert choose_precision(torch.device("cuda")) == torch.bfloat16
    assert choose_precision(torch.device("mps")) == torch.float32


def test_precision_can_be_asked_for_but_never_float16():
    assert choose_precision(CPU, "bfloat16") == torch.bfloat16
    assert choose_precision(CPU, "float32") == torch.float32
    with pytest.raises(RestorationError, match="unknown precision 'float16': choose auto, float32, bfloat16"):
        choose_precision(CPU, "float16")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2GB", 2 * 10**9),
        ("512 mb", 512 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("64k", 64_000),
        ("7", 7),
        (" 3g ", 3 * 10**9),
    ],
)
def test_amounts_of_memory(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "0", "2TBs", "GB", "1..5GB", "nan", "0.1"])
def test_no_amounts_of_memory(text):
    with pytest.raises(RestorationError, match="write it like 2GB"):
        parse_memory(text)


def test_the_default_budget_is_bounded_by_free_memory(monkeypatch):
    assert 0 < default_budget(CPU) <= 1_000_000_000
    monkeypatch.setattr(placement, "available_memory", lambda: 100_000_000)
    assert default_budget(CPU) == 60_000_000


def test_free_memory_without_a_report(monkeypatch, tmp_path):
    told = available_memory()
    assert told > 0
    monkeypatch.setattr(placement, "Path", lambda name: tmp_path / "none")
    assert available_memory() > 0
