"""Ways to run a network on tiles: eager PyTorch, compiled PyTorch, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import copy
import logging
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.networks.base import Network
from unblemish.pictures.tiles import TileTooLargeError
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.export_cache import exported

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)


class Engine(ABC):
    """Runs one network on batches of tiles; owns its device and number format.

    `run` takes and returns arrays in host memory. Networks get float32 pictures whatever they compute in (see
    `Network`). An engine that computes in bfloat16 repeats a batch in float32 where the result is not finite.

    Args:
        network: The network, in evaluation mode with float32 weights; it is not changed, nor moved.
        device: Where to run.
        dtype: float32 or bfloat16, what to compute in.
    """

    name: ClassVar[str]
    """What users choose it by."""

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        self.network = network
        self.device = device
        self.dtype = dtype
        self.repeats = 0
        """Batches that had to be repeated in float32 so far."""
        self._precise: Network | None = None

    @final
    def run(self, tiles: Floats) -> Floats:
        """Restores tiles.

        Args:
            tiles: `(n, C, h, w)` float32 in [0, 1], in any memory layout.

        Returns:
            `(n, C, scale * h, scale * w)` float32, finite, not clamped.

        Raises:
            TileTooLargeError: The memory of the device does not suffice.
            RestorationError: The network's result is not finite.
        """
        try:
            result = self._forward(tiles)
            if not np.isfinite(result).all() and self.dtype != torch.float32:
                self.repeats += 1
                _log.warning("%s is not finite in %s; repeated in float32", type(self.network).__name__, self.dtype)
                result = self._forward_precisely(tiles)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            raise TileTooLargeError(str(error).splitlines()[0] if str(error) else "out of memory") from error
        if not np.isfinite(result).all():
            raise RestorationError(
                f"the network {type(self.network).__name__} gives values that are not finite: "
                "its weights are damaged, choose another network or bundle"
            )
        return result

    @abstractmethod
    def _forward(self, tiles: Floats) -> Floats:
        """`run` without its checks."""

    def _forward_precisely(self, tiles: Floats) -> Floats:
        if self._precise is None:
            self._precise = copy.deepcopy(self.network).float().to(self.device)
        return _call(self._precise, tiles, self.device)


@final
class EagerEngine(Engine):
    """PyTorch as it is, in channels_last memory, which the CPU's and the GPU's convolutions prefer."""

    name = "eager"

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(network, device, dtype)
        self._placed = place(network, device, dtype)

    def _forward(self, tiles: Floats) -> Floats:
        return _call(self._placed, tiles, self.device)


@final
class CompiledEngine(Engine):
    """`torch.compile` with frozen weights: a minute of compiling for each tile size, then faster."""

    name = "compiled"

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        compilers = (os.environ.get("CXX"), "g++", "clang++", "cl")
        if device.type == "cpu" and not any(name and shutil.which(name) for name in compilers):
            raise RestorationError("the engine 'compiled' needs a C++ compiler: install one or choose --engine eager")
        super().__init__(network, device, dtype)
        self._compiled = torch.compile(place(network, device, dtype), dynamic=False, options={"freezing": True})

    def _forward(self, tiles: Floats) -> Floats:
        return _call(self._compiled, tiles, self.device)


@final
class OnnxEngine(Engine):
    """ONNX Runtime on the CPU in float32. Needs the extra `export`."""

    name = "onnx"

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        _require("onnxruntime", "export")
        _require("onnxscript", "export")
        super().__init__(network, torch.device("cpu"), torch.float32)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            exported(network, Path.read_bytes), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def _forward(self, tiles: Floats) -> Floats:
        return np.asarray(self._session.run(None, {self._input: np.ascontiguousarray(tiles)})[0])


@final
class OpenVinoEngine(Engine):
    """OpenVINO on the CPU, which knows fast bfloat16 kernels. Needs the extras `fast` and `export`."""

    name = "openvino"

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        _require("openvino", "fast")
        _require("onnxscript", "export")
        super().__init__(network, torch.device("cpu"), dtype)
        import openvino

        settings = {
            "INFERENCE_PRECISION_HINT": "f32" if dtype == torch.float32 else "bf16",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        runtime = openvino.Core()
        self._model = exported(network, lambda path: runtime.compile_model(path, "CPU", settings))

    def _forward(self, tiles: Floats) -> Floats:
        return np.asarray(self._model(np.ascontiguousarray(tiles))[0], dtype=np.float32)


ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (EagerEngine, CompiledEngine, OnnxEngine, OpenVinoEngine)
}
"""Every engine by name."""


def create_engine(name: str, network: Network, device: torch.device, dtype: torch.dtype) -> Engine:
    """An engine by name; "auto" is the fastest that needs no extra and no waiting: eager.

    Raises:
        RestorationError: The name is unknown, or the engine needs an extra that is not installed.
    """
    if name == "auto":
        name = EagerEngine.name
    if name not in ENGINES:
        raise RestorationError(f"unknown engine '{name}': choose auto, {', '.join(ENGINES)}")
    return ENGINES[name](network.eval(), device, dtype)


def place(network: Network, device: torch.device, dtype: torch.dtype) -> Network:
    """A copy of `network` in evaluation mode on `device`, in `dtype` and channels_last memory."""
    placed = copy.deepcopy(network).eval().requires_grad_(False).to(device, dtype)
    return placed.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or PyTorch means that memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _call(network: Callable[[Tensor], Tensor], tiles: Floats, device: torch.device) -> Floats:
    """One forward pass from and to host memory; `(n, C, h, w)` both."""
    with torch.inference_mode():
        batch = torch.from_numpy(tiles).to(device=device, memory_format=torch.channels_last)
        return network(batch).cpu().numpy()


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise RestorationError(f"this engine needs {package}: install it with pip install 'unblemish[{extra}]'")
