"""Hand calculations with and without planted slips: the first wrong line is found, right ones pass."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from stepgrad.explain.hand import check_work
from stepgrad.words.language import Words
from tests.explain.hand.homework import FORMATS, ROUNDINGS, SLIPS, STEPS, random_step, write

LANGUAGES = ("en", "ko")
NETWORKS = [(kind, optimizer) for kind in ("sigmoid", "tanh", "softmax") for optimizer in ("SGD", "Adam")]


@cache
def step(name):
    return STEPS[name]()


@cache
def other_step(kind, optimizer, seed):
    return random_step(kind, optimizer, seed)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__)
@pytest.mark.parametrize(
    "digits",
    [
        [(4, False), (3, True)],
        pytest.param([(3, False), (6, False), (4, True)], marks=pytest.mark.slow),
    ],
    ids=["few", "more"],
)
def test_right_work_raises_no_alarm(name, form, digits):
    for number, (decimals, significant) in enumerate(digits):
        written = write(step(name), decimals, significant=significant)
        text, file_name = form(written, LANGUAGES[number % 2])
        assert_right(check_work(step(name), text, file_name=file_name), written)


def assert_right(checked, written):
    assert checked.wrong is None
    blank = [remark for remark in checked.remarks if remark.kind == "no_digit"]  # what is 0.000 says nothing
    assert all(re.search(r"= −?0\.0+$", remark.text) for remark in blank)
    assert checked.right + len(blank) == len(written.rows)
    assert replace(checked, remarks=[r for r in checked.remarks if r not in blank], unknown=[]).is_complete
    assert len(checked.unknown) == len(blank)


def right_works():
    """Every network, 3 to 5 digits, each way of rounding, with the rounded numbers or all digits carried on;
    formats and languages in turn. What is as small as Adam's squares is written with significant digits.
    """
    ways = itertools.product(NETWORKS, (3, 4, 5), ROUNDINGS, (False, True), (0, 1))
    for number, ((kind, optimizer), digits, rounding, carried, seed) in enumerate(ways):
        significant = optimizer == "Adam" or number % 2 == 0
        yield number, (kind, optimizer, seed), digits, significant, ROUNDINGS[rounding], carried


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_right_work_raises_no_alarm_however_it_is_rounded(part):
    for number, which, digits, significant, rounding, carried in right_works():
        if number % 6 == part:
            worked = other_step(*which)
            written = write(worked, digits, significant=significant, rounding=rounding, carried=carried)
            text, file_name = FORMATS[(number // 6) % len(FORMATS)](written, LANGUAGES[number // 36 % 2])
            assert_right(check_work(worked, text, file_name=file_name), written)


def planted():
    """Every kind of slip in every step, in the formats and languages in turn."""
    number = 0
    for kind, slip in SLIPS.items():
        for name in STEPS:
            for seed in (number, 7 * number + 3):
                written = write(step(name), 4, slip, seed)
                if written.slip is not None:
                    yield (
                        kind,
                        step(name),
                        written,
                        FORMATS[number % len(FORMATS)],
                        LANGUAGES[number // 6 % 2],
                    )
                    number += 1
    for (network, optimizer), (kind, slip) in itertools.product(NETWORKS, SLIPS.items()):
        worked, digits = other_step(network, optimizer, 1), (4, 5, 3)[number % 3]
        significant = optimizer == "Adam" or number % 2 == 0
        written = write(worked, digits, slip, 7 * number, significant=significant)
        if written.slip is not None:
            yield kind, worked, written, FORMATS[number % len(FORMATS)], LANGUAGES[number // 6 % 2]
            number += 1


@pytest.mark.slow
def test_planted_slips_are_found_and_named():
    found, named, total = Counter(), Counter(), Counter()
    missed, misnamed = [], []
    for kind, worked, written, form, language in planted():
        text, file_name = form(written, language)
        checked = check_work(worked, text, file_name=file_name)
        total[kind] += 1
        if checked.wrong is None or checked.wrong.id != written.slip:
            missed.append((kind, written.slip, form.__name__))
            continue
        found[kind] += 1
        slip = checked.wrong.slip
        if slip is not None and slip.kind == kind.removesuffix("_of_a_product"):
            named[kind] += 1
            assert slip.text(Words(language))
        else:
            misnamed.append((kind, written.slip, form.__name__, slip))
    assert len(total) >= 15
    assert total.total() >= 200
    assert found.total() >= 0.98 * total.total(), missed
    assert named.total() >= 0.95 * total.total(), misnamed
    assert all(named[kind] >= 0.7 * total[kind] for kind in total), misnamed
