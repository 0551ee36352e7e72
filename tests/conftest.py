"""What all tests share: programs that they start see the sources of this checkout, as the tests do."""

import os
import random
import signal
import sys
from pathlib import Path

import numpy
import pytest
from hypothesis import HealthCheck, settings

import stepgrad

SOURCES = str(Path(__file__).parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))

# The same examples in every run, and none that fails because the machine is busy.
settings.register_profile(
    "stepgrad", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("stepgrad")

# In the background a shell lets Ctrl-C be ignored, also by the processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_numbers_drawn_in_every_run() -> None:
    """Whichever tests ran before, and whatever library draws: PyTorch's samples are drawn without a seed."""
    random.seed(0)
    numpy.random.seed(0)  # noqa: NPY002 - those samples are drawn from it
    stepgrad.manual_seed(0)
    if "torch" in sys.modules and sys.modules["torch"] is not stepgrad:
        sys.modules["torch"].manual_seed(0)
