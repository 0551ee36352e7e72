"""The curves of a run as lines of text, drawn with Braille dots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.text import Text

from stepgrad.words.numbers import number

_DOTS = (
    (0x01, 0x02, 0x04, 0x40),
    (0x08, 0x10, 0x20, 0x80),
)  # of a Braille sign, by column and row (Unicode 2800)
_LOGARITHMIC_FROM = 10.0  # highest to lowest loss
_FARTHEST_BELOW = 5.0  # the training loss is shown down to this part of the lowest validation loss
TRAINING, VALIDATION = "yellow", "bold blue"


def loss_lines(
    training: Sequence[float | None], validation: Sequence[float | None], width: int = 56, height: int = 7
) -> list[Text]:
    """Return a picture of two curves over the epochs: the training loss dotted, the validation loss solid.

    It has `height` lines of at most `width` columns, the scale on the left, and a line with the epochs below.
    Steep falls are drawn on a logarithmic scale. A training loss that goes to zero leaves the picture at the
    bottom. Without two finite values there is nothing to draw, and no line.
    """
    values = _finite([*training, *validation])
    if len(values) < 2 or len(training) < 2:
        return []
    low, high = min(values), max(values)
    if held_out := _finite(validation):
        low = max(low, min(held_out) / _FARTHEST_BELOW)
    logarithmic = low > 0 and high / low > _LOGARITHMIC_FROM
    labels = [number(high, 3), number(low, 3)]
    margin = max(map(len, labels))
    canvas = _Canvas(width - margin - 2, height)
    transform: Callable[[float], float] = math.log if logarithmic else float
    bounds = (transform(low), transform(high))
    canvas.draw(_columns(training, canvas.dots_across, transform, low), bounds, TRAINING, every=2)
    canvas.draw(_columns(validation, canvas.dots_across, transform, low), bounds, VALIDATION, every=1)
    lines = []
    for row in range(height):
        label = labels[0] if row == 0 else labels[1] if row == height - 1 else ""
        lines.append(Text.assemble((f"{label:>{margin}} ┤", "dim"), canvas.line(row)))
    epochs = str(len(training))
    ruler = "1" + epochs.rjust(canvas.width - 1)
    lines.append(Text(f"{' ' * margin} └{'─' * canvas.width}", "dim"))
    lines.append(Text(f"{' ' * margin}  {ruler}", "dim"))
    return lines


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _columns(
    values: Sequence[float | None], count: int, transform: Callable[[float], float], low: float
) -> list[float | None]:
    """Return one value for each of `count` places: the curve between its points, None where there is none."""
    places: list[float | None] = []
    for i in range(count):
        at = i * (len(values) - 1) / (count - 1)
        left, right = values[math.floor(at)], values[math.ceil(at)]
        if left is None or right is None or not (math.isfinite(left) and math.isfinite(right)):
            places.append(None)
        else:
            share = at - math.floor(at)
            value = left * (1 - share) + right * share
            places.append(transform(value) if value >= low else None)
    return places


class _Canvas:
    """Dots, eight to a sign: two across and four down."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.dots_across, self.dots_down = width * 2, height * 4
        self._signs = [[0] * width for _ in range(height)]
        self._styles = [[""] * width for _ in range(height)]

    def draw(
        self, values: Sequence[float | None], bounds: tuple[float, float], style: str, every: int
    ) -> None:
        """Draw one dot for each value, or only `every` second one, and the steps between neighbours of a
        solid curve.
        """
        low, high = bounds
        before: int | None = None
        for x, value in enumerate(values):
            if value is None:
                before = None
                continue
            share = (value - low) / (high - low) if high > low else 0.5
            y = round((1 - share) * (self.dots_down - 1))
            if every == 1 and before is not None:
                for between in range(min(before, y), max(before, y) + 1):
                    self._set(x, between, style)
            elif x % every == 0:
                self._set(x, y, style)
            before = y

    def _set(self, x: int, y: int, style: str) -> None:
        self._signs[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
        self._styles[y // 4][x // 2] = style

    def line(self, row: int) -> Text:
        """Return a line of signs in their colours."""
        text = Text()
        for sign, style in zip(self._signs[row], self._styles[row]):
            text.append(chr(0x2800 + sign) if sign else " ", style=style)
        text.rstrip()
        return text
