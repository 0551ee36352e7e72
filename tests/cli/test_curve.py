"""The curves in the terminal."""

import math

import pytest

pytest.importorskip("rich")

from stepgrad.cli.curve import loss_lines


def plain(lines) -> list[str]:
    return [line.plain for line in lines]


def test_a_fall_goes_from_the_upper_left_to_the_lower_right():
    falling = [1.0 - 0.1 * i for i in range(10)]
    lines = plain(loss_lines(falling, falling, width=40, height=6))
    assert len(lines) == 8  # six of dots, the axis, the epochs
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith("  1 ┤")
    assert lines[5].startswith("0.1 ┤")
    assert lines[-1].split() == ["1", "10"]
    begins = [len(line) - len(line.lstrip("0123456789. ┤")) for line in lines[:6]]
    assert begins == sorted(begins)


def test_without_validation_and_with_gaps():
    lines = plain(loss_lines([2.0, None, 1.0, 0.5], [None] * 4))
    assert any("⠁" <= sign <= "⣿" for line in lines for sign in line)


@pytest.mark.parametrize("losses", [[], [1.0], [None, None], [math.nan, math.inf]])
def test_nothing_to_draw(losses):
    assert loss_lines(losses, losses) == []


def test_a_constant_loss_and_a_loss_of_zero():
    assert loss_lines([1.0] * 5, [1.0] * 5)
    assert loss_lines([1.0, 0.0, 0.0], [1.0, 0.5, 0.0])
