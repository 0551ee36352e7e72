"""What the benchmark prints: medians and ratios worked out by hand."""

import pytest

from benchmarks.__main__ import main
from benchmarks.report import as_markdown, as_text, machine, number, step_table


@pytest.mark.parametrize(
    "value, text",
    [
        (0.09123, "0.0912"),
        (2.0, "2.00"),
        (24.06, "24.1"),
        (99.96, "100"),
        (405.4, "405"),
        (12345.6, "12,300"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert number(value) == text


def test_ratios_say_how_many_times_as_long_the_peers_take():
    def result(median):
        return {"median": median, "low": median - 1, "high": median + 1}

    steps = {
        "xor": {"stepgrad_eager": result(100), "torch_eager": result(400), "numpy_by_hand": result(60)},
        "tab": {"stepgrad_eager": result(200), "numpy_by_hand": result(150)},
    }
    table = step_table(steps)
    assert table[0] == ["µs per step", "xor", "tab"]
    assert table[2] == ["PyTorch eager", "400 (399–401)", "–"]
    assert table[-2] == ["best peer ÷ stepgrad eager", "0.600×", "0.750×"]
    assert table[-1] == ["PyTorch eager ÷ stepgrad eager", "4.00×", "–"]


def test_what_was_skipped_or_failed_is_said():
    results = {
        "machine": machine(),
        "command": "python -m benchmarks",
        "options": {"rounds": 1, "seconds": 0.1, "threads": 1},
        "skipped": {"steps xor jax_jit": ["jax"]},
        "failed": {"steps tab torch_eager": "killed"},
    }
    for text in (as_text(results), as_markdown(results)):
        assert "skipped steps xor jax_jit: jax is not installed" in text
        assert "failed steps tab torch_eager: killed" in text


def test_the_command_times_a_peer_in_a_process_of_its_own(capsys, tmp_path):
    page = tmp_path / "page.md"
    options = ["--suites", "steps", "--workloads", "xor", "--peers", "numpy_by_hand", "--rounds", "1"]
    assert main([*options, "--seconds", "0.01", "--markdown", str(page)]) == 0
    shown = capsys.readouterr()
    assert "NumPy by hand" in shown.out
    assert "round 1 of 1: xor numpy_by_hand" in shown.err
    text = page.read_text(encoding="utf-8")
    assert "| NumPy by hand |" in text
    assert "Written by `python -m benchmarks --suites steps --workloads xor --peers numpy_by_hand " in text


def test_an_unknown_peer_is_a_usage_error_that_lists_the_peers(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--peers", "tensorflow"])
    assert stopped.value.code == 2
    assert "tensorflow: choose from stepgrad_compiled" in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_skipped_with_a_line(capsys, monkeypatch):
    monkeypatch.setattr(
        "benchmarks.__main__.missing", lambda modules: [name for name in modules if name == "jax"]
    )
    options = ["--suites", "steps", "--workloads", "xor", "--rounds", "1", "--seconds", "0.01"]
    assert main([*options, "--peers", "numpy_by_hand,jax_jit"]) == 0
    shown = capsys.readouterr()
    assert "skipped steps xor jax_jit: jax is not installed" in shown.out
    assert "NumPy by hand" in shown.out
