"""What all tests share: programs that they start see the sources of this checkout, as the tests do."""

import os
from pathlib import Path

SOURCES = str(Path(__file__).parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))
