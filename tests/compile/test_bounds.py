"""Compiled code stays within its memory."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected by mprotect")
def test_nothing_is_read_or_written_beyond_the_ends_of_memory():
    program = Path(__file__).with_name("between_guard_pages.py")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
