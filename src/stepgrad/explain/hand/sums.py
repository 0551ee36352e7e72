"""Sums with a sign, Σ_k e^(z_k), written out: e^(z_1) + e^(z_2) + …, for as many k as there are numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

_SIGN = re.compile(
    r"Σ\s*(?:_\(?([a-z])(?:\s*=\s*1|∈\w+)?\)?)?\s*(?:\^\(?(\d+|[A-Za-z])\)?)?(?:_\(?([a-z])(?:=1)?\)?)?[ ]*"
)
_SUBSCRIPT = re.compile(r"_(?:\(([\da-z,]+)\)|([\da-z]+))")
_NAMED = re.compile(r"[^\W\d_][^\W_]*\u0302?\w*?(?:\^\(\d+\))?_(?:\([\d,]+\)|\d+)(?:\^?')?")
_MOST = 64


def with_sums(text: str, is_known: Callable[[str], bool]) -> str:
    """Return an expression with its sums written out; those that cannot be are left as they are.

    `is_known` says whether a name stands for a number: a sum without an upper end has as many terms as there
    are such names.

    >>> with_sums("p_1 = e^(z_1)/Σ_k e^(z_k)", {"z_1", "z_2"}.__contains__)
    'p_1 = e^(z_1)/(e^(z_1)+e^(z_2))'
    >>> with_sums("Σ_(i=1)^2 w_i·x_i + b", {"w_1", "w_2", "x_1", "x_2"}.__contains__)
    '(w_1·x_1+w_2·x_2) + b'
    """
    while (sign := _SIGN.search(text)) is not None:
        end = _end_of_term(text, sign.end())
        body = text[sign.end() : end].strip()
        letter = sign[1] or sign[3] or _only_letter(body)
        terms = [] if not letter else _terms(body, letter, sign[2] or "", is_known)
        if not terms:
            return text
        text = f"{text[: sign.start()]}({'+'.join(terms)}){text[end:]}"
    return text


def _terms(body: str, letter: str, last: str, is_known: Callable[[str], bool]) -> list[str]:
    terms: list[str] = []
    for k in range(1, (int(last) if last.isdecimal() else _MOST) + 1):
        term = _SUBSCRIPT.sub(lambda m, k=k: _with_index(m, letter, k), body)  # type: ignore[misc]
        if term == body or not all(map(is_known, _NAMED.findall(term))):
            break
        terms.append(term)
    return [] if last.isdecimal() and len(terms) < int(last) else terms


def _with_index(match: re.Match[str], letter: str, k: int) -> str:
    inside = match[1] or match[2]
    if re.search(rf"[a-z]{{2}}|[^\d,{letter}]", inside) is not None:
        return match[0]
    made = inside.replace(letter, str(k))
    return f"_({made})" if match[1] and "," in made else f"_{made}"


def _only_letter(body: str) -> str:
    """Return the letter that stands as an index in what is summed, "" if there is none or more than one."""
    found = {c for m in _SUBSCRIPT.finditer(body) for c in (m[1] or m[2]) if c.isalpha()}
    return found.pop() if len(found) == 1 else ""


def _end_of_term(text: str, place: int) -> int:
    """Return where the term ends that begins at a place: at a sign of a sum, or at a closing bracket."""
    depth = 0
    for i in range(place, len(text)):
        sign = text[i]
        depth += (sign in "([{") - (sign in ")]}")
        before = text[place:i].rstrip()
        if depth < 0 or (not depth and sign in "+-−=,;" and before and before[-1] not in "·*/^×("):
            return place + len(before)
    return len(text)
