"""t-tests, against SciPy and by their meaning."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.statistics import ALTERNATIVES, t_quantile, t_tail, ttest_ind, ttest_rel


def groups():
    random = np.random.default_rng(0)
    for n, m, shift, scale in [
        (2, 2, 0, 1), (5, 9, 0.5, 3), (30, 30, 1, 1), (8, 300, -2, 0.1), (1000, 700, 0.05, 1),
        (4, 5, 50, 0.01), (100_000, 100_000, 0.01, 2), (3, 2, 0, 100),
    ]:  # fmt: skip
        yield random.normal(size=n), random.normal(shift, scale, m)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("equal_var", [True, False])
def test_student_and_welch_are_those_of_scipy(equal_var, alternative):
    stats = pytest.importorskip("scipy.stats")
    for a, b in groups():
        found = ttest_ind(a, b, equal_var=equal_var, alternative=alternative)
        expected = stats.ttest_ind(a, b, equal_var=equal_var, alternative=alternative)
        assert math.isclose(found.statistic, expected.statistic, rel_tol=1e-9)
        assert math.isclose(found.df, expected.df, rel_tol=1e-12)
        assert math.isclose(found.pvalue, expected.pvalue, rel_tol=1e-9)
        interval = stats.ttest_ind(a, b, equal_var=equal_var).confidence_interval()
        assert np.allclose(found.interval(), [interval.low, interval.high], rtol=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_paired_is_that_of_scipy(alternative):
    stats = pytest.importorskip("scipy.stats")
    for a, b in groups():
        n = min(len(a), len(b))
        found = ttest_rel(a[:n], b[:n], alternative=alternative)
        expected = stats.ttest_rel(a[:n], b[:n], alternative=alternative)
        assert math.isclose(found.statistic, expected.statistic, rel_tol=1e-9)
        assert found.df == expected.df
        assert math.isclose(found.pvalue, expected.pvalue, rel_tol=1e-9)


def test_tails_of_students_t():
    stats = pytest.importorskip("scipy.stats")
    for df in (0.5, 1, 2, 3.7, 10, 99.9, 150, 201, 1e4, 1e7):
        for t in (0.0, 1e-8, 0.1, 1.0, 2.5, 10.0, 40.0, 1e3):
            assert math.isclose(t_tail(t, df), stats.t.sf(t, df), rel_tol=1e-8, abs_tol=1e-290)
            assert math.isclose(t_tail(-t, df), stats.t.sf(-t, df), rel_tol=1e-8)
        assert math.isclose(t_quantile(0.975, df), stats.t.ppf(0.975, df), rel_tol=1e-9)
    for t in (1e-8, 1.0, 1e6):  # Cauchy's distribution; SciPy has 8 digits of the first
        assert math.isclose(t_tail(t, 1), math.atan2(1, t) / math.pi, rel_tol=1e-14)


def test_five_in_a_hundred_are_rejected_where_there_is_no_difference():
    random = np.random.default_rng(7)
    count = 2000
    rejected = {"student": 0, "welch": 0, "paired": 0}
    for _ in range(count):
        a, b = random.normal(3, 2, 8), random.normal(3, 2, 8)
        rejected["student"] += ttest_ind(a, b).pvalue < 0.05
        rejected["welch"] += ttest_ind(a, random.normal(3, 6, 20), equal_var=False).pvalue < 0.05
        rejected["paired"] += ttest_rel(a, b).pvalue < 0.05
    for number in rejected.values():
        assert abs(number / count - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / count)


def test_groups_that_do_not_vary():
    assert math.isnan(ttest_ind([1, 1], [1, 1, 1]).pvalue)
    apart = ttest_ind([2, 2], [1, 1], equal_var=False)
    assert (apart.statistic, apart.pvalue, apart.difference) == (math.inf, 0, 1)
    assert ttest_rel([2, 3], [1, 2], alternative="less").pvalue == 1


def test_tensors_and_the_sentence():
    result = ttest_ind(sg.tensor([1.0, 2.0, 3.0], requires_grad=True), sg.tensor([2, 3, 5]))
    assert str(result).startswith("t = -1.2")
    assert "95% interval" in str(result)
    assert sg.statistics.ttest_ind is ttest_ind


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ttest_ind([1.0], [1.0, 2.0]),
            r"a must be at least 2 numbers in one dimension, not .* \[1\]",
        ),
        (lambda: ttest_ind([1.0, 2.0], [[1.0, 2.0]]), r"b must be at least 2 numbers .* \[1, 2\]"),
        (lambda: ttest_ind([1.0, math.nan], [1.0, 2.0]), "a holds a number that is not finite"),
        (lambda: ttest_rel([1.0, 2.0], [1.0, 2.0, 3.0]), "a has 2 numbers, b has 3"),
        (lambda: ttest_rel([1.0, 2.0], [1.0, 3.0], alternative="more"), "alternative is one of two-sided"),
    ],
)
def test_wrong_numbers(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
