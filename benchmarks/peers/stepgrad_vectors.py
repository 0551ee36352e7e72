"""stepgrad's compiled mode as on a CPU without the matrix unit AMX."""

import os
from typing import Any

from ..workloads import Workload
from . import stepgrad_compiled

TITLE = "stepgrad compiled, without AMX"
REQUIRES = stepgrad_compiled.REQUIRES


class Training(stepgrad_compiled.Training):
    """The same, by vectors alone."""

    def __init__(self, workload: Workload, **adam: Any):
        os.environ["STEPGRAD_AMX"] = "0"
        super().__init__(workload, **adam)
