"""Numbers and scores as a person reads them."""

from __future__ import annotations

import math
import re

from stepgrad.words.language import Words

LOWER_IS_BETTER = {"loss", "rmse", "mae"}


def number(value: float, digits: int = 4) -> str:
    """Return `value` with `digits` significant digits, and commas between thousands; whole parts are never
    cut.

    >>> number(545.1834), number(1234567.8), number(0.021346), number(-3.0), number(2.5e-9)
    ('545.2', '1,234,568', '0.02135', '−3', '2.5e-09')
    """
    if not math.isfinite(value):
        return "∞" if value == math.inf else "−∞" if value == -math.inf else "NaN"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -5 or size > 15:
        return f"{value:.{digits - 1}g}".replace("-", "−", 1 if value < 0 else 0)
    shown = f"{value:,.{max(digits - 1 - size, 0)}f}".replace("-", "−")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal; 100% and 0% are said only where they are exact.

    >>> percent(0.97777), percent(1.0), percent(0.99999), percent(0.0001)
    ('97.8%', '100%', '>99.9%', '<0.1%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    shown = f"{share:.1%}"
    return {"100.0%": ">99.9%", "0.0%": "<0.1%"}.get(shown, shown)


def duration(seconds: float, words: Words) -> str:
    """Return a time span: seconds, minutes and seconds, or hours and minutes.

    >>> duration(3.21, Words()), duration(125, Words()), duration(7260, Words("ko"))
    ('3.2 s', '2 min 5 s', '2시간 1분')
    """
    if seconds < 60:
        return words("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return words("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return words("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def score_name(name: str, words: Words) -> str:
    """Return what the score `name` is called.

    >>> score_name("roc_auc", Words()), score_name("accuracy", Words("ko"))
    ('area under the ROC curve', '정확도')
    """
    names = {
        "accuracy": "accuracy",
        "f1": "F1, mean over the classes",
        "roc_auc": "area under the ROC curve",
        "rmse": "root mean squared error",
        "mae": "mean absolute error",
        "r2": "R²",
        "loss": "loss",
    }
    return words(names[name]) if name in names else name


def score_text(name: str, value: float | None) -> str:
    """Return the value of a score: accuracies as percentages, None (not defined) as a dash.

    >>> score_text("accuracy", 0.9778), score_text("rmse", 545.18), score_text("r2", None)
    ('97.8%', '545.2', '–')
    """
    if value is None:
        return "–"
    return percent(value) if name == "accuracy" else number(value)


def capitalised(text: str) -> str:
    """Return `text` beginning with a capital letter, as a title does.

    >>> capitalised("loss"), capitalised("R²"), capitalised("손실")
    ('Loss', 'R²', '손실')
    """
    return text[:1].upper() + text[1:]


def layer_text(text: str) -> str:
    """Return the text of a layer in short: without the names of its arguments and those that are always the
    same.

    >>> layer_text("Linear(in_features=4, out_features=64, bias=True)"), layer_text("SiLU()")
    ('Linear(4, 64)', 'SiLU()')
    """
    return re.sub(r"\b[a-z_]+=", "", re.sub(r"(, )?(bias=True|inplace=False)", "", text))
