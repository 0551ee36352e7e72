"""What people call the quantities of a step: many spellings of one name.

A person writes ``z1``, ``z_1``, ``z^{(1)}_1``, ``z1[0]`` or ``forward/0/z[0,0]``; ``dL/dw11``,
``∂L/∂w⁽¹⁾₁₁`` or ``dL/d0.weight[0,0]``; ``w11'``, ``w11_new`` or ``새 w11``. Every spelling is brought to one
form, and so are those that each quantity may have; where several quantities share one (``z2`` is the second
neuron of a layer, and the only one of the second layer), all of them are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from stepgrad.explain.hand.latex import without_latex
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.worked import Worked

_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻", "0123456789()+-")
_DOWN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_WORDS = {
    spelled: name
    for name, spellings in {
        "ŷ": "yhat y_hat y^ ypred y_pred prediction 예측값 예측",
        "L": "loss Loss cost E J 손실 오차 비용",
        "η": "eta lr learningrate 학습률",
        "y": "target t 실젯값 정답",
    }.items()
    for spelled in spellings.split()
}
_MOST_WITH_ALL_FORMS = 3000
_INDEX = re.compile(r"\[[\d,]+\]$")
_LETTERS = {"a": ("a", "h"), "z": ("z", "net"), "w": ("w", "W"), "b": ("b", "B")}


@lru_cache(maxsize=1 << 14)
def canonical(name: str) -> str:
    """Return a name in the one form that all of its spellings share.

    >>> canonical("z⁽¹⁾₂") == canonical("$z^{(1)}_{2}$") == canonical("z^(1)_2")
    True
    >>> canonical(r"\\frac{\\partial L}{\\partial w_{11}}"), canonical("dE/dw11"), canonical("w_11 new")
    ('∂L/∂w11', '∂L/∂w11', "w11'")
    """
    text = without_latex(name.strip().strip("$`*").strip()).strip()
    text = re.sub(r"[₀-₉]+(?:,[₀-₉]+)*", lambda m: "_" + m[0].translate(_DOWN), text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻]+", lambda m: m[0].translate(_UP), text)
    gradient = re.match(
        r"^(?:grad(?:ient)?(?:\s+of)?[\s_]+|∇\s*)(.+)$|^(.+?)의\s*(?:기울기|그레이디언트)$", text
    )
    if gradient:
        return "∂L/∂" + canonical(gradient[1] or gradient[2])
    fraction = re.match(r"^[d∂]\s*\(?\s*(.+?)\s*\)?\s*/\s*[d∂]\s*\(?\s*(.+?)\s*\)?$", text)
    if fraction:
        return f"∂{_simple(fraction[1])}/∂{_simple(fraction[2])}"
    return _simple(text)


def _simple(text: str) -> str:
    """Return the name of a value, without d/d, in the one form."""
    text = text.replace("′", "'").replace("’", "'").replace("{", "").replace("}", "").strip()
    text, is_new = _without_new(text)
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"^delta(?=[_(\d])", "δ", text)
    text = _WORDS.get(text, text)
    text = text.replace("ŷ", "ŷ").replace("y_hat", "ŷ").replace("yhat", "ŷ")
    text = re.sub(r"\^\(?(\d+)\)?", r"(\1)", text)  # a layer above: z^(1), z^1
    text = re.sub(r"\^\[(\d+)\]", r"(\1)", text)
    text = re.sub(r"(?<=\d),(?=\d)(?![^\[]*\])", "", text)  # w_1,1 is w_11; within brackets the comma stays
    text = re.sub(r"(?<=[^\W\d_])_(?=[\d(])|(?<=\))_(?=\d)", "", text)  # w_11 is w11, w(1)_11 is w(1)11
    text = re.sub(r"^([^\W\d_]+)(\d+)\((\d+)\)$", r"\1(\3)\2", text)  # w_11^(1) is w(1)11
    return text + "'" * is_new


def _without_new(text: str) -> tuple[str, bool]:
    """Return the name without what says that it is the value after the update, and whether that was said."""
    text, words = re.subn(
        r"(?i)^(?:new|updated|새로운|새|갱신된)[\s_]*|[\s_(]*(?:new|updated|새\s*값|갱신\s*후)\)?$", "", text
    )
    text, primes = re.subn(r"\^?'|\^\+|\^\*", "", text)
    return text, bool(words or primes)


class Spellings:
    """The quantities of a worked step by everything that they may be called."""

    def __init__(self, worked: Worked) -> None:
        self._by_name: dict[str, list[str]] = {}
        every: list[Line | Given] = [*worked.given, *worked.lines]
        self._also = _other_names(worked)
        self._numbers = _numbered(
            name for each in every for name in (each.name, *self._also.get(each.name, [])) if name.base != "p"
        )
        # With all places first: w11 is w⁽¹⁾₁₁ rather than w⁽²⁾₁, of which the first 1 is left out.
        for is_full in (False, True):
            for each in every:
                # Nobody works thousands of lines out by hand; in so many, the usual names are enough.
                forms = self._forms(each, is_full) if len(every) <= _MOST_WITH_ALL_FORMS else ()
                for spelled in (each.id, each.symbol, each.name.latex(), *forms):
                    known = self._by_name.setdefault(canonical(spelled), [])
                    if each.id not in known:
                        known.append(each.id)

    def find(self, name: str) -> list[str]:
        """Return the ids of the quantities that `name` may mean, none if it means none."""
        found = self._by_name.get(canonical(name), [])
        # "the new weight w1": what stands before the last word says in words what it is, and when.
        plain, is_new = _without_new(name.strip())
        rest = plain.partition(" ")[2].strip()
        return self.find(rest + "'" * is_new) if not found and rest else found

    def _forms(self, each: Line | Given, is_full: bool) -> Iterator[str]:
        index = re.search(r"\[[\d,]+\]$", each.id)
        name = each.name
        full = tuple(int(place) for place in index[0][1:-1].split(",")) if index and is_full else name.index
        if name.kind == "local" and name.of is not None:
            for upper in self._values(name.of, ()):
                for lower in self._values(name, ()):
                    yield f"∂{upper}/∂{lower}"
                    # Both have the index that stands at the end: da1/dz1[0].
                    yield f"∂{_INDEX.sub('', upper)}/∂{lower}"
        elif name.kind == "gradient":
            forms = list(self._values(name, full))
            for form in (each.id.removeprefix("grad/"), *forms):
                yield f"∂L/∂{form}"
            yield from (f"δ{form[1:]}" for form in forms if form.startswith("z"))
        else:
            prime = "'" * name.prime
            yield each.id.removeprefix("given/").removeprefix("update/") + prime
            for form in self._values(name, full):
                yield form + prime

    def _values(self, name: Name, full: tuple[int, ...]) -> Iterator[str]:
        """Yield what the value itself may be called, apart from ∂ and primes."""
        plain = replace(name, kind="value", of=None, prime=False)
        for each in (plain, *self._also.get(plain, ())):
            yield from self._with_letter(each, full)

    def _with_letter(self, name: Name, full: tuple[int, ...]) -> Iterator[str]:
        base, layer = name.base, name.layer
        yield Name(base, layer, name.index).text()
        number = self._numbers.get((base, layer, name.index), 0)
        for letter in _LETTERS.get(base, (base,)):
            for index in dict.fromkeys((name.index, full) if base in ("w", "b") else (name.index,)):
                digits = "".join(str(i + 1) for i in index)
                brackets = f"[{','.join(map(str, index))}]" if index else ""
                if layer:
                    yield from (f"{letter}({layer}){digits}", f"{letter}{layer}{brackets}")
                    yield f"{letter}{layer}_{digits}" if digits else f"{letter}{layer}"
                yield from (f"{letter}{digits}", f"{letter}{brackets}")
            if layer and not name.index:  # the only neuron of a layer may be called its first
                yield from (f"{letter}({layer})1", f"{letter}{layer}_1")
            if base in ("z", "a", "w", "b"):
                yield f"{letter}{number}"
        if base == "ŷ":
            hidden = sum(letter == "a" for letter, _, _ in self._numbers)
            last = max((layer for _, layer, _ in self._numbers), default=0)
            yield from ("o", "o1", "out", f"a({last})", f"a{last}", f"a{hidden + 1}")
            if not any(other.base == "p" for others in self._also.values() for other in others):
                yield "p"


def _other_names(worked: Worked) -> dict[Name, list[Name]]:
    """Return the other names of a value by its name: the weighted sum of the last layer is z in textbooks,
    and o; an output that is a weighted sum is also z; the probability inside a loss of logits is p, and ŷ.
    """
    last = max((line.layer for line in worked.lines), default=0)
    also: dict[Name, list[Name]] = {}
    for line in worked.lines:
        name, path = line.name, line.id.partition("[")[0]
        if name.kind != "value" or name.prime:
            continue
        if line.kind == "forward" and path.endswith("/z") and line.layer == last:
            base = Name("logit", 0, name.index)
            others = [Name("z", last, name.index)] if name.base == "ŷ" else [Name("o", 0, name.index)]
            also[name] = [*others, base]
        elif path in ("loss/sigmoid", "loss/softmax"):
            also[name] = [Name(base, 0, name.index) for base in ("p", "ŷ", "a")]
    return also


def _numbered(names: Iterable[Name]) -> dict[tuple[str, int, tuple[int, ...]], int]:
    """Return the number of each value, counted for each letter through all layers: w1 to w6, z1 to z3."""
    keys = {(name.base, name.layer, name.index) for name in names if name.kind == "value" and not name.prime}
    counts: dict[str, int] = {}
    numbers = {}
    for key in sorted(keys):
        numbers[key] = counts[key[0]] = counts.get(key[0], 0) + 1
    return numbers
