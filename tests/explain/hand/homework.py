"""Hand calculations as people write them, right ones and ones with a planted slip.

The writer goes through the lines of a worked step, computes each from the numbers that it has written before,
rounded to a few digits, and goes on from there. A slip changes the text of one formula, or the number that
is written down; everything after it follows from the wrong number.
"""

import csv
import io
import json
import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.explain import evaluate
from stepgrad.explain.example import example_step


def seeded(number, *layers):
    sg.manual_seed(number)
    return nn.Sequential(*(make() for make in layers)).double()


def sigmoid_step():
    """2-2-1 of sigmoids, none of whose numbers coincide."""
    net = seeded(3, lambda: nn.Linear(2, 2), nn.Sigmoid, lambda: nn.Linear(2, 1), nn.Sigmoid)
    return sg.explain(
        net, nn.BCELoss(), optim.SGD(net.parameters(), lr=0.5), [0.6, -1.2], [1.0], layout="scalar"
    )


def tanh_step():
    """Three samples, squared error: the mean and its factor 2 matter."""
    net = seeded(4, lambda: nn.Linear(2, 2), nn.Tanh, lambda: nn.Linear(2, 1))
    x, y = [[0.5, 1.5], [-1.0, 0.4], [0.3, -0.8]], [[0.7], [-0.2], [0.4]]
    return sg.explain(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1), x, y, layout="scalar")


def softmax_step():
    """Three classes."""
    net = seeded(5, lambda: nn.Linear(2, 3), nn.Sigmoid, lambda: nn.Linear(3, 3))
    sgd, target = optim.SGD(net.parameters(), lr=0.5), sg.tensor([2])
    return sg.explain(net, nn.CrossEntropyLoss(), sgd, [[0.9, -0.7]], target, layout="scalar")


STEPS = {"golden": example_step, "sigmoid": sigmoid_step, "tanh": tanh_step, "softmax": softmax_step}


def random_step(kind, optimizer, seed):
    """A step with data of two decimals: a network of sigmoids, of tanh, or one for two classes."""
    sg.manual_seed(seed)
    if kind == "sigmoid":
        layers = nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid()
        loss, x, y = nn.BCELoss(), sg.randn(2), sg.tensor([seed % 2]).double()
    elif kind == "tanh":
        layers = nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)
        loss, x, y = nn.MSELoss(), sg.randn(2, 2), hundredths(sg.randn(2, 1))
    else:
        layers = nn.Linear(3, 2), nn.Sigmoid(), nn.Linear(2, 2)
        loss, x, y = nn.CrossEntropyLoss(), sg.randn(1, 3), sg.tensor([seed % 2])
    net = nn.Sequential(*layers).double()
    lr = 0.5 if optimizer == "SGD" else 0.01
    made = getattr(optim, optimizer)(net.parameters(), lr=lr)
    return sg.explain(net, loss, made, hundredths(x), y, layout="scalar")


def hundredths(x):
    return (x.double() * 100).round() / 100


class Written(NamedTuple):
    """A calculation: rows of (line, formula, what its names stand for, value); `slip` is the id of the line
    that is wrong.
    """

    rows: list
    slip: str | None


ROUNDINGS = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "cut_off": ROUND_DOWN}


def rounded(value, decimals, significant=False, rounding=ROUND_HALF_UP):
    """Half up, as on paper: to decimals, or to significant digits."""
    number = Decimal(repr(float(value)))
    if significant and number:
        decimals = decimals - 1 - number.adjusted()
    shown = number.quantize(Decimal(1).scaleb(-decimals), rounding)
    return f"{shown:f}"


def write(worked, decimals=4, slip=None, seed=0, significant=False, rounding=ROUND_HALF_UP, carried=False):
    """Write a step out by hand; with a slip, a function of (worked, line, own) → another value, or None.

    `carried`: the calculator goes on with all digits, and only what is written down is rounded.
    """
    own = {each.id: str(each.text).replace("−", "-") for each in worked.given}
    exact = {each.id: repr(each.value) for each in [*worked.given, *worked.lines]}
    places = [] if slip is None else [line.id for line in worked if slip(worked, line, exact) is not None]
    wanted = places[seed % len(places)] if places else None
    rows, planted = [], None
    for line in worked:
        values = {name: own[id] for name, id in line.names.items()}
        value = line.value if carried else float(evaluate(line.formula, values))
        formula = line.formula
        if line.id == wanted:
            right, (value, formula) = value, slip(worked, line, own) or (value, formula)
            if callable(value):  # a slip of the pen
                value = float(value(rounded(right, decimals, significant)))
            text = rounded(value, decimals, significant)
            if min(abs(float(text) - x) for x in (right, line.value)) < 4 * 10.0 ** -len(
                text.partition(".")[2]
            ):
                value, formula = right, line.formula  # too small a slip to be seen
            else:
                planted = line.id
        text = rounded(value, decimals, significant, rounding)
        own[line.id] = text
        rows.append((line, formula, values, text))
    return Written(rows, planted)


