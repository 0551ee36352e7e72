"""Hand calculations with and without planted slips: the first wrong line is found, right ones pass."""

from collections import Counter
from functools import cache

import pytest

from stepgrad.explain.hand import check_work
from stepgrad.words.language import Words
from tests.explain.hand.homework import FORMATS, SLIPS, STEPS, write

LANGUAGES = ("en", "ko")


@cache
def step(name):
    return STEPS[name]()


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__)
def test_right_work_raises_no_alarm(name, form):
    digits = [(3, False), (4, False), (6, False), (3, True), (4, True)]
    for number, (decimals, significant) in enumerate(digits):
        written = write(step(name), decimals, significant=significant)
        text, file_name = form(written, LANGUAGES[number % 2])
        checked = check_work(step(name), text, file_name=file_name)
        assert checked.wrong is None
        assert checked.right == len(written.rows)
        assert not checked.unknown


def planted():
    """Every kind of slip in every step, in the formats and languages in turn."""
    number = 0
    for kind, slip in SLIPS.items():
        for name in STEPS:
            for seed in (number, 7 * number + 3):
                written = write(step(name), 4, slip, seed)
                if written.slip is not None:
                    yield kind, name, written, FORMATS[number % len(FORMATS)], LANGUAGES[number // 6 % 2]
                    number += 1


@pytest.mark.slow
def test_planted_slips_are_found_and_named():
    found, named, total = Counter(), Counter(), Counter()
    missed, misnamed = [], []
    for kind, name, written, form, language in planted():
        text, file_name = form(written, language)
        checked = check_work(step(name), text, file_name=file_name)
        total[kind] += 1
        if checked.wrong is None or checked.wrong.id != written.slip:
            missed.append((kind, name, written.slip, form.__name__))
            continue
        found[kind] += 1
        slip = checked.wrong.slip
        if slip is not None and slip.kind == kind.removesuffix("_of_a_product"):
            named[kind] += 1
            assert slip.text(Words(language))
        else:
            misnamed.append((kind, name, written.slip, slip))
    assert len(total) >= 15
    assert total.total() >= 100
    assert found.total() >= 0.95 * total.total(), missed
    assert named.total() >= 0.9 * total.total(), misnamed
    assert all(found[kind] >= 0.7 * total[kind] for kind in total), missed
