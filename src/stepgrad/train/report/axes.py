"""A picture with a horizontal and a vertical axis, in SVG: places of values, round ticks, grid, labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stepgrad.markup import Html, join, tag
from stepgrad.words.numbers import number

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 42
_LOGARITHMIC_FROM = 30.0  # a ratio of largest to smallest from which small values could not be told apart


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high`, linearly or by their logarithm, onto `start` to `end` in the picture.

    `low` may be above `high`: larger values are then nearer to `start`.

    >>> Scale(0, 10, 0, 100).at(2.5), Scale(1, 100, 0, 100, logarithmic=True).at(10)
    (25.0, 50.0)
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the place of `value`, rounded to a tenth of a pixel."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
        share = (value - low) / (high - low) if high != low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> list[float]:
        """Return round values within the scale, about `count` of them."""
        low, high = sorted((self.low, self.high))
        return _powers(low, high) if self.logarithmic else round_ticks(low, high, count)


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` multiples of 1, 2 or 5 times a power of ten between `low` and `high`.

    >>> round_ticks(0, 23), round_ticks(0.81, 0.99)
    ([0.0, 5.0, 10.0, 15.0, 20.0], [0.85, 0.9, 0.95])
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * m for m in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / rough)))
    decimals = max(0, 1 - math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, decimals) for k in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten within (low, high); where these are many, the powers alone."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    dense = [m * 10.0**e for e in exponents for m in (1, 2, 5)]
    ticks = [tick for tick in dense if low <= tick <= high]
    return ticks if len(ticks) <= 7 else [tick for tick in ticks if str(f"{tick:e}")[0] == "1"]


def scale_for(values: list[float], start: float, end: float, from_zero: bool = False) -> Scale:
    """Return a scale that shows finite `values` with a little room; logarithmic if they span a wide positive
    range.
    """
    low, high = min(values), max(values)
    if low > 0 and from_zero and high / low > _LOGARITHMIC_FROM:
        return Scale(low / 1.15, high * 1.15, start, end, logarithmic=True)
    if from_zero and low >= 0:
        return Scale(0.0, high * 1.05 or 1.0, start, end)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return Scale(low - room, high + room, start, end)


def frame(x: Scale, y: Scale, x_label: str, y_label: str, whole_x: bool = False) -> Html:
    """Return grid lines, ticks and labels of the axes; `whole_x` leaves out ticks between whole numbers."""
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = []
    for value in y.ticks():
        at = y.at(value)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
        parts.append(tag("text", tick_text(value), x=LEFT - 7, y=at + 3.5, class_="tick", text_anchor="end"))
    for value in x.ticks():
        if not whole_x or float(value).is_integer():
            parts.append(
                tag("text", tick_text(value), x=x.at(value), y=HEIGHT - BOTTOM + 16, class_="tick mid")
            )
    parts.append(
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="axis")
    )
    parts.append(tag("text", x_label, x=middle, y=HEIGHT - 6, class_="label mid"))
    parts.append(tag("text", y_label, x=4, y=12, class_="label"))
    return join(parts)


def tick_text(value: float) -> str:
    """Return the number beside a tick, millions and more in short.

    >>> tick_text(0.25), tick_text(20000.0), tick_text(2.5e6)
    ('0.25', '20,000', '2.5M')
    """
    return f"{value / 1e6:,g}M" if abs(value) >= 1e6 else number(value)


def picture(*parts: object, title: str, width: float = WIDTH, height: float = HEIGHT) -> Html:
    """Return an SVG picture that fills its column; `title` is what a screen reader says."""
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        class_="picture",
    )
