import locale

import pytest

from stepgrad.errors import ArgumentError
from stepgrad.words.language import Words, choose_language

VARIABLES = ("STEPGRAD_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(autouse=True)
def no_language_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(locale, "getlocale", lambda: (None, None))


def test_english_is_the_default():
    assert choose_language() == "en"


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LC_ALL": "C.UTF-8", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"STEPGRAD_LANG": "ko", "LANG": "en_US.UTF-8"}, "ko"),
        ({"STEPGRAD_LANG": "en", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"STEPGRAD_LANG": "ko-KR"}, "ko"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_decides_where_nothing_was_asked_for(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose_language() == expected
    assert choose_language("en") == "en"


def test_the_locale_of_the_system_counts_where_no_variable_is_set(monkeypatch):
    monkeypatch.setattr(locale, "getlocale", lambda: ("Korean_Korea", "949"))
    assert choose_language() == "ko"


def test_a_language_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(ArgumentError, match="--lang is 'fr', but the languages are en and ko"):
        choose_language("fr")
    monkeypatch.setenv("STEPGRAD_LANG", "xx")
    with pytest.raises(ArgumentError, match="STEPGRAD_LANG is 'xx'"):
        choose_language()


def test_values_with_braces_are_put_in_as_they_are():
    assert Words()("Resume with: {command}", command="{x}") == "Resume with: {x}"


def test_a_text_that_the_catalogue_lacks_is_an_error():
    with pytest.raises(KeyError):
        Words("ko")("no such text")


def test_a_finished_sentence_is_translated_with_its_suggestion():
    sentence = "there is no column 'prise'. Did you mean 'price'? The columns are 'price', 'size'."
    expected = "'prise' 열이 없습니다. 있는 열: 'price', 'size'. 혹시 'price'를 뜻하셨습니까?"
    assert Words("ko").sentence(sentence) == expected
    assert Words("en").sentence(sentence) == sentence


def test_an_unknown_sentence_stays_english():
    assert Words("ko").sentence("the moon is round.") == "the moon is round."
