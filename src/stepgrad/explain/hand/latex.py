"""LaTeX as plain text: fractions, roots, indices and the commands that formulas of networks use."""

from __future__ import annotations

import re

_SIGNS = {
    "cdot": "·", "times": "·", "ast": "·", "sigma": "σ", "eta": "η", "alpha": "η", "delta": "δ", "ell": "ℓ",
    "partial": "∂", "prime": "'", "left": "", "right": "", "displaystyle": "", "big": "", "Big": "",
    "nabla": "∇",
}  # fmt: skip


def without_latex(text: str) -> str:
    r"""Return a name or an expression without commands and braces.

    >>> without_latex(r"\frac{1}{1 + e^{-z_{1}}}"), without_latex(r"\frac{\partial L}{\partial w^{(1)}_{12}}")
    ('((1)/(1 + e^(-z_1)))', ' ∂L/∂w^(1)_12 ')
    """
    text = text.replace("{,}", "").replace(r"\{", "(").replace(r"\}", ")")
    text = re.sub(r"\\[,;!: ]", " ", text)
    text = re.sub(r"\\(?:mathrm|mathbf|mathit|boldsymbol|text|operatorname|vec)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\(?:hat|widehat)\s*(?:\{\s*y\s*\}|y)", "ŷ", text)
    while (start := re.search(r"\\[dt]?frac\s*(?=\{)", text)) is not None:
        above, end = _braced(text, start.end())
        below, end = _braced(text, end)
        text = text[: start.start()] + _fraction(above, below) + text[end:]
    text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
    text = re.sub(r"\\([A-Za-z]+)\s*", lambda m: _SIGNS.get(m[1], m[1]), text)
    text = re.sub(r"\{\s*((?:\([^()]*\)|\[[^\[\]]*\]|[\d,]+)?'*)\s*\}", r"\1", text)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    return text.replace("{", "(").replace("}", ")")


def _fraction(above: str, below: str) -> str:
    a, b = above.strip(), below.strip()
    if a.startswith((r"\partial", "∂", "d")) and b.startswith((r"\partial", "∂", "d")):
        return f" {without_latex(a).replace(' ', '')}/{without_latex(b).replace(' ', '')} "
    return f"(({above})/({below}))"


def _braced(text: str, place: int) -> tuple[str, int]:
    """Return what stands in the braces that begin at `place`, or after spaces, and the place behind them; the
    next sign where there are none, as in ``\\frac12``.
    """
    while place < len(text) and text[place] == " ":
        place += 1
    depth = 0
    for end in range(place, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if not depth:
            return (text[place + 1 : end] if text[place] == "{" else text[place]), end + 1
    return text[place:], len(text)