# ------------------------------------------------------------------------------------------ slips


def computed(line, own, formula, values=None):
    return float(evaluate(formula, values or {name: own[id] for name, id in line.names.items()})), formula


def edit(pattern, replacement, kinds):
    """A slip that edits the formula of lines of some kinds."""

    def slip(worked, line, own):
        if line.kind not in kinds:
            return None
        formula, count = re.subn(pattern, replacement, line.formula, count=1)
        return computed(line, own, formula) if count else None

    return slip


def derivative(worked, line, own):
    local = [name for name, id in line.names.items() if id.startswith("local/")]
    if line.kind != "chain" or not local or "·" + local[0] not in line.formula:
        return None
    return computed(line, own, line.formula.replace("·" + local[0], "", 1))


def upstream(worked, line, own):
    names = [name for name, id in line.names.items() if id.startswith("grad/")]
    if line.kind != "chain" or len(names) != 1 or names[0] + "·" not in line.formula:
        return None
    return computed(line, own, line.formula.replace(names[0] + "·", "", 1))


def activation(worked, line, own):
    if line.kind != "forward" or len(line.references) != 1 or not re.search(r"/z\d*\[", line.references[0]):
        return None
    return float(own[line.references[0]]), next(iter(line.names))


def of_the_sum(worked, line, own):
    names = [(name, id) for name, id in line.names.items() if id.startswith("forward/") and "/a" in id]
    if line.kind != "local" or not names or "L" in line.symbol.split("/")[0]:
        return None
    (name, id), values = names[0], {n: own[i] for n, i in line.names.items()}
    before = worked[id].references[0]
    return computed(line, own, line.formula, {**values, name: own[before]})


def transposed(worked, line, own):
    if line.kind != "forward":
        return None
    values, changed = {}, False
    for name, id in line.names.items():
        match = re.search(r"weight\[(\d),(\d)\]$", id)
        other = f"{id[: -len(match[0])]}weight[{match[2]},{match[1]}]" if match else id
        changed |= other != id and other in own
        values[name] = own.get(other, own[id])
    return computed(line, own, line.formula, values) if changed else None


def index(worked, line, own):
    if line.kind not in ("forward", "chain"):
        return None
    for name, id in reversed(line.names.items()):
        path = id.partition("[")[0]
        others = [x for x in own if x != id and x.partition("[")[0] == path and x != path]
        if others and id != path and not id.startswith("grad/"):
            values = {n: own[i] for n, i in line.names.items()}
            return computed(line, own, line.formula, {**values, name: own[others[0]]})
    return None


def updated_weight(worked, line, own):
    """The new weights are used where the old ones belong, in the gradient that goes on backwards."""
    if line.kind != "chain":
        return None
    for name, id in line.names.items():
        new = "update/" + id.removeprefix("given/")
        if id.startswith("given/") and "weight" in id and new in worked:
            values = {n: own[i] for n, i in line.names.items()}
            return computed(line, own, line.formula, {**values, name: repr(worked[new].value)})
    return None


def not_averaged(worked, line, own):
    rows = len({id for id in own if id.startswith("given/y")})
    if (line.id != "loss" and line.kind != "local") or rows < 2 or not line.symbol.startswith(("L", "∂L")):
        return None
    return rows * computed(line, own, line.formula)[0], line.formula


def doubled(worked, line, own):
    if line.kind not in ("local", "loss"):
        return None
    return 2 * computed(line, own, line.formula)[0], line.formula


def base_ten(worked, line, own):
    if "ln(" not in line.formula:
        return None
    return computed(line, own, line.formula)[0] / 2.302585092994046, line.formula


def swapped(worked, line, own):
    return swap, line.formula


def swap(text):
    """The last two digits that differ, the other way round."""
    for i in range(len(text) - 1, 2, -1):
        a, b = text[i - 1], text[i]
        if a.isdigit() and b.isdigit() and a != b:
            return text[: i - 1] + b + a + text[i + 1 :]
    return text


def point(worked, line, own):
    value, formula = computed(line, own, line.formula)
    return (value * 10, formula) if abs(value) > 1e-3 else None


