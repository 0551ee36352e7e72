"""What people call the quantities of a step: many spellings of one name.

A person writes ``z1``, ``z_1``, ``z^{(1)}_1``, ``net_h1``, ``z1[0]`` or ``forward/0/z[0,0]``; ``dL/dw11``,
``∂E_total/∂w⁽¹⁾₁₁``, ``dW1[0,0]`` or ``dL/d0.weight[0,0]``; ``w11'``, ``w11_new`` or ``새 w11``. Every
spelling is brought to one form, and so are those that each quantity may have. A derivative is read as ∂ of
one name by another, δ as that of the loss by z. Where several quantities share one name (``z2`` is the second
neuron of a layer, and the only one of the second layer), all of them are found.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.hand.latex import without_latex
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name

_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻", "0123456789()+-")
_DOWN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_WORDS = {
    spelled: name
    for name, spellings in {
        "ŷ": "yhat y^ ypred pred predicted prediction output 예측값 예측 출력 출력값",
        "L": "loss cost error ℒ mse bce ce nll crossentropy losstotal totalloss totalerror etotal "
        "costfunction lossfunction ltotal jtotal 손실 손실값 손실함수 오차 총오차 총손실 비용 평균제곱오차 "
        "교차엔트로피",
        "η": "eta lr learningrate alpha α 학습률",
        "t": "target label 실젯값 정답 목푯값 타깃 타겟 레이블",
        "x": "input 입력 입력값",
        "z": "logit 가중합 순입력 로짓",
        "b": "bias 편향",
        "w": "weight 가중치",
    }.items()
    for spelled in spellings.split()
}
_NUMBERED_WORDS = (
    r"(yhat|ypred|pred|target|input|bias|weight|예측값|실젯값|정답|입력|가중치|편향)(?=[\d(\[]|[oh]\d)"
)
_PARTICLES = re.compile(r"(?<=\S)(?:의\s*(?:값|출력))?(?:은|는|이|가)?$")
_ASIDE = re.compile(r"\s*\((?:[A-Za-z가-힣 ]{3,}|BCE|MSE|CE)\)\s*$")
# With all places first: w11 is w⁽¹⁾₁₁ rather than w⁽²⁾₁, of which the first 1 is left out; last with the
# neuron alone, whichever the row.
_WHICH = ("own", "full", "neuron")
_INDEX = re.compile(r"\[([\d,]+)\]$")
_LETTERS = {
    "a": ("a", "A", "h", "H", "out"), "z": ("z", "Z", "net", "in", "s", "u"), "logit": ("logit", "logits"),
    "w": ("w", "W", "θ"), "b": ("b", "B"),
    "x": ("x", "i", "in"), "y": ("t", "y"),
    "ŷ": ("ŷ", "y", "o", "out", "a", "A"), "p": ("p", "P", "ŷ", "y", "a", "o", "softmax(z)", "softmax"),
}  # fmt: skip
_VAGUE = re.compile(r"e|δ|delta|[Ee]rror|오차|가중합|[su]\d*|[mv](?:\u0302|hat|_hat)?_?\d*")
_OF_A_NEURON = ("z", "a", "ŷ", "p", "b")
_APPLIED = re.compile(r"(σ|sigmoid|tanh|relu|f|g|φ|act)\s*\^?('?)\s*\((.*\D.*)\)", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def canonical(name: str) -> str:
    """Return a name in the one form that all of its spellings share.

    >>> canonical("z⁽¹⁾₂") == canonical("$z^{(1)}_{2}$") == canonical("z^(1)_2")
    True
    >>> canonical(r"\\frac{\\partial L}{\\partial w_{11}}"), canonical("dE_total/dw11"), canonical("w_11 new")
    ('∂L/∂w11', '∂L/∂w11', "w11'")
    """
    text = without_latex(name.strip().strip("$`*").strip()).strip()
    text = re.sub(r"[₀-₉]+(?:,[₀-₉]+)*", lambda m: "_" + m[0].translate(_DOWN), text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻]+", lambda m: m[0].translate(_UP), text)
    gradient = re.match(
        r"^(?:grad(?:ient)?(?:\s+of)?[\s_]+|∇_?\s*|기울기\s+)(.+)$"
        r"|^(.+?)(?:(?:의|\s)\s*(?:기울기|그레이디언트|gradient|grad)|[._]grad)$",
        text,
    )
    if gradient:
        return "∂L/∂" + canonical(gradient[1] or gradient[2])
    fraction = re.match(r"^[d∂]\s*(.+?)\s*(?:/|_(?=[d∂]))\s*[d∂]\s*(.+)$", text)
    if fraction:
        upper, lower = (re.sub(r"^\((.*)\)$", r"\1", part.strip()) for part in fraction.groups())
        return f"∂{_simple(upper)}/∂{_simple(lower)}"
    return _simple(text)


def _simple(text: str) -> str:
    """Return the name of a value, without d/d, in the one form."""
    text = text.replace("′", "'").replace("’", "'").replace("{", "").replace("}", "").strip()
    if applied := _APPLIED.fullmatch(text):
        return f"{applied[1]}{applied[2]}({_simple(applied[3])})"
    text, is_new = _without_new(text)
    text = unicodedata.normalize("NFC", re.sub(r"\s+", "", text))
    text = re.sub("(?<=[mvMV])\u0302", "hat", text)
    text = re.sub(r"^delta(?=[_(\[\dho])", "δ", text)
    text = re.sub(r"^y_?(\d+)_?hat$", r"yhat\1", text)
    text = re.sub(r"(?<=[^\W\d_])_(?=[^\W\d_])", "", text)  # net_h1 is neth1, y_hat is yhat
    text = re.sub(r"^([ho]\d*)_?(in|net|out)$|^(net|out|in|z|a|δ)\(([ho]\d*)\)$", r"\2\1\3\4", text)
    text = re.sub(r"(?<=^δ)_?(?:(o)ut(?:put)?|(h)id(?:den)?)", r"\1\2", text)
    if (called := re.fullmatch(r"(\w+)\([^()\d]\D*.*\)", text)) and _is_loss(called[1]):
        text = "L"  # L(ŷ, y)
    text = "L" if _is_loss(text) else _WORDS.get(text.lower(), text)
    text = re.sub(r"\^\(?(\d+)\)?", r"(\1)", text)  # a layer above: z^(1), z^1
    text = re.sub(r"\^?\[(\d+)\](?=[_\d])|\^\[(\d+)\]", r"(\1\2)", text)
    text = re.sub(r"(?<=\d),(?=\d)(?![^\[]*\])", "", text)  # w_1,1 is w_11; within brackets the comma stays
    text = re.sub(r"(?<=[^\W\d_])_(?=[\d(\[])|(?<=\))_(?=\d)", "", text)  # w_11 is w11, w(1)_11 is w(1)11
    text = re.sub(_NUMBERED_WORDS, lambda m: _WORDS[m[1]], text)
    text = re.sub(r"^([^\W\d_]+)(\d+)\((\d+)\)$", r"\1(\3)\2", text)  # w_11^(1) is w(1)11
    return text + "'" * is_new


def _is_loss(text: str) -> bool:
    return text in ("L", "E", "J", "C") or _WORDS.get(text.lower()) == "L"


def _without_new(text: str) -> tuple[str, bool]:
    """Return the name without what says that it is the value after the update, and whether that was said."""
    text, words = re.subn(
        r"(?i)^(?:new|updated|새로운|새|갱신된)[\s_]*|[\s_(^]*(?:new|updated|새\s*값|갱신\s*후)\)?(?=$|\[)",
        "",
        text,
    )
    text, primes = re.subn(r"\^?'|\^\(?\+\)?|\^\*|⁺", "", text)
    return text, bool(words or primes)


class Spellings:
    """The quantities of a worked step by everything that they may be called."""

    def __init__(self, quantities: Quantities) -> None:
        self._quantities = quantities
        self.called: dict[str, str] = {}
        """What names that a person has written turned out to mean, by their one form."""
        self._by_name: dict[str, list[str]] = {}
        self._every = every = [*quantities.every, *quantities.shares]
        self._also = _other_names(quantities)
        self._rows: Counter[str] = Counter()
        for each in every:
            if match := _INDEX.search(each.id):
                path = each.id.partition("[")[0]
                self._rows[path] = max(self._rows[path], int(match[1].split(",")[0]) + 1)
        self._numbers = _numbered(
            name for each in every for name in (each.name, *self._also.get(each.name, [])) if name.base != "p"
        )
        self._last = max((layer for _, layer, _ in self._numbers), default=0)
        # A step may have tens of thousands of quantities, each with dozens of spellings: only the spellings
        # with the digits of a name that is looked up are brought to the one form.
        self._with_digits: dict[str, dict[int, None]] = {}
        for i, each in enumerate(every):
            for digits in {_digits(form) for which in _WHICH for form in self._spelled(each, which)}:
                self._with_digits.setdefault(digits, {})[i] = None

    def _known(self, name: str) -> list[str]:
        """Return the ids of the quantities that have a spelling with this one form."""
        digits = _digits(name)
        places = self._with_digits.pop(digits, {})
        for which in _WHICH:
            for each in (self._every[i] for i in places):
                for form in self._spelled(each, which):
                    if _digits(form) == digits:
                        known = self._by_name.setdefault(canonical(form), [])
                        if each.id not in known:
                            known.append(each.id)
        return self._by_name.get(name, [])

    def find(self, name: str) -> list[str]:
        """Return the ids of the quantities that `name` may mean, none if it means none.

        Words before the name, such as "the new weight", and Korean particles behind it are no part of it.
        """
        is_new = False
        for rest in endings(name):
            has_new = _without_new(rest)[1]
            is_new = is_new or has_new
            closed = rest[:-1] if rest.count(")") > rest.count("(") and rest.endswith(")") else rest
            for each in dict.fromkeys((closed, _PARTICLES.sub("", closed), _ASIDE.sub("", closed))):
                if found := self._named(canonical(each + "'" * (is_new and not has_new))):
                    return found
        return []

    def is_vague(self, name: str) -> bool:
        """Whether people call many things so: an error is a loss, and a difference."""
        return _VAGUE.fullmatch(endings(name)[-1]) is not None

    def _named(self, name: str) -> list[str]:
        """Return what a name in the one form may mean."""
        for each in _with_other_index(name):
            known = self._known(each)
            if found := self._partial(each) or known if "/∂" in each else known or self._partial(each):
                return found
        return []

    def _partial(self, name: str) -> list[str]:
        """Return what a name means that says how it is made of others: ∂a/∂b, δ, f(z), f'(z), dw."""
        upper, slash, lower = name.removeprefix("∂").partition("/∂")
        if slash:
            # Both have the index that stands at the end of a list: da1/dz1[0].
            tops = [upper, *(upper + m[0] for m in _INDEX.finditer(lower))]
            of = [id for each in tops for id in self._inside(each)]
            pairs = [(a, b) for a in of for b in self._inside(lower)]
            return self._unique(self._quantities.derivative(a, b) for a, b in pairs)
        if name.startswith("δ"):
            own = self._known("z" + name[1:]) or self._known("net" + name[1:])
            gradients = self._unique(self._quantities.derivative("loss", id) for id in own)
            return gradients + [self._quantities.negative(id) for id in gradients]
        if match := _APPLIED.fullmatch(name):
            inside = self._inside(match[3])
            made = [self._quantities.activation(id) for id in inside]
            if not match[2]:
                return self._unique(made)
            pairs = [(a, b) for a, b in zip(made, inside) if a is not None]
            return self._unique(self._quantities.derivative(a, b) for a, b in pairs)
        if re.match(r"d[^\W\d]", name) or re.match(r"g[wb][\d(\[]", name):
            own = self._known(name[1:])
            return self._unique(self._quantities.derivative("loss", id) for id in own)
        return []

    def _inside(self, name: str) -> list[str]:
        """Return what a name within another one means: what the person has written by that name, if any."""
        called = self.called.get(name)
        return self._named(name) if called is None or called.startswith("given/") else [called]

    def _unique(self, ids: Iterable[str | None]) -> list[str]:
        return list(dict.fromkeys(id for id in ids if id is not None))

    # ---------------------------------------------------------------------------------- the forms

    def _spelled(self, each: Line | Given, which: str) -> Iterator[str]:
        yield from (each.id, each.symbol, each.name.latex())
        yield from self._forms(each, which)

    def _forms(self, each: Line | Given, which: str) -> Iterator[str]:
        name = each.name
        if name.kind != "value":
            if name.kind == "gradient" and which == "own":
                yield f"∂L/∂{each.id.removeprefix('grad/')}"
            return
        index = _INDEX.search(each.id)
        full = tuple(map(int, index[1].split(","))) if index else ()
        if which == "neuron":  # whichever the row
            if len(full) < 2 or name.base in ("w", "b") or self._rows[each.id.partition("[")[0]] < 2:
                return
            places = name.index[1:]
        else:
            is_parameter = name.base in ("w", "b")
            places = full if which == "full" and is_parameter else name.index
        prime = "'" * name.prime
        is_state = name.prime and each.id.startswith("update/") and "_" in name.base
        yield each.id.removeprefix("given/").removeprefix("update/") + prime
        plain = replace(name, kind="value", of=None, prime=False)
        for other in (plain, *self._also.get(plain, ())):
            for form in self._with_letter(other, places):
                yield form + prime
                if is_state:  # m and v are written without a prime
                    yield form
            if each.id.startswith("update/") and "_" in other.base:  # m for m_w; which one is meant, shows
                short = replace(other, base=other.base.partition("_")[0])
                yield from self._with_letter(short, places)

    def _with_letter(self, name: Name, places: tuple[int, ...]) -> Iterator[str]:
        base, layer = name.base, name.layer
        if base in ("ℓ", "E"):  # the loss of one number of the output
            for place in self._places(0, places or (0,), "o"):
                yield from (f"{letter}{place}" for letter in ("ℓ", "L", "E", "J", "l", "loss", "error"))
            return
        letters = _LETTERS.get(base, (base,))
        role = self._role(base, layer)
        for letter in letters:
            for place in self._places(layer, places, role):
                yield f"{letter}{place}"
        if base in ("z", "a", "w", "b"):
            number = self._numbers.get((base, layer, name.index), 0)
            yield from (f"{letter}{number}" for letter in letters)
        if base == "b":  # one bias for the whole layer
            yield from (f"b{layer}", f"b({layer})", f"b{role}")
        if base == "ŷ":
            hidden = sum(letter == "a" for letter, _, _ in self._numbers)
            digits = "".join(str(i + 1) for i in places)
            yield from (f"a({self._last}){digits}", f"a{self._last}{digits}", f"h({self._last}){digits}")
            if not places:
                yield f"a{hidden + 1}"
                if not any(other.base == "p" for others in self._also.values() for other in others):
                    yield "p"

    def _role(self, base: str, layer: int) -> str:
        """Return how neurons of a layer are told apart where there is one hidden layer: net_h1, net_o1."""
        if base in ("ŷ", "p", "y") or (layer == self._last and layer):
            return "o"
        return "h" if layer == 1 and self._last == 2 and base in _OF_A_NEURON else ""

    def _places(self, layer: int, index: tuple[int, ...], role: str) -> Iterator[str]:
        """Yield what may stand behind a letter to say which number it is."""
        # The only neuron of a layer may be called its first.
        for places in (index,) if index else (index, (0,)):
            digits = "".join(str(i + 1) for i in places)
            brackets = f"[{','.join(map(str, places))}]" if places else ""
            yield from (digits, brackets)
            if role:
                yield from (f"{role}{digits}", f"{role}{brackets}")
            if layer:
                yield from (f"({layer}){digits}", f"({layer}){brackets}", f"{layer}{brackets}")
                yield from (f"{layer}_{digits}", f"{layer}{digits}") if digits else (f"{layer}",)


