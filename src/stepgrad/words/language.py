"""Which language a person reads, and texts in it."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.words.particles import PAIRS, with_particle

LANGUAGES = ("en", "ko")

# Fields whose values are parts of sentences, and no words of the person.
_PHRASED = {"action", "cause", "found", "kind", "problem", "reason", "what"}
_SUGGESTION = re.compile(r" Did you mean '(.*?)'\?")


def choose_language(asked: str | None = None) -> str:
    """Return "en" or "ko": what was asked for, else STEPGRAD_LANG, else that of the locale, else English.

    Raises `ArgumentError` when `asked` or STEPGRAD_LANG is neither.

    >>> choose_language("ko")
    'ko'
    """
    for value, name in ((asked, "--lang"), (os.environ.get("STEPGRAD_LANG"), "STEPGRAD_LANG")):
        if value:
            language = value.lower().replace("-", "_").split("_")[0]
            if language not in LANGUAGES:
                raise ArgumentError(f"{name} is '{value}', but the languages are {' and '.join(LANGUAGES)}.")
            return language
    return "ko" if _locale_name().lower().startswith("ko") else "en"


def _locale_name() -> str:
    """Return the name of the person's locale, such as "ko_KR.UTF-8" (on Windows "Korean_Korea")."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return value
    import locale

    try:
        return locale.getlocale()[0] or ""
    except ValueError:  # a locale that this Python does not know
        return ""


class Words:
    """Texts in one language. Each is written in English where it is used; Korean comes from the catalogue.

    ``words("{count:row/rows} of {name}", count=3, name="a")`` puts values in: whole numbers with commas, and
    where the field says so, a number with the noun in singular or plural. In the Korean text a field names
    the pair of particles that follows it: ``"{name:을/를} 예측합니다"``; with a plus, the particle alone:
    ``"'{name}'{name:+을/를}"``.

    >>> Words("en")("{count:row/rows}", count=1), Words("en")("{count:row/rows}", count=1797)
    ('1 row', '1,797 rows')
    >>> Words("ko")("Resume with: {command}", command="stepgrad train --resume runs/a-1")
    '이어서 학습하려면: stepgrad train --resume runs/a-1'
    """

    def __init__(self, language: str = "en") -> None:
        if language not in LANGUAGES:
            raise ArgumentError(
                f"there is no language {language!r}; the languages are {', '.join(LANGUAGES)}."
            )
        self.language = language

    def __call__(self, text: str, /, **values: Any) -> str:
        """Return the text in this language with the values put in. Raises `KeyError` if the catalogue lacks
        it.
        """
        if self.language == "ko":
            from stepgrad.words.korean import TEXTS

            text = TEXTS[text]
        return _FILL.vformat(text, (), values)

    def sentence(self, text: str) -> str:
        """Return what another part of the library says (a note, an error) in this language.

        Such sentences arrive with their values already in them. One that the catalogue does not know stays
        English.
        """
        if self.language == "en":
            return text
        suggestion = _SUGGESTION.search(text)
        translated = _translated(_SUGGESTION.sub("", text))
        if suggestion is None:
            return translated
        return _FILL.vformat(
            "{text} 혹시 '{name}'{name:+을/를} 뜻하셨습니까?", (), {"text": translated, "name": suggestion[1]}
        )


class _Fill(string.Formatter):
    """Puts values into a text; see `Words` for what may follow the colon of a field."""

    def format_field(self, value: Any, format_spec: str) -> str:
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        if format_spec.removeprefix("+") in PAIRS:
            spoken = with_particle(shown, format_spec.removeprefix("+"))
            return spoken.removeprefix(shown) if format_spec.startswith("+") else spoken
        if "/" in format_spec:
            one, more = format_spec.split("/")
            return f"{shown} {one if value == 1 else more}"
        return super().format_field(value, format_spec) if format_spec else shown


_FILL = _Fill()


def _translated(text: str) -> str:
    from stepgrad.words.korean_errors import PHRASES
    from stepgrad.words.korean_sentences import SENTENCES

    def phrase(field: str, value: str) -> str:
        if field == "reasons":
            return " ".join(map(_translated, re.split(r"(?<=\.) (?=column ')", value)))
        return _by_pattern(value, PHRASES) if field in _PHRASED else value

    return _by_pattern(text, SENTENCES, phrase)


def _by_pattern(
    text: str, catalogue: Mapping[str, str], inside: Callable[[str, str], str] = lambda field, value: value
) -> str:
    """Return the Korean of the first pattern that fits; `inside` translates the values of its fields."""
    for pattern, korean in _patterns(tuple(catalogue.items())):
        if match := pattern.fullmatch(text):
            values = {field: inside(field, value) for field, value in match.groupdict().items()}
            return _FILL.vformat(korean, (), values)
    return text


@cache
def _patterns(sentences: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    return [(sentence_pattern(english), korean) for english, korean in sentences]


def sentence_pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of the sentences that `template` makes; its fields are the groups.

    >>> sentence_pattern("there is no column '{name}'.").fullmatch("there is no column 'a'.")["name"]
    'a'
    """
    parts = []
    seen: Mapping[str, int] = {}
    for literal, field, spec, _ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if field is None:
            continue
        parts.append(f"(?P={field})" if field in seen else f"(?P<{field}>.+?)")
        seen = {**seen, field: 1}
        if spec:
            one, more = map(re.escape, spec.split("/"))
            parts.append(f" (?:{one}|{more})")
    return re.compile("".join(parts), re.DOTALL)
