"""Where a network runs and in which number format: the device, the precision, the memory budget."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from unblemish.restoration.errors import RestorationError

PRECISIONS = ("auto", "float32", "bfloat16")
"""Choices of `--precision`. float16 is none of them: the CPU has no fast kernels for it, and it overflows."""

_CPU_BUDGET = 1_000_000_000
"""Default budget on the CPU in bytes: tiles that need more are no faster."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def choose_device(name: str = "auto") -> torch.device:
    """The device to run on: CUDA before Apple's MPS before the CPU, or the one that is named.

    Args:
        name: "auto", "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        RestorationError: The name is unknown, or this machine (or this build of PyTorch) has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise RestorationError(f"unknown device '{name}': choose auto, cpu, cuda, cuda:N or mps")
    device = torch.device(name)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RestorationError("there is no MPS device here (it needs an Apple GPU): choose --device auto or cpu")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            why = "" if torch.version.cuda else "; this PyTorch is a build without CUDA"
            raise RestorationError(f"there is no CUDA device here{why}: choose --device auto or cpu")
        if (device.index or 0) >= count:
            raise RestorationError(f"there is no {name}: choose cuda:0 to cuda:{count - 1}, or --device auto")
    return device


def choose_precision(device: torch.device, name: str = "auto") -> torch.dtype:
    """The number format of weights and activations.

    "auto" is bfloat16 where the device multiplies it natively and float32 elsewhere; MPS runs float32.

    Raises:
        RestorationError: The name is not in `PRECISIONS`.
    """
    if name not in PRECISIONS:
        raise RestorationError(f"unknown precision '{name}': choose {', '.join(PRECISIONS)}")
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = device.type == "cpu" and _cpu_multiplies_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    """Whether the CPU has AVX-512 BF16 or AMX; without them bfloat16 is emulated and slower than float32.

    Newer PyTorch versions tell on every system, older ones leave Linux' list of CPU flags to ask.
    """
    known = getattr(torch.cpu, "get_capabilities", None)
    if known is not None:
        found = known()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    flags = Path("/proc/cpuinfo")
    return flags.exists() and bool(re.search(r"\b(avx512_bf16|amx_bf16)\b", flags.read_text()))


def parse_memory(text: str) -> int:
    """Bytes in "2GB", "512 MB", "1.5GiB" or "800000000"; k, M, G are powers of 1000, ki, Mi, Gi of 1024.

    Raises:
        RestorationError: It is no positive amount of memory.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", text.strip().lower())
    amount = int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0
    if amount <= 0:
        raise RestorationError(f"'{text}' is no amount of memory: write it like 2GB or 512MB")
    return amount


def default_budget(device: torch.device) -> int:
    """Bytes that tiles may take where no budget is named: 60 % of what is free, on the CPU at most 1 GB."""
    if device.type == "cuda":
        return int(0.6 * torch.cuda.mem_get_info(device)[0])
    return min(_CPU_BUDGET, int(0.6 * available_memory()))


def available_memory() -> int:
    """Bytes of host memory that are free to use; half of all memory where the system does not tell."""
    report = Path("/proc/meminfo")
    if report.exists():
        found = re.search(r"^MemAvailable:\s+(\d+) kB", report.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 2 * _CPU_BUDGET
