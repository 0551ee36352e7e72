"""Output where the encoding lacks signs that stepgrad writes: – and − in a Korean code page, Greek letters in
a Western one, the dots of a curve in both.
"""

from __future__ import annotations

import codecs
import contextlib
import sys
import unicodedata
from collections.abc import Iterator

_ERRORS = "stepgrad.lookalikes"
_DASHES = dict.fromkeys("‐‑–—−─━", "-")
_LINES = dict.fromkeys("│┃┤├╎", "|") | dict.fromkeys("┌┐└┘┼┬┴╸╺", "+")
_ALIKE = _DASHES | _LINES | {"·": "*", "⊙": "*", "≤": "<=", "≥": ">=", "≠": "!=", "→": "->"}
_ALIKE |= {"′": "'", "∂": "d", "√": "sqrt", "∞": "inf", "∑": "sum"}
_BRAILLE = range(0x2800, 0x2900)  # the curves: signs of up to eight dots, one bit each


def lookalike(sign: str) -> str:
    """Return a sign in ASCII: one that looks like it or its parts, else a question mark.

    >>> "".join(map(lookalike, "−2 ≤ z⁽¹⁾ – η·∂L/∂ŷ")), lookalike("⣿"), lookalike("한")
    ('-2 <= z(1) - eta*dL/dy', '*', '?')
    """
    if ord(sign) in _BRAILLE:
        return " .*"[min((ord(sign) - _BRAILLE.start).bit_count(), 2)]
    if (name := unicodedata.name(sign, "")).startswith("GREEK ") and " LETTER " in name:
        return name.split(" LETTER ")[1].split()[0].lower()
    alike = _ALIKE.get(sign) or unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return alike or ("" if unicodedata.combining(sign) else "?")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(lookalike, error.object[error.start : error.end])), error.end


codecs.register_error(_ERRORS, _replace)


@contextlib.contextmanager
def lookalikes() -> Iterator[None]:
    """Within it, standard output and standard error write lookalikes of signs that their encoding lacks."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not (stream.encoding or "").lower().startswith("utf"):
            changed.append((stream, stream.errors))
            stream.reconfigure(errors=_ERRORS)
    try:
        yield
    finally:
        for stream, errors in changed:
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile, or its reader has left
                stream.reconfigure(errors=errors)


def lacks_signs(text: str) -> bool:
    """Whether standard output writes some sign of a text as another."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return True
    return False
