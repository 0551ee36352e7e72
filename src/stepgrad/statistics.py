"""Tests of differences: between two groups of measurements, between two trained models.

Two models of which one has the better score on one run are not yet a better and a worse model. Train each
several times (other seeds, other parts of the data), and ask how often a difference like the one found would
come about by chance if there were none: that is p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.errors import ArgumentError

ALTERNATIVES = ("two-sided", "greater", "less")
_TINY = 1e-300
_LARGE = 100.0  # from which ln Γ(a + ½) − ln Γ(a) is taken from its series: the two would cancel


@dataclass(frozen=True)
class TTest:
    """The result of a t-test.

    * `statistic`: t, the difference of the means in units of its standard error. `df`: degrees of freedom.
    * `pvalue`: how probable a t at least as far out is where there is no difference.
    * `difference`: the mean of the first minus that of the second; `error`: its standard error.
    """

    statistic: float
    pvalue: float
    df: float
    difference: float
    error: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the bounds between which the true difference lies in so many of such experiments."""
        reach = t_quantile((1 + confidence) / 2, self.df) * self.error
        return self.difference - reach, self.difference + reach

    def __str__(self) -> str:
        low, high = self.interval()
        return (
            f"t = {self.statistic:.4g}, df = {self.df:.4g}, p = {self.pvalue:.3g}; difference "
            f"{self.difference:.4g} (95% interval {low:.4g} to {high:.4g})"
        )


def ttest_ind(a: Any, b: Any, *, equal_var: bool = True, alternative: str = "two-sided") -> TTest:
    """Test whether two independent groups have the same mean.

    `a` and `b` are numbers in a sequence, an array or a tensor, at least two each. With `equal_var` it is
    Student's test (1908), which takes both groups to vary alike; without it Welch's (1947), which does not:
    the better choice where one does not know. `alternative`: "two-sided", "greater" (the first mean is the
    larger) or "less".

    Raises `ArgumentError` for fewer numbers, for numbers that are not finite, or another alternative.

    >>> print(ttest_ind([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0], equal_var=False))
    t = -2.191, df = 6, p = 0.071; difference -2 (95% interval -4.234 to 0.2337)
    """
    x, y = _numbers(a, "a"), _numbers(b, "b")
    parts = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if equal_var:
        df = float(len(x) + len(y) - 2)
        pooled = (x.var(ddof=1) * (len(x) - 1) + y.var(ddof=1) * (len(y) - 1)) / df
        error = math.sqrt(pooled * (1 / len(x) + 1 / len(y)))
    else:
        error = math.sqrt(sum(parts))
        weights = sum(part**2 / (len(z) - 1) for part, z in zip(parts, (x, y)))
        df = sum(parts) ** 2 / weights if weights else float(len(x) + len(y) - 2)
    return _tested(float(x.mean() - y.mean()), error, float(df), alternative)


def ttest_rel(a: Any, b: Any, *, alternative: str = "two-sided") -> TTest:
    """Test whether the differences of pairs have the mean 0: the same thing measured twice.

    Such pairs are the scores of two models on the same parts of the data, trained from the same seeds. What
    the parts have in common falls out, so that a small difference shows where `ttest_ind` would not see it.

    Raises `ArgumentError` as `ttest_ind` does, and for unequal numbers of measurements.

    >>> print(ttest_rel([0.91, 0.84, 0.88, 0.95], [0.90, 0.82, 0.86, 0.94]))
    t = 5.196, df = 3, p = 0.0138; difference 0.015 (95% interval 0.005813 to 0.02419)
    """
    x, y = _numbers(a, "a"), _numbers(b, "b")
    if len(x) != len(y):
        raise ArgumentError(f"a paired test takes pairs; a has {len(x)} numbers, b has {len(y)}.")
    d = x - y
    return _tested(float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1.0, alternative)


def _numbers(values: Any, name: str) -> numpy.ndarray:
    array = numpy.asarray(values.detach().cpu() if hasattr(values, "detach") else values, "float64")
    if array.ndim != 1 or array.size < 2:
        raise ArgumentError(
            f"{name} must be at least 2 numbers in one dimension, not of shape {list(array.shape)}."
        )
    if not numpy.isfinite(array).all():
        raise ArgumentError(f"{name} holds a number that is not finite.")
    return array


def _tested(difference: float, error: float, df: float, alternative: str) -> TTest:
    if alternative not in ALTERNATIVES:
        raise ArgumentError(f"alternative is one of {', '.join(ALTERNATIVES)}, not {alternative!r}.")
    if error:
        t = difference / error
    else:  # no number differs from its group's mean
        t = math.copysign(math.inf, difference) if difference else math.nan
    upper = t_tail(t, df)
    p = {"greater": upper, "less": t_tail(-t, df), "two-sided": 2 * t_tail(abs(t), df)}[alternative]
    return TTest(t, p, df, difference, error)


def t_tail(t: float, df: float) -> float:
    """Return the probability that Student's t with `df` degrees of freedom is above `t`.

    >>> round(t_tail(2.0, 10), 12), t_tail(0.0, 3)
    (0.036694017385, 0.5)
    """
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    # I_x(df/2, ½)/2 at x = df / (df + t²); where t is small, through 1 − x, which is exact there.
    squared = t * t
    tail = 0.5 * _incomplete_beta(df / 2, df / (df + squared), squared / (df + squared))
    return tail if t >= 0 else 1 - tail


def t_quantile(probability: float, df: float) -> float:
    """Return the t below which Student's t with `df` degrees of freedom is with a probability of ½ to 1.

    >>> round(t_quantile(0.975, 10), 9)
    2.228138852
    """
    low, high = 0.0, 1.0
    while t_tail(high, df) > 1 - probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_tail(middle, df) > 1 - probability else (low, middle)
    return high


def _incomplete_beta(a: float, x: float, rest: float) -> float:
    """Return the regularised incomplete beta function I_x(a, ½), given x and `rest` = 1 − x (DLMF 8.17)."""
    if rest <= 0:
        return 1.0
    b = 0.5
    # x^a (1 − x)^b / B(a, b), by logarithms, since x^a underflows.
    log_x, log_rest = (math.log(x), math.log1p(-x)) if x < b else (math.log1p(-rest), math.log(rest))
    front = math.exp(a * log_x + b * log_rest + _log_ratio(a) - 0.5 * math.log(math.pi))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _log_ratio(a: float) -> float:
    """Return ln Γ(a + ½) − ln Γ(a)."""
    if a < _LARGE:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return 0.5 * math.log(a) - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5)


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function by Lentz's method (1976)."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def _not_zero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY
