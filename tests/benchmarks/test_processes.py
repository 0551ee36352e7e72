"""Workers in rounds: each runs as often as it should, and what is kept is not run again."""

import json

from benchmarks.processes import interleave


def worker(value):
    return ["-c", f"print('{json.dumps({'value': value})}')"]


def test_rounds_that_a_file_holds_are_not_run_again(tmp_path):
    keep, told = tmp_path / "runs.json", []
    first, failed = interleave({"a": worker(1)}, 1, None, told.append, keep)
    assert (first, failed) == ({"a": [{"value": 1}]}, {})
    second, _ = interleave({"a": worker(2), "b": worker(3)}, 2, None, told.append, keep)
    assert second == {"a": [{"value": 1}, {"value": 2}], "b": [{"value": 3}, {"value": 3}]}
    assert json.loads(keep.read_text(encoding="utf-8")) == second
    assert len(told) == 4
    assert interleave({"a": worker(4)}, 0, None, told.append, keep)[0] == {"a": second["a"]}


def test_a_worker_that_fails_is_named_and_not_run_again(tmp_path):
    told = []
    jobs = {"bad": ["-c", "raise SystemExit('no data')"], "good": worker(1)}
    results, failed = interleave(jobs, 2, None, told.append)
    assert results == {"good": [{"value": 1}, {"value": 1}]}
    assert failed == {"bad": "no data"}