def _digits(text: str) -> str:
    """Return the digits in a spelling, in the order of their size: its one form may have moved them."""
    return "".join(sorted(filter(str.isdecimal, text.translate(_UP).translate(_DOWN))))


def endings(text: str) -> list[str]:
    """Return a text and what is left of it without words that stand in front.

    >>> endings("Step 2: the new w12"), endings("2 z1")
    (['Step 2: the new w12', '2: the new w12', 'the new w12', 'new w12', 'w12'], ['2 z1'])
    """
    text = text.strip()
    starts = [match.end() for match in re.finditer(r"[\s:(,>]+", text)]
    return [text, *(text[start:] for start in starts if text[start:] and _is_words(text[:start]))]


def _is_words(text: str) -> bool:
    """Whether what stands before a name is words: up to a colon or an opening parenthesis anything, else no
    letters or signs that could multiply it.
    """
    rest = re.split(r"[:(>](?=\s|$)|,$", text.rstrip())[-1] if re.search(r"[:(,>]", text) else text
    if text.rstrip().endswith("(") and not re.search(r"[가-힣\s]\s*\($", text):
        return False  # f(z) is no z
    return all(
        re.fullmatch(r"[^\W\d_]{2,}[.,]?|[가-힣]+[.,]?|\d{1,2}[.)]|\d[\d.]*[가-힣]+", word)
        for word in rest.split()
    )


