"""LaTeX as plain text: fractions, roots, indices, matrices and the commands that formulas of networks use."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    "cdot": "·", "times": "·", "ast": "·", "bullet": "·", "div": "/", "sigma": "σ", "eta": "η", "alpha": "η",
    "delta": "δ", "Delta": "Δ", "ell": "ℓ", "partial": "∂", "nabla": "∇", "prime": "'", "sum": "Σ",
    "approx": "≈", "simeq": "≈", "cong": "≈", "doteq": "≈", "sim": "≈", "equiv": "=", "coloneqq": ":=",
    "to": "→", "rightarrow": "→", "longrightarrow": "→", "Rightarrow": "⇒", "implies": "⇒",
    "leftarrow": "←", "gets": "←", "therefore": "∴", "pm": "±", "odot": "⊙", "circ": "⊙", "top": "T",
    "quad": ";", "qquad": ";", "dots": "…", "ldots": "…", "cdots": "…", "infty": "∞",
    **dict.fromkeys(
        ("left", "right", "displaystyle", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "item", "limits",
         "nonumber", "notag", "begin", "end", "hline", "mathstrut"), ""
    ),
}  # fmt: skip
_FONTS = (
    "mathrm|mathbf|mathit|mathcal|mathsf|boldsymbol|bm|text|textbf|textit|operatorname|vec|underline|boxed"
)
_MATRIX = re.compile(
    r"(?:\\left\s*[\[(]\s*)?\\begin\{((?:[a-z]|small)?matrix|array)\}(?:\{[^}]*\})?(.*?)\\end\{\1\}"
    r"(?:\s*\\right\s*[\])])?", re.DOTALL,
)  # fmt: skip
LINE_OF_MATRIX = "\x1f"


def with_lists(text: str) -> str:
    r"""Return a text with its matrices as lists of rows.

    >>> with_lists(r"h = \begin{bmatrix} 0.1 \\ 0.2 \end{bmatrix}^T")
    'h = [[0.1], [0.2]]^T'
    """

    def listed(match: re.Match[str]) -> str:
        rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2]) if row.strip()]
        cells = [f"[{', '.join(map(str.strip, row.split('&')))}]" for row in rows]
        return f"[{', '.join(cells)}]" + LINE_OF_MATRIX * match[0].count("\n")

    return _MATRIX.sub(listed, text)


def without_latex(text: str) -> str:
    r"""Return a name or an expression without commands and braces.

    >>> without_latex(r"\frac{1}{1 + e^{-z_{1}}}"), without_latex(r"\frac{\partial L}{\partial w^{(1)}_{12}}")
    ('((1)/(1 + e^(-z_1)))', ' ∂L/∂w^(1)_12 ')
    """
    if "\\" not in text and "{" not in text:
        return text
    text = text.replace("{,}", "").replace(r"\{", "(").replace(r"\}", ")").replace(r"\_", "_")
    text = re.sub(
        r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\\over\b([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}", r"\\frac{\1}{\2}", text
    )
    text = re.sub(r"\\[,;!: ]", " ", text).replace(r"\%", "%")
    text = re.sub(rf"\\(?:{_FONTS})\s*\{{([^{{}}]*)\}}", r"\1", text)
    text = re.sub(r"\\(?:hat|widehat)\s*(?:\{\s*(\w)\s*\}|(\w))", _with_hat, text)
    while (start := re.search(r"\\[cdt]?frac\s*(?=[{\d])", text)) is not None:
        above, end = _braced(text, start.end())
        below, end = _braced(text, end)
        text = text[: start.start()] + _fraction(above, below) + text[end:]
    text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
    text = re.sub(r"\\([A-Za-z]+)\s*", lambda m: _SIGNS.get(m[1], m[1]), text)
    text = re.sub(r"\{\s*((?:\([^()]*\)|\[[^\[\]]*\]|[\d,]+)?'*)\s*\}", r"\1", text)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    return re.sub(r"\^\{\s*([+*'])\s*\}", r"^\1", text).replace("{", "(").replace("}", ")")


def _with_hat(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", (match[1] or match[2]) + "\u0302")


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
