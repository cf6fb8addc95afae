"""Nobody waits for what they do not use: what is imported when, and how long that takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "pyvips", "pydantic", "PIL", "safetensors")
HELP = (
    "import sys\nsys.argv = ['unblemish', '--help']\nfrom unblemish.commands.app import main\n"
    "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code"
)
REPORT = (
    "\nimport json, os, sys\ntimes = os.times()\n"
    f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
    "print(json.dumps([times.user + times.system, loaded]), file=sys.stderr)"
)


def measured(program: str) -> tuple[float, list[str]]:
    """Least processor time of several runs, the interpreter's own included, and the heavy modules loaded.

    Processor time, and the least of several, because other programs on the machine slow single runs down.
    """
    times, loaded = [], []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program + REPORT], capture_output=True, text=True, check=True)
        seconds, loaded = json.loads(done.stderr.splitlines()[-1])
        times.append(seconds)
    return min(times), loaded


@pytest.mark.parametrize(("program", "limit"), [("import unblemish", 0.3), (HELP, 0.5)])
def test_the_budget_is_kept(program: str, limit: float) -> None:
    seconds, loaded = measured(program)
    assert loaded == []
    assert seconds < limit


def test_the_meter_sees_what_is_heavy() -> None:
    assert measured("import numpy")[1] == ["numpy"]
