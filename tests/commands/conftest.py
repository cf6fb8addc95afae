"""What the tests of the commands share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import unblemish
from unblemish.networks.catalogue import create
from unblemish.pictures.picture import Picture
from unblemish.pictures.writing import write
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard

SOURCE = str(Path(unblemish.__file__).resolve().parents[1])


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two tiny networks."""
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    options = {"blocks": 1, "width": 4}
    cards = [
        NetworkCard(
            name=name,
            purpose=purpose,
            architecture="srresnet",
            options=options,
            licence="CC0-1.0",
            training_set="none, the weights are random",
            recipe="drawn at random",
            scores={"psnr/jpeg": 12.345},
            steps=7,
        )
        for name, purpose in (("tiny", "Shows that all is joined."), ("other", "Is another one."))
    ]
    Bundle.write(folder, [(card, create("srresnet", options).state_dict()) for card in cards])
    return folder


@pytest.fixture
def run(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs `unblemish WORDS...` in this process, in a folder of its own, with the tiny bundle."""
    from unblemish.commands.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNBLEMISH_BUNDLE", str(bundle))

    def call(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["unblemish", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Ran(int(ended.value.code or 0), shown.out, shown.err)

    return call


@pytest.fixture
def process(bundle: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `unblemish WORDS...` as a program, in the same folder, with the tiny bundle.

    It says at its end on standard error whether it imported torch.
    """
    environment = {**os.environ, "UNBLEMISH_BUNDLE": str(bundle), "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCE}
    environment.pop("PYTHONUNBUFFERED", None)
    program = (
        "import sys\nfrom unblemish.commands.app import main\n"
        "try:\n    main()\nfinally:\n    print('torch:', 'torch' in sys.modules, file=sys.stderr)"
    )
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", program, *words],
                cwd=tmp_path,
                env=environment,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
            )
        )


@pytest.fixture
def draw() -> Callable[..., NDArray[np.uint8]]:
    """Makes pixels that resemble a picture: smooth, of any size, channels and sample type."""

    def make(seed: int = 0, shape: tuple[int, ...] = (40, 56, 3), dtype: str = "uint8") -> NDArray[np.uint8]:
        generator = np.random.default_rng(seed)
        coarse = generator.random((-(-shape[0] // 8), -(-shape[1] // 8), *shape[2:]))
        values = coarse.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]]
        return np.rint(values * np.iinfo(dtype).max).astype(dtype)

    return make


@pytest.fixture
def photos(tmp_path: Path, draw: Callable[..., NDArray[np.uint8]]) -> Path:
    """A folder with a PNG, a JPEG, and a PNG further down."""
    folder = tmp_path / "photos"
    for number, name in enumerate(("a.png", "b.jpg", "deep/c.png")):
        write(Picture(draw(number), "png"), folder / name)
    return folder
