"""How the time of a step grows: the points, their arithmetic, the table and the picture."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import scaling
from benchmarks.workloads import Workload


def test_operations_counted_by_hand():
    # 2-3-1 on 5 rows: outputs 6 + 3 products a row, derivatives by weights as many, by the hidden values 3.
    assert scaling.flop(Workload("little", (2, 3, 1), "relu", batch=5, rows=5)) == 2 * 5 * (9 + 9 + 3)


def test_arithmetic_grows_in_proportion_to_rows():
    by_rows = [scaling.flop(scaling.workload("batch", size)) / size for size in scaling.AXES["batch"]]
    assert len(set(by_rows)) == 1


@pytest.mark.parametrize("axis", scaling.AXES)
def test_points_have_their_size_and_whole_batches(axis):
    for size in scaling.AXES[axis]:
        point = scaling.workload(axis, size)
        assert (point.batch if axis == "batch" else point.layers[1]) == size
        assert point.layers[1] == point.layers[2]
        assert point.rows == point.steps * point.batch
        assert 10 <= point.steps <= 1000
    assert scaling.workload("batch", 64).layers == scaling.workload("width", 64).layers


def results(**medians):
    return {peer: {"median": time, "low": time, "high": time} for peer, time in medians.items()}


def test_the_table_compares_with_the_best_other_peer():
    found = {64: results(stepgrad_compiled=20, torch_fused=300, jax_scan=50), 256: results(torch_fused=9)}
    rows = scaling.table("batch", found)
    # 2 · 64 · (3 · (32·64 + 64·64 + 64) − 32·64) operations
    assert rows[1] == ["64", "2.12", "20.0", "300", "50.0", "2.50×", "106"]
    assert rows[2][2:] == ["–", "9.00", "–", "–", "–"]


def test_a_peer_that_trains_something_else_is_left_out():
    def run(loss):
        return {"16": {"loss": loss, "microseconds": 5.0, "first_epoch_seconds": 1.0}}

    axes = {"batch": (16,)}
    right = scaling.time_axis("numpy_by_hand", "batch", (16,), seconds=0.001)["16"]["loss"]
    failed = {}
    measured = {"numpy_by_hand batch": [run(right)], "torch_fused batch": [run(right + 0.05)]}
    found = scaling.collect(axes, measured, failed)
    assert found["batch"][16] == results(numpy_by_hand=5.0)
    assert list(failed) == ["torch_fused batch 16"]


def test_the_picture_names_what_it_shows(tmp_path):
    path = tmp_path / "scaling.svg"
    found = {
        "batch": {1: results(stepgrad_compiled=2, jax_scan=9), 4: results(stepgrad_compiled=3, jax_scan=9)},
        "width": {16: results(stepgrad_compiled=2)},
    }
    scaling.picture(found, path)
    texts = "".join(ElementTree.parse(path).getroot().itertext())
    for text in ("µs per training step", "stepgrad compiled", "rows in a batch (width 64)", "at one speed"):
        assert text in texts
