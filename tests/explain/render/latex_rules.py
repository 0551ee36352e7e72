r"""What TeX refuses, found in formulas: braces that do not close, and a second script on one base."""

import re

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[^\s]")
_PAIRS = {"}": "{", r"\right": r"\left", r"\end": r"\begin"}


def faults(formula):
    r"""What is wrong with a formula in LaTeX.

    >>> faults(r"W^{(1)}^{\top}"), faults("x_{1}_{2}"), faults("{x_{1}}_{2}^{2}"), faults("{x")
    (['double ^ at 7'], ['double _ at 5'], [], ['{ is not closed'])
    """
    found, opened, scripts, expected = [], [], [set()], False
    for match in _TOKEN.finditer(formula):
        token = match[0]
        if token in "^_" or token == "'":
            # A prime is a superscript.
            sign = "^" if token == "'" else token
            if sign in scripts[-1]:
                found.append(f"double {token} at {match.start()}")
            scripts[-1].add(sign)
            expected = token in "^_"
        elif token in _PAIRS.values():
            # What opens is a base of its own, or the script that was asked for.
            if not expected:
                scripts[-1] = set()
            opened.append(token)
            scripts.append(set())
            expected = False
        elif token in _PAIRS:
            if not opened or opened.pop() != _PAIRS[token]:
                found.append(f"{token} at {match.start()} closes nothing")
                return found
            scripts.pop()
        elif expected:
            expected = False
        else:
            scripts[-1] = set()
    return found + [f"{sign} is not closed" for sign in opened]


def formulas(markdown):
    """The formulas of a Markdown text."""
    return [a or b for a, b in re.findall(r"\$\$(.*?)\$\$|\$([^$\n]+)\$", markdown, re.DOTALL)]
