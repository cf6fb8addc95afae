from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.restoration.errors import RestorationError
from unblemish.restoration.memory_use import measure_memory

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")


@linux
def test_a_process_of_its_own_tells_its_peak():
    use = measure_memory(200, "2GB", architecture="srresnet_compact")
    assert use.size == (200, 200)
    assert 50e6 < use.idle < use.peak < 1.5e9
    assert use.seconds > 0


@linux
def test_what_goes_wrong_there_is_said_here():
    with pytest.raises(RestorationError, match=r"the measurement of memory failed: .*no network is called 'none'"):
        measure_memory(64, "2GB", architecture="none")
