"""What all tests share: programs that they start see the sources of this checkout, as the tests do."""

import os
import signal
from pathlib import Path

from hypothesis import HealthCheck, settings

SOURCES = str(Path(__file__).parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))

# The same examples in every run, and none that fails because the machine is busy.
settings.register_profile(
    "stepgrad", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("stepgrad")

# In the background a shell lets Ctrl-C be ignored, also by the processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
