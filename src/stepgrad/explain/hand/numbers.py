"""Numbers as people write them: signs, powers of ten, percent, decimal commas, lists, words behind them."""

from __future__ import annotations

import re
from decimal import Decimal

_POWER_OF_TEN = r"(?:[eE]\s*|\s*[×·x*]\s*10\s*(?:\^|\*\*)?\s*)\(?\s*[-−+]?\s*\d+\s*\)?"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)"
_NUMBER = rf"[-−–+]?\s*{_DIGITS}(?:{_POWER_OF_TEN})?"
_WHOLE = re.compile(rf"[~∼≈]?\s*({_NUMBER})\s*(%?)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
# What may follow a number without being a part of the expression: the end, a full stop, a Korean ending, a
# remark, a word that is no function.
_WORDS_BEHIND = re.compile(
    r"\s*(?:$|[)\]]*[.,;:!?。…]*(?:\s|$)(?!\s*[-−+*/·×^(\d\w])|\.{2,}|…|[가-힣]|#|//|←|<-|[±✓✔✅<>≤≥|]"
    r"|\((?:(?=[^()]*(?:[^\W\d_]{2}|[가-힣]))[^()+*/·×^=]*|[^()]*[=≈][^()]*)\))"
)
_NEXT_WORD = re.compile(r"\s+([^\W\d_]{2,})(?![\w(^_])")
_FUNCTIONS = {
    "exp",
    "ln",
    "log",
    "tanh",
    "max",
    "min",
    "sqrt",
    "sin",
    "cos",
    "eta",
    "sigma",
    "sigmoid",
    "relu",
}


def with_powers(text: str) -> str:
    """Return a text with the superscripts behind digits and parentheses as powers.

    >>> with_powers("1.2×10⁻² + 3² + (a − b)²")
    '1.2×10^-2 + 3^2 + (a − b)^2'
    """
    return re.sub(r"(?<=[\d)])[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(_SUPERSCRIPTS), text)


def number_in(text: str) -> str:
    """Return a text that is a number, in the form that `float` reads, with all of its digits; else "".

    >>> number_in(" −0.3415 "), number_in("1.7×10^{-3}"), number_in("41.54 %"), number_in("z1")
    ('-0.3415', '1.7e-3', '0.4154', '')
    """
    text = with_powers(text.strip().strip("$").strip().rstrip(".,。").replace(r"\,", "").replace(r"\%", "%"))
    text = text.replace("{", "").replace("}", "").replace(r"\times", "×").replace(r"\cdot", "·")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    match = _WHOLE.fullmatch(text)
    return "" if match is None else _plain(match)


def number_before_words(text: str) -> str:
    """Return the number that a text begins with, where nothing but words comes after it; else "".

    >>> [number_before_words(text) for text in ("0.6478입니다.", "0.65 (rounded)", "0.5 nats")]
    ['0.6478', '0.65', '0.5']
    >>> [number_before_words(text) for text in ("0.5 w1", "0.5 − 1", "2(1 − 0.5)")]
    ['', '', '']
    """
    return number_and_words(text)[0]


def number_and_words(text: str) -> tuple[str, str]:
    """Return the number that a text begins with and the words behind it; ("", "") if it is not made so.

    >>> number_and_words("0.6478이고 z2"), number_and_words("0 since it is off, L"), number_and_words("0.5")
    (('0.6478', '이고 z2'), ('0', 'since it is off, L'), ('0.5', ''))
    """
    whole = number_in(text)
    match = _WHOLE.match(text := with_powers(text.strip()))
    if whole or match is None:
        return whole, ""
    rest = text[match.end() :]
    word = _NEXT_WORD.match(rest if not match[0][-1].isspace() else " " + rest)
    is_word = word is not None and word[1].lower() not in _FUNCTIONS
    return (_plain(match), rest.strip()) if is_word or _WORDS_BEHIND.match(rest) else ("", "")


def _plain(match: re.Match[str]) -> str:
    plain = re.sub(r"[\s()]|(?<=\d),(?=\d{3})", "", match[1]).replace("−", "-").replace("–", "-")
    plain = re.sub(r"[×·x*]10(?:\^|\*\*)?", "e", plain).replace("E", "e").removeprefix("+")
    if not match[2]:
        return plain
    return f"{Decimal(plain).scaleb(-2):f}"


def with_points(text: str) -> str:
    """Return a text whose numbers have decimal commas with decimal points: one without any point in a number,
    and with commas that neither part a list nor thousands.

    >>> with_points("z1 = 0,6478; z2 = −0,72"), with_points("z = [1,2]"), with_points("a = 0.5, b = 1,2")
    ('z1 = 0.6478; z2 = −0.72', 'z = [1,2]', 'a = 0.5, b = 1,2')
    """
    if re.search(r"\d\.\d", text) or not re.search(r"(?<![\d,_{\[(])(?:0,\d|\d+,\d{4})", text):
        return text
    return re.sub(r"(?<![\d,_{\[])(\d+),(?=\d)(?!\d+,\d)", r"\1.", text)


def array_in(text: str) -> dict[tuple[int, ...], str] | None:
    """Return the numbers of a list, or of a list of rows, by their places; None for anything else.

    Rows and columns of one number are taken for vectors.

    >>> array_in("[0.1, −0.2]"), array_in("(0.1; 0.2)ᵀ"), array_in("(0.5)")
    ({(0,): '0.1', (1,): '-0.2'}, {(0,): '0.1', (1,): '0.2'}, None)
    >>> array_in("[[1 2] [3 4]]")
    {(0, 0): '1', (0, 1): '2', (1, 0): '3', (1, 1): '4'}
    """
    text = re.sub(
        r"^(?:(?:np|numpy|torch|sg)\.)?(?:array|tensor)\s*\((.*?)(?:,\s*dtype=[\w.]+)?\)$",
        r"\1",
        text.strip(),
    )
    text = re.sub(r"\s*(?:\^\(?T\)?|ᵀ|')$", "", text.rstrip(" .,。"))
    if len(text) < 3 or text[0] + text[-1] not in ("[]", "()", "⟨⟩"):
        return None
    inside = text[1:-1].strip()
    rows = re.findall(r"[\[(]([^\[\]()]*)[\])]", inside) if inside[:1] in ("[", "(") else inside.split(";")
    if inside[:1] in ("[", "(") and re.sub(r"[\[(][^\[\]()]*[\])]", "", inside).strip(" ,;\n"):
        return None
    table = [[number_in(cell) for cell in re.split(r"\s*[,&]\s*|\s+", row.strip())] for row in rows]
    if not all(cell for row in table for cell in row) or len({len(row) for row in table}) != 1:
        return None
    if len(table) > 1 and len(table[0]) > 1:
        return {(i, j): cell for i, row in enumerate(table) for j, cell in enumerate(row)}
    flat = [cell for row in table for cell in row]
    if len(flat) == 1 and text[0] != "[":
        return None
    return {(i,): cell for i, cell in enumerate(flat)}