def _with_other_index(name: str) -> Iterator[str]:
    """Yield a name, and what it may be called with a list's index: z[0] is z, w[0,1] is w[1]."""
    yield name
    prime = "'" if name.endswith("'") else ""
    plain = name.removesuffix("'")
    if match := _INDEX.search(plain):
        stem, index = plain[: match.start()], match[1].split(",")
        if len(index) == 2:
            yield from (f"{stem}[{i}]{prime}" for i in dict.fromkeys(reversed(index)))
        else:
            yield from (f"{stem}[0,{index[0]}]{prime}", f"{stem}[{index[0]},0]{prime}")
        if set(index) == {"0"}:
            yield stem + prime


def _other_names(quantities: Quantities) -> dict[Name, list[Name]]:
    """Return the other names of a value by its name: the weighted sum of the last layer is z in textbooks,
    and o; an output that is a weighted sum is also z; the probability inside a loss of logits is p, and ŷ.
    """
    lines = quantities.worked.lines
    last = max((line.layer for line in lines if line.kind == "forward"), default=0)
    also: dict[Name, list[Name]] = {}
    for line in lines:
        name, path = line.name, line.id.partition("[")[0]
        if name.kind != "value" or name.prime:
            continue
        if line.kind == "forward" and path.endswith("/z") and line.layer == last:
            base = Name("logit", 0, name.index)
            others = [Name("z", last, name.index)] if name.base == "ŷ" else [Name("o", 0, name.index)]
            also[name] = [*others, base]
        elif path in ("loss/sigmoid", "loss/softmax"):
            also[name] = [Name("p", 0, name.index)]
    return also


def _numbered(names: Iterable[Name]) -> dict[tuple[str, int, tuple[int, ...]], int]:
    """Return the number of each value, counted for each letter through all layers: w1 to w6, z1 to z3."""
    keys = {(name.base, name.layer, name.index) for name in names if name.kind == "value" and not name.prime}
    counts: dict[str, int] = {}
    numbers = {}
    for key in sorted(keys):
        numbers[key] = counts[key[0]] = counts.get(key[0], 0) + 1
    return numbers
