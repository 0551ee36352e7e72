"""`stepgrad completion`, and what the shells are then told."""

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_for_a_shell(stepgrad, shell):
    ran = stepgrad("completion", shell)
    assert ran.code == 0
    assert "_STEPGRAD_COMPLETE" in ran.out


def _completions(monkeypatch, stepgrad, line: str) -> list[str]:
    monkeypatch.setenv("_STEPGRAD_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit):
        stepgrad()


def test_commands_options_and_columns_are_completed(monkeypatch, capsys, stepgrad, flowers):
    for line, expected in (
        ("stepgrad tr", "train"),
        ("stepgrad train --pat", "--patience"),
        (f"stepgrad train {flowers} --target col", "colour"),
    ):
        _completions(monkeypatch, stepgrad, line)
        assert f"plain,{expected}" in capsys.readouterr().out.splitlines()