def early(worked, line, own):
    names = [(n, i) for n, i in line.names.items() if i.startswith(("forward/", "grad/"))]
    if not names or line.kind == "update":
        return None
    name, id = names[0]
    values = {n: own[i] for n, i in line.names.items()}
    return computed(line, own, line.formula, {**values, name: rounded(float(own[id]), 1)})


def opposite(worked, line, own):
    if line.kind != "chain" or "·" not in line.formula:
        return None
    return -computed(line, own, line.formula)[0], f"−({line.formula})"


SLIPS = {
    "sign": edit(r" \+ (?=[w(])", " − ", ("forward",)),
    "sign_of_a_product": opposite,
    "exp_sign": edit(r"e\^\(−(.*?)\)\)", r"e^(\1))", ("forward",)),
    "uphill": edit(" − η", " + η", ("update",)),
    "rate_forgotten": edit("η·", "", ("update",)),
    "derivative_forgotten": derivative,
    "factor_forgotten": upstream,
    "bias_forgotten": edit(r" \+ b[^ ]*$", "", ("forward",)),
    "term_forgotten": edit(r"^w[^ ]*·[^ ]* \+ ", "", ("forward",)),
    "activation_forgotten": activation,
    "of_the_sum": of_the_sum,
    "transposed": transposed,
    "index": index,
    "older_value": updated_weight,
    "mean_forgotten": not_averaged,
    "factor_two": doubled,
    "logarithm": base_ten,
    "digits_swapped": swapped,
    "decimal_point": point,
    "rounded_early": early,
}  # fmt: skip


# ---------------------------------------------------------------------------------------- formats


def put_in(formula, values):
    """The formula with its numbers, as a person puts them in."""
    if not values:
        return formula
    shown = {name: f"({number})" if number.startswith("-") else number for name, number in values.items()}
    pattern = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    return re.sub(pattern, lambda m: shown[m[0]], formula)


def ascii_name(symbol):
    """``∂L/∂w⁽¹⁾₁₂`` as typed on a keyboard: dL/dw1_12."""
    down = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹", "01234567890123456789")
    text = symbol.replace("∂", "d").replace("ŷ", "y_hat").replace("′", "'")
    text = re.sub("⁽(.)⁾(?=[₀-₉])", lambda m: m[1].translate(down) + "_", text)
    return re.sub("⁽(.)⁾", lambda m: m[1].translate(down), text).translate(down).replace(",", "")


def as_text(written, lang="en"):
    heading = {"en": "Forward pass\n", "ko": "순전파와 역전파\n"}[lang]
    lines = [
        f"{ascii_name(line.symbol)} = {put_in(formula, values)} = {text}"
        for line, formula, values, text in written.rows
    ]
    return "\n".join([heading, *lines]), "work.txt"


def as_markdown(written, lang="en"):
    head = {"en": "| quantity | formula | value |", "ko": "| 기호 | 식 | 값 |"}[lang]
    rows = [f"| {line.symbol} | {formula} | {text} |" for line, formula, values, text in written.rows]
    return "\n".join([f"# {'Work' if lang == 'en' else '풀이'}", "", head, "|---|---|---|", *rows]), "work.md"


def as_latex(written, lang="en"):
    lines = [
        rf"{line.name.latex()} &= {latex(put_in(formula, values))} = {text} \\"
        for line, formula, values, text in written.rows
    ]
    return "\n".join([r"\begin{align}", *lines, r"\end{align}"]), "work.tex"


def latex(text):
    text = text.replace("·", r" \cdot ").replace("−", "-").replace("ln(", r"\ln(")
    return re.sub(r"1/\(1 \+ e\^\((.*?)\)\)$", r"\\frac{1}{1 + e^{\1}}", text)


def as_csv(written, lang="en"):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow({"en": ["quantity", "formula", "value"], "ko": ["양", "식", "값"]}[lang])
    writer.writerows([line.id, put_in(formula, values), text] for line, formula, values, text in written.rows)
    return out.getvalue(), "work.csv"


def as_json(written, lang="en"):
    keys = {"en": ("quantity", "value"), "ko": ("기호", "값")}[lang]
    rows = [dict(zip(keys, (line.symbol, float(text)))) for line, formula, values, text in written.rows]
    return json.dumps(rows, ensure_ascii=False), "work.json"


def as_values(written, lang="en"):
    """Names and numbers alone."""
    return "\n".join(
        f"- {ascii_name(line.symbol)} = {text}" for line, formula, values, text in written.rows
    ), "work.md"


FORMATS = (as_text, as_markdown, as_latex, as_csv, as_json, as_values)
