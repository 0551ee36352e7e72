"""The first step and the memory: what is read is this process's."""

import sys

import numpy
import pytest

from benchmarks.first import measure, megabytes
from benchmarks.report import first_table
from benchmarks.workloads import WORKLOADS


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read in Linux's way")
def test_the_most_memory_is_that_of_all_that_was_there_at_once():
    before = megabytes("VmRSS")
    block = numpy.ones(100 << 17)
    assert megabytes("VmRSS") - before > 95
    del block
    assert megabytes("VmHWM") > before + 95


def test_a_first_step_is_measured():
    found = measure("stepgrad_eager", WORKLOADS["xor"])
    assert 0 < found["milliseconds"] < 60_000
    assert found["added"] <= found["megabytes"]


def test_a_table_has_a_row_for_each_peer():
    result = {"median": 1.0, "low": 1.0, "high": 1.0}
    table = first_table("ms", {"xor": {"torch_eager": result}, "tab": {"numpy_by_hand": result}})
    assert table == [["ms", "xor", "tab"], ["PyTorch eager", "1.00", "–"], ["NumPy by hand", "–", "1.00"]]
