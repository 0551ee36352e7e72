"""Names of quantities: z⁽¹⁾₂ in a line, ``z^{(1)}_{2}`` in LaTeX.

In names, neurons, samples and layers count from 1, as in a textbook; in ids from 0, as in Python.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOWN = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_GREEK = {
    "η": r"\eta",
    "μ": r"\mu",
    "ℓ": r"\ell",
    "ŷ": r"\hat{y}",
    "Ŷ": r"\hat{Y}",
    "γ": r"\gamma",
    "β": r"\beta",
    **{f"{letter}̂": rf"\hat{{{letter}}}" for letter in "mvMV"},
}


@dataclass(frozen=True)
class Name:
    """The name of one number.

    `base` is the letter, `layer` the number of the layer (0: none), `index` the places in the tensor from 0,
    `prime` whether it is the value after the update. `kind` "gradient": ∂L/∂ of that; "local": ∂ of the
    quantity named `of`, by that.
    """

    base: str
    layer: int = 0
    index: tuple[int, ...] = ()
    prime: bool = False
    kind: str = "value"
    of: Name | None = None

    def at(self, index: tuple[int, ...]) -> Name:
        """Return the name of the number at `index`."""
        return replace(self, index=index)

    def gradient(self) -> Name:
        """Return the name of the derivative of the loss with respect to this."""
        return replace(self, kind="gradient")

    def by(self, other: Name) -> Name:
        """Return the name of the derivative of this with respect to `other`."""
        return replace(other, kind="local", of=self)

    def text(self) -> str:
        """Return the name as text.

        >>> Name("w", 1, (0, 1)).text(), Name("z", 2, (11,)).gradient().text()
        ('w⁽¹⁾₁₂', '∂L/∂z⁽²⁾₁₂')
        """
        if self.kind != "value":
            upper = "L" if self.of is None else self.of.text()
            return f"∂{upper}/∂{replace(self, kind='value', of=None).text()}"
        layer = f"⁽{str(self.layer).translate(_UP)}⁾" if self.layer else ""
        places = [str(i + 1) for i in self.index]
        # Places of two digits would run together.
        joined = ("," if any(len(place) > 1 for place in places) and len(places) > 1 else "").join(
            place.translate(_DOWN) for place in places
        )
        return self.base + layer + joined + "′" * self.prime

    def latex(self) -> str:
        r"""Return the name in LaTeX.

        >>> print(Name("w", 1, (0, 1)).gradient().latex())
        \frac{\partial L}{\partial w^{(1)}_{12}}
        """
        if self.kind != "value":
            upper = "L" if self.of is None else self.of.latex()
            lower = replace(self, kind="value", of=None).latex()
            return rf"\frac{{\partial {upper}}}{{\partial {lower}}}"
        letter, _, of = self.base.partition("_")
        base = _GREEK.get(letter, letter if len(letter) == 1 else _upright(letter))
        upper = (f"({self.layer})" if self.layer else "") + r"\prime" * self.prime
        places = [str(i + 1) for i in self.index]
        joined = ("," if any(len(place) > 1 for place in places) else "").join(places)
        lower = ",".join(filter(None, (_upright(of) if of and not of.isdecimal() else of, joined)))
        return base + (f"^{{{upper}}}" if upper else "") + (f"_{{{lower}}}" if lower else "")


def _upright(word: str) -> str:
    escaped = word.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"
