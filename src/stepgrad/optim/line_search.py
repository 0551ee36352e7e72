"""A line search: how far to go along a direction so that the strong Wolfe conditions hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A place on the line: the length gone, the value there, the gradient, and the slope along the line."""

    length: float
    value: float
    gradient: Any
    slope: float


def strong_wolfe(
    at: Callable[[float], Point], start: Point, first: float, largest_move: float, most: int,
    c1: float = 1e-4, c2: float = 0.9, tolerance: float = 1e-9,
) -> tuple[Point, int]:  # fmt: skip
    """Return a point where value and slope are small enough, and how many points were looked at.

    The conditions (Wolfe, 1969): value ≤ start + c₁ · length · slope at the start, and |slope| ≤ c₂ · |slope
    at the start|. First an interval that holds such a point is found, then it is made smaller (Nocedal and
    Wright, 2006, algorithms 3.5 and 3.6, with cubic interpolation).

    `at` evaluates a length, `first` is the first one, `largest_move` the largest element of the direction: an
    interval in which nothing moves by `tolerance` is left alone. At most `most` points are looked at after
    the first.
    """
    before, here = start, at(first)
    looked = 1
    bracket: list[Point] | None = None
    while looked <= most:
        is_higher = here.value > start.value + c1 * here.length * start.slope
        if is_higher or (looked > 2 and here.value >= before.value):
            bracket = [before, here]
        elif abs(here.slope) <= -c2 * start.slope:
            return here, looked
        elif here.slope >= 0:
            bracket = [before, here]
        if bracket:
            break
        low, high = here.length + 0.01 * (here.length - before.length), here.length * 10
        before, here = here, at(_lowest_of_cubic(before, here, low, high))
        looked += 1
    bracket = bracket or [start, here]
    return _narrowed(at, start, bracket, looked, largest_move, most, c1, c2, tolerance)


def _narrowed(
    at: Callable[[float], Point], start: Point, bracket: list[Point], looked: int, largest_move: float,
    most: int, c1: float, c2: float, tolerance: float,
) -> tuple[Point, int]:  # fmt: skip
    """Make an interval smaller until its lower end meets the conditions."""
    low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
    was_near_end = False
    while looked <= most:
        lengths = [p.length for p in bracket]
        left, right = min(lengths), max(lengths)
        if (right - left) * largest_move < tolerance:
            break
        length = _lowest_of_cubic(bracket[0], bracket[1], left, right)
        # A length close to an end is no progress if it happens twice: then step away from the end.
        margin = 0.1 * (right - left)
        is_near_end = min(right - length, length - left) < margin
        if is_near_end and (was_near_end or length >= right or length <= left):
            length = right - margin if right - length < length - left else left + margin
            is_near_end = False
        was_near_end = is_near_end
        here = at(length)
        looked += 1
        is_higher = here.value > start.value + c1 * here.length * start.slope
        if is_higher or here.value >= bracket[low].value:
            bracket[high] = here
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
            continue
        is_found = abs(here.slope) <= -c2 * start.slope
        if not is_found and here.slope * (bracket[high].length - bracket[low].length) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = here
        if is_found:
            break
    return bracket[low], looked


def _lowest_of_cubic(a: Point, b: Point, low: float, high: float) -> float:
    """Return where the cubic through two points with these slopes is lowest, within [low, high]."""
    if b.length < a.length:
        a, b = b, a
    width = b.length - a.length
    d1 = a.slope + b.slope - 3 * (b.value - a.value) / width if width else math.nan
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * d2
    if not bottom:
        return (low + high) / 2
    return min(max(b.length - width * (b.slope + d2 - d1) / bottom, low), high)
