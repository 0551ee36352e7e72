"""Korean particles, chosen by how the last sign of the word before them is read aloud.

은/는, 이/가, 을/를, 과/와 and 으로/로 depend on whether that word ends in a consonant when a Korean reader
speaks it. For Hangul the letters say so. Digits are read as Sino-Korean numbers (10 is 십, 0.10 ends in 영),
capitals by the names of the letters (MSE ends in 이), other Latin words about as loanwords are pronounced
(table is 테이블), signs by their names.
"""

from __future__ import annotations

import re

PAIRS = {"은/는", "이/가", "을/를", "과/와", "으로/로", "이라/라", "이나/나"}
"""The particles that are known, each as after a consonant / after a vowel."""

_FIRST_SYLLABLE, _LAST_SYLLABLE, _ENDINGS = 0xAC00, 0xD7A3, 28
_ENDING_L = 8  # ㄹ, after which it is 로 and not 으로

_VOWEL, _CONSONANT, _L = range(3)

_CLOSING = "\"'’”)]}>»」』】…,.;:!? \t"
_DIGITS = {"0": _CONSONANT, "1": _L, "3": _CONSONANT, "6": _CONSONANT, "7": _L, "8": _L}  # 영 일 삼 육 칠 팔
_LETTERS = {"L": _L, "M": _CONSONANT, "N": _CONSONANT, "R": _L}  # 엘 엠 엔 알
_SIGNS = {"²": _CONSONANT, "³": _CONSONANT, "=": _CONSONANT, "ε": _CONSONANT, "υ": _CONSONANT,
          "′": _CONSONANT, "ŷ": _CONSONANT}  # fmt: skip
_INDEX = re.compile("[₀-₉]+$|⁽[⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾$")  # of a neuron or a layer: z⁽¹⁾₂
_INDEX_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹", "01234567890123456789", "⁽⁾")

# Endings of Latin words; others end in a vowel, most often the one that Korean adds: price 프라이스.
_WORD_ENDS = (
    (re.compile(r"(l|le)$"), _L),  # label 레이블, table 테이블
    (re.compile(r"(m|n|me|ne|ng)$"), _CONSONANT),  # column 칼럼, line 라인, training 트레이닝
    (
        re.compile(r"(^|[^aeiou])[aeiou](p|k|ck|c|b)$"),
        _CONSONANT,
    ),  # step 스텝, block 블록, metric 메트릭, web 웹
)


def with_particle(word: str, pair: str) -> str:
    """Return `word` with the particle of `pair` ("을/를", …) that fits it.

    >>> with_particle("가격", "을/를"), with_particle("나이", "은/는"), with_particle("서울", "으로/로")
    ('가격을', '나이는', '서울로')
    >>> with_particle("10", "이/가"), with_particle("0.5", "과/와"), with_particle("'price'", "을/를")
    ('10이', '0.5와', "'price'를")
    >>> with_particle("z⁽¹⁾₂", "은/는"), with_particle("z⁽³⁾", "은/는"), with_particle("w⁽¹⁾₁₂′", "을/를")
    ('z⁽¹⁾₂는', 'z⁽³⁾은', 'w⁽¹⁾₁₂′을')
    """
    after_consonant, after_vowel = pair.split("/")
    end = _spoken_end(word)
    takes_vowel_form = end == _VOWEL or (end == _L and after_consonant == "으로")
    return word + (after_vowel if takes_vowel_form else after_consonant)


def _spoken_end(word: str) -> int:
    """Return how `word` ends when read aloud: with a vowel, with ㄹ, or with another consonant."""
    spoken = word.rstrip(_CLOSING)
    if not spoken:
        return _VOWEL
    if index := _INDEX.search(spoken):
        return _number_end(index[0].translate(_INDEX_DIGITS))
    last = spoken[-1]
    if _FIRST_SYLLABLE <= ord(last) <= _LAST_SYLLABLE:
        ending = (ord(last) - _FIRST_SYLLABLE) % _ENDINGS
        return _VOWEL if ending == 0 else _L if ending == _ENDING_L else _CONSONANT
    if last.isdecimal() and last.isascii():
        return _number_end(spoken)
    if last.isascii() and last.isalpha():
        return _latin_end(spoken)
    return _SIGNS.get(last, _VOWEL)


def _number_end(text: str) -> int:
    """Return how the number at the end of `text` ends: decimals are read digit by digit, whole numbers by
    place.
    """
    number = re.search(r"[\d,]*(\.\d+)?$", text)
    digits = number[0].replace(",", "") if number else text
    if "." in digits or digits == "0" or not digits.endswith("0"):
        return _DIGITS.get(digits[-1], _VOWEL)
    zeros = len(digits) - len(digits.rstrip("0"))
    # 십, 백, 천, 만, 억, 경 end in a consonant; 조 (1 to 1,000 of them) in a vowel.
    return _VOWEL if 12 <= zeros <= 15 else _CONSONANT


def _latin_end(text: str) -> int:
    """Return how the Latin word at the end of `text` ends: by the letter's name for capitals, else as a
    loanword.
    """
    letters = re.search(r"[A-Za-z]+$", text)
    word = letters[0] if letters else text
    if word.isupper() or len(word) == 1:
        return _LETTERS.get(word[-1].upper(), _VOWEL)
    lowered = word.lower()
    for pattern, end in _WORD_ENDS:
        if pattern.search(lowered):
            return end
    return _VOWEL
