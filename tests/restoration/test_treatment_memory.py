from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import re
from pathlib import Path
import numpy as np
from unblemish.networks.nafnet import NAFNet
from unblemish.pictures.picture import Picture
from unblemish.restoration.treatment import Treatment

pixels = np.full((10_000, 10_000, 3), 100, np.uint8)
network = NAFNet(width=8, encoder=(), middle=1, decoder=(), fold=4, attention=False)
restored = Treatment(network, device="cpu").restore(Picture(pixels, "png"))
assert restored.pixels.shape == pixels.shape
peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(peak - pixels.nbytes - restored.pixels.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")
def test_a_hundred_megapixels_need_less_than_two_gigabytes():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert 0 < int(run.stdout) < 2_000_000_000
