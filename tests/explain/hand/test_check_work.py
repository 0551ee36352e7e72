"""What `check_work` says of single lines, spellings and formats."""

import json

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, DataError
from stepgrad.explain.example import example_step
from stepgrad.explain.hand import check_work, read_work
from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.hand.formula import computed
from stepgrad.explain.hand.numbers import number_in
from stepgrad.explain.hand.spelling import Spellings, canonical
from stepgrad.words.language import Words

WORKED = example_step()
SPELLINGS = Spellings(Quantities(WORKED))
BEFORE = """
z1 = 0.4352·1 + 0.3545·1 + (-0.1419) = 0.6478
z2 = 0.1951·1 + 0.4835·1 + 0.0439 = 0.7225
a1 = σ(0.6478) = 0.6565
a2 = σ(0.7225) = 0.6732
"""


def check(text, **more):
    return check_work(WORKED, text, **more)


@pytest.mark.parametrize(
    "names, id",
    [
        ("z1 z_1 z⁽¹⁾₁ z^{(1)}_{1} $z^{(1)}_1$ z1[0] z1_1 forward/0/z[0] z^(1)_1", "forward/0/z[0]"),
        ("ŷ y_hat yhat \\hat{y} o 예측값 a⁽²⁾", "forward/3/a[0]"),
        ("L loss E 손실 J", "loss"),
        ("∂L/∂ŷ dL/dy_hat dE/dyhat \\frac{\\partial{}L}{\\partial\\hat{y}}", "grad/3/a[0]"),
        ("∂ŷ/∂z⁽²⁾ dy_hat/dz2 dyhat/dz3", "local/3/a[0]"),
        ("∂L/∂w⁽¹⁾₁₂ dL/dw1_12 dL/dw12 dL/d0.weight[0,1] ∇w12 dL/dw_{1,2}", "grad/0.weight[0,1]"),
        ("∂L/∂w⁽²⁾₂ dL/dw2_2 dL/dw2[1] dL/d2.weight[0,1] dL/dw6", "grad/2.weight[0,1]"),
        ("δ⁽²⁾ delta2 ∂L/∂z⁽²⁾ dL/dz3", "grad/2/z[0]"),
        ("w⁽¹⁾₁₂′ w12' w12_new w^{(1)\\prime}_{12} 0.weight[0,1]'", "update/0.weight[0,1]"),
        ("b⁽²⁾′ b3' b2' 2.bias[0]'", "update/2.bias[0]"),
        ("η lr eta \\eta 학습률", "given/lr"),
    ],
)
def test_spellings(names, id):
    for name in names.split():
        name = name.replace("delta", "δ") if name.startswith("delta") else name
        assert id in SPELLINGS.find(name), (name, canonical(name))


@pytest.mark.parametrize("name", ["new w12", "새 w12", "w12 new", "w12 (updated)", "새로운 w12"])
def test_words_for_the_value_after_the_update(name):
    assert "update/0.weight[0,1]" in SPELLINGS.find(name)


def test_names_that_mean_nothing_here():
    for name in ("q7", "w99", "dL/dq", "hello world", "z⁽⁵⁾₁"):
        assert SPELLINGS.find(name) == []


@pytest.mark.parametrize(
    "text, value",
    [
        (r"\frac{1}{1 + e^{-0.6478}}", 0.6565145265936446),
        ("1/(1+exp(-0.6478))", 0.6565145265936446),
        ("sigmoid(0.5 + w)", 0.679178699175393),
        ("2(1 - w) w", 0.375),
        ("2 \\times w + 1.5e-3", 0.5015),
        ("−ln(1 − w)", 0.2876820724517809),
        (r"\sqrt{w} \cdot 4", 2.0),
        ("|−3|·w", 0.75),
        ("tanh(w)", 0.24491866240370913),
    ],
)
def test_expressions(text, value):
    assert computed(text, {"w": 0.25}.get).value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("text", ["W x + b", "1 +", "q", "f(3)", "", "2 +* 3"])
def test_expressions_that_cannot_be_read(text):
    assert computed(text, {}.get) is None


@pytest.mark.parametrize(
    "text, number",
    [("0.5", "0.5"), ("−0.3415", "-0.3415"), ("1.7×10^{-3}", "1.7e-3"), ("1.7e-3", "1.7e-3"), ("(−2)", "-2"),
     ("$0.25$", "0.25"), ("0.6478.", "0.6478"), ("1,234.5", "1234.5"), ("z1", ""), ("0.5 + 1", ""), ("", "")],
)  # fmt: skip
def test_numbers(text, number):
    assert number_in(text) == number


def test_the_first_wrong_line_what_it_should_be_and_why():
    checked = check(BEFORE + "z3 = -0.1725·0.6565 + 0.1129·0.6732 = -0.0372\ny_hat = 0.4907")
    wrong = checked.wrong
    assert (checked.right, checked.ok) == (4, False)
    assert (wrong.entry.place, wrong.id, wrong.said, wrong.text) == (
        6,
        "forward/2/z[0]",
        "−0.0372",
        "−0.3415",
    )
    assert wrong.slip.kind == "bias_forgotten"
    assert wrong.slip.text(Words()) == "the bias b⁽²⁾ is missing"
    assert wrong.slip.text(Words("ko")) == "편향 b⁽²⁾가 빠졌습니다"
    assert json.loads(json.dumps(wrong.to_json()))["slip"] == {"kind": "bias_forgotten", "right": "b⁽²⁾"}


def test_a_wrong_expression_with_the_right_value():
    checked = check("z1 = 0.4352·1 + 0.3545·1 + 0.1419 = 0.6478")
    assert checked.wrong.in_expression
    assert checked.wrong.said == "0.9316"
    assert checked.wrong.slip.kind == "sign"


def test_a_right_expression_that_was_miscalculated():
    checked = check("z1 = 0.4352·1 + 0.3545·1 - 0.1419 = 0.5531")
    assert checked.wrong.slip.kind == "arithmetic"
    assert checked.wrong.slip.text(Words()) == "the expression is right and gives 0.6478"


def test_a_number_that_no_slip_gives():
    assert check("z1 = 12.3").wrong.slip is None


def test_a_given_number_that_was_copied_wrongly():
    assert check("w11 = 0.4352\nz1 = 0.6478").ok
    checked = check("w11 = 0.4532\nz1 = 0.6658")
    assert (checked.wrong.entry.place, checked.wrong.symbol) == (1, "w⁽¹⁾₁₁")
    assert checked.wrong.slip.kind == "digits_swapped"


def test_what_was_rounded_too_early_shows_where_it_is_used():
    checked = check("a1 = 0.66\na2 = 0.67\nz⁽²⁾ = -0.3425")
    assert checked.wrong.id == "forward/2/z[0]"
    assert checked.wrong.slip.kind == "rounded_early"
    assert check("a1 = 0.66\na2 = 0.67\nz⁽²⁾ = -0.34").ok


def test_cut_off_digits_and_few_digits_are_right():
    assert check("a1 = 0.6565\na2 = 0.6731\nL = 0.54\nŷ = 0.4").ok
    assert not check("ŷ = 0.5").ok
    assert not check("a2 = 0.6729").ok


def test_an_expression_without_a_value_is_computed():
    assert check("z1 = w11·x1 + w12·x2 + b1\nz2 = w21*x1 + w22*x2 + b2").right == 2
    assert check("z1 = w11·x1 + w12·x2 - b1").wrong.slip.kind == "sign"


def test_vectors_in_json():
    work = {"forward": {"z1": [0.6478, 0.7225], "a1": [0.6565, 0.6732]}, "updated": {"2.bias": [-0.7197]}}
    assert check(json.dumps(work)).right == 5
    work["updated"]["0.weight"] = [[0.4514, 0.3707], [0.1848, 0.4938]]
    wrong = check(json.dumps(work)).wrong
    assert (wrong.id, wrong.slip.kind) == ("update/0.weight[1,1]", "uphill")


def test_what_follows_the_step_is_another_one():
    text = BEFORE + "ŷ = 0.4154\nb⁽²⁾′ = -0.7197\nŷ = 0.2445\n"
    checked = check(text)
    assert (checked.wrong, checked.right, checked.unknown) == (None, 7, [])
    assert [entry.value for entry in check(text.replace("0.2445", "0.3445")).unknown] == ["0.3445"]
    assert check('{"forward": {"y_hat": 0.4154}, "after_one_step": {"y_hat": 0.2445}}').ok


def test_a_wrong_value_after_the_update_is_found():
    updates = "b⁽²⁾′ = -0.7197\nw⁽²⁾₁′ = -0.4452\n"
    wrong = check(f"{updates}a1 = 0.6565\nŷ′ = 0.3445").wrong
    assert (wrong.id, wrong.text) == ("after/3/a[0]", "0.2445")


def test_a_prime_before_any_update_may_be_a_derivative():
    checked = check("a1 = 0.6565\na1' = a1(1 - a1) = 0.2255")
    assert (checked.wrong, checked.right, checked.unknown) == (None, 2, [])
    assert check("a1 = 0.6565\na1' = 0.3255").wrong.symbol == "∂a⁽¹⁾₁/∂z⁽¹⁾₁"


def test_several_equations_in_a_line_and_words_around_them():
    text = (
        "1. 가중합: z1 = 0.6478, z2 = 0.7225\n- **a1** = 0.6565; a2 = 0.6732\n> 손실: L ≈ 0.5369 (반올림)\n"
    )
    checked = check(text)
    assert (checked.right, checked.unknown) == (5, [])


def test_the_formats_are_recognised():
    assert [e.name for e in read_work("name;value\nz1;0.6478\n", "csv")] == ["z1"]
    assert [e.value for e in read_work("양,식,값\nz1,,0.6478\n")] == ["0.6478"]
    assert [e.place for e in read_work("| 기호 | 값 |\n|---|---|\n| z1 | 0.6478 |\nz2 = 1\n")] == [3, 4]
    assert read_work('[{"quantity": "z1", "formula": "1+1", "value": 2}]')[0].expressions == ("1+1",)
    assert read_work('{"z1": {"formula": "w11*x1", "value": "0.6"}}')[0].value == "0.6"
    assert read_work(r"\begin{align} % work" "\n" r"z_1 &= 2 \cdot 3 = 6 \\" "\n")[0].value == "6"


def test_work_that_cannot_be_checked():
    with pytest.raises(DataError, match=r"there is no line such as z1 = "):
        check("I did not do it.")
    with pytest.raises(DataError, match="it is no JSON: "):
        check("{", kind="json")
    with pytest.raises(DataError, match=r"no line names a quantity of this step; its quantities are z⁽¹⁾₁"):
        check("apples = 3")


def test_a_step_in_whole_matrices_is_refused():
    model = sg.nn.Linear(2, 1)
    sgd = sg.optim.SGD(model.parameters())
    worked = sg.explain(model, sg.nn.MSELoss(), sgd, [1.0, 2.0], [0.0], layout="matrix")
    with pytest.raises(ArgumentError, match=r"every number has a line.*layout='scalar'"):
        check_work(worked, "z = 1")


# ------------------------------------------------------------------------- a loss of logits


def logits(weight, bias, loss, x, y):
    """A linear layer under a loss that takes logits, one row."""
    model = sg.nn.Linear(2, len(bias)).double()
    model.load_state_dict({"weight": sg.tensor(weight).double(), "bias": sg.tensor(bias).double()})
    return sg.explain(model, loss, sg.optim.SGD(model.parameters(), lr=0.1), [x], y, layout="scalar")


CLASSES = logits([[0.5, -0.3], [0.2, 0.1]], [0.1, -0.2], sg.nn.CrossEntropyLoss(), [-1.5, -0.7], [1])
BINARY = logits([[0.5, -0.3]], [0.1], sg.nn.BCEWithLogitsLoss(), [2.0, 1.0], [[1.0]])


def test_the_loss_follows_from_the_persons_own_probability():
    text = "z1 = -0.44\nz2 = -0.57\np1 = 0.532\np2 = 0.468\nL = -ln(0.468) = "
    assert check_work(CLASSES, text + "0.759").right == 5
    assert check_work(CLASSES, text + "0.759").ok
    assert not check_work(CLASSES, text + "0.752").ok


@pytest.mark.parametrize(
    "text",
    [
        "z = 0.8\nŷ = 1/(1 + e^(-0.8)) = 0.68997\nL = -ln(ŷ) = 0.37111\ndL/dz = ŷ - y = -0.31003",
        "z^{(1)}_1 = 0.8\np = 0.68997\nL = 0.3711\ndL/dz1 = p - 1 = -0.3100",
        "logit = 0.8\na = σ(z) = 0.68997\n∂L/∂z⁽¹⁾ = -0.3100",
        "ŷ = 0.8\nh = 0.689974\n∂L/∂ŷ = -0.3100",
        "z1_1 = 0.8\ny_hat = 0.68997",
    ],
)
def test_a_logit_is_z_and_its_probability_is_the_prediction(text):
    checked = check_work(BINARY, text)
    assert (checked.wrong, checked.unknown) == (None, [])


def test_a_wrong_probability_is_found_under_its_usual_name():
    wrong = check_work(BINARY, "z = 0.8\nŷ = 0.3100").wrong
    assert (wrong.id, wrong.text) == ("loss/sigmoid[0,0]", "0.6900")
    assert check_work(CLASSES, "z_2 = -0.57\nŷ_2 = 0.532").wrong.id == "loss/softmax[0,1]"


def test_the_gradient_of_a_probability_is_derived():
    checked = check_work(BINARY, "z = 0.8\nŷ = 0.68997\ndL/dŷ = -1/0.68997 = -1.4493")
    assert (checked.wrong, checked.right) == (None, 3)
    wrong = check_work(BINARY, "z = 0.8\nŷ = 0.68997\ndL/dŷ = 1.4493").wrong
    assert (wrong.symbol, wrong.slip.kind) == ("∂L/∂h", "sign")


# ---------------------------------------------------------------------- ordinary lines, odd lines


@pytest.mark.parametrize(
    "text, right",
    [
        ("So z1 = 0.6478 and z2 = 0.7225.", 2),
        ("z1 = 0.6478이고 z2 = 0.7225", 2),
        ("ŷ = 0.4154 and L = 0.5368.", 2),
        ("## 갱신\nw11 = 0.4352 + 0.0162 = 0.4514\nb3 = -0.7197", 2),
        ("Update:\nw11 = 0.4514", 1),
        ("w_21 := 0.1848", 1),
        ("w_21 := 0.1951 - 0.0103 = 0.1848", 1),
        ("w11 = 0.4352 + 0.0162 = 0.4514", 1),
        ("o = -0.3415", 1),
        ("o = -0.342\nŷ = 0.4154", 2),
        ("the new w11 = 0.4514", 1),
        ("**z1** = 0.6478\n**z2 = 0.7225**\n**손실**은 = 0.5368", 3),
        ("a1 = 1/(1 + 2.718281828**(-0.6478)) = 0.6565", 1),
        ("z1 = 2**0 - (0.6 - 0.00653)**2 = 0.6478", 1),
    ],
)
def test_ordinary_lines_raise_no_alarm(text, right):
    checked = check(text)
    assert (checked.wrong, checked.right) == (None, right)


@pytest.mark.parametrize("name", ["new loss", "새 손실", "the new loss"])
def test_the_loss_of_the_next_step_is_not_that_of_this_one(name):
    checked = check(f"L = 0.5369\n{name} = 0.2804")
    assert (checked.right, checked.wrong, checked.unknown) == (2, None, [])


def test_a_wrong_update_is_found_where_the_old_name_is_kept():
    wrong = check("w11 = 0.4352 - 0.0162 = 0.4190").wrong
    assert (wrong.id, wrong.slip.kind) == ("update/0.weight[0,0]", "uphill")
    assert check("## Update\nw11 = 0.4190").wrong.id == "update/0.weight[0,0]"


def test_powers_are_no_bold_type():
    model = sg.nn.Linear(1, 2).double()
    model.load_state_dict({"weight": sg.tensor([[0.95], [0.3]]).double(), "bias": sg.zeros(2).double()})
    sgd = sg.optim.SGD(model.parameters())
    worked = sg.explain(model, sg.nn.MSELoss(), sgd, [1.0], [1.0, 0.0], layout="scalar")
    assert check_work(worked, "L = ((0.95-1)**2 + (0.3-0)**2)/2 = 0.04625").ok
    assert not check_work(worked, "L = ((0.95-1)**2 + (0.3+1)**2)/2 = 0.04625").ok


def test_parentheses_without_end_are_not_read():
    assert check("z1 = " + "(" * 5000 + "0.6478" + ")" * 5000 + " = 0.6478").ok


@pytest.mark.parametrize("text", ["z1 = 1/0 = 0.6478", "z1 = 1/0"])
def test_a_number_divided_by_zero_is_wrong(text):
    wrong = check(text).wrong
    assert (wrong.said, wrong.text, wrong.slip) == ("∞", "0.647800", None)


def test_a_lost_sign_is_that_of_the_weight_that_was_named():
    wrong = check("dL/dw11 = 0.0162").wrong
    assert (wrong.symbol, wrong.slip.kind) == ("∂L/∂w⁽¹⁾₁₁", "sign")


@pytest.mark.parametrize("seed", range(3))
def test_a_step_that_is_rounded_throughout_is_right(seed):
    def step(**options):
        sg.manual_seed(seed)
        nn = sg.nn
        model = nn.Sequential(nn.Linear(4, 3), nn.SiLU(), nn.Linear(3, 3)).double()
        adam = sg.optim.Adam(model.parameters(), lr=0.002)
        x = sg.randn(1, 4).double()
        return sg.explain(model, nn.CrossEntropyLoss(), adam, x, [1], layout="scalar", **options)

    exact, rounded = step(), step(round_steps=4)
    for text in (str(rounded), "\n".join(f"{line.symbol} = {line.text}" for line in rounded)):
        checked = check_work(exact, text)
        assert (checked.wrong, checked.right, checked.unknown) == (None, len(rounded), [])


def test_a_number_that_follows_from_coarse_ones_names_these():
    text = "a1 = 0.7\na2 = 0.7\nz3 = -0.1725·0.7 + 0.1129·0.7 - 0.3043 = -0.3460"
    slip = check(text).wrong.slip
    assert (slip.kind, slip.names) == ("rounded_early", {"right": "a⁽¹⁾₁", "used": "0.7"})


def test_a_comma_behind_a_number_and_delta_in_letters():
    checked = check("z_1 = 0.6478,\ndelta_1 = -0.0162\ndelta3 = 0.4154")
    assert (checked.right, checked.unknown) == (3, [])


@pytest.mark.parametrize("text", ["z1 = 0.6478 foo bar ", "z1 = 0.6478 z1 = 0.6478 ", "z1 = 0.6478, "])
def test_long_lines_are_read(text):
    checked = check(text * 500)
    assert (checked.wrong, checked.lines, checked.remarks) == (None, 1, [])


@pytest.mark.parametrize(
    "text", ["(" * 20000, "z = " + "[" * 5000, "<sub>" * 500, "z = 1e999999999", "z = 1e-400"]
)
def test_what_is_no_work_is_refused(text):
    with pytest.raises(DataError):
        check(text)


@pytest.mark.parametrize(
    "text, right",
    [
        ("z1 = 0", "0.647800"),
        ("z1 = 0.6478\na1 = 0", "0.656515"),
        ("a1 = 0.0", "0.656515"),
        ("a1 = 0.6566", "0.6565"),
        ("z1 = 0.6478\na1 = 0.6566", "0.6565"),
        ("ŷ = 0.4155", "0.4154"),
    ],
)
def test_numbers_that_no_rounding_gives(text, right):
    assert check(text).wrong.text == right


@pytest.mark.parametrize(
    "text",
    [
        "z1 = 0.64780000000000000",
        "z1 = 0.6478000000000001",
        "a1 = 0.656",
        "a1 = 0.657",
        "ŷ = 0.4154",
        "y = 0",
    ],
)
def test_numbers_rounded_cut_off_and_with_every_digit(text):
    assert check(text).is_complete


def test_a_number_without_digits_is_not_right_and_excuses_nothing():
    model = sg.nn.Sequential(sg.nn.Linear(1, 1))
    for p in model.parameters():
        p.data.fill_(0.5)
    adam = sg.optim.Adam(model.parameters(), lr=0.1)
    worked = sg.explain(model, sg.nn.MSELoss(), adam, [1.0], [0.99], layout="scalar")
    small = next(line for line in worked.lines if 0 < abs(line.value) < 5e-5)
    after = worked["update/0.weight[0,0]"]
    checked = check_work(worked, f"z1 = 1\n{small.symbol} = 0.0000\n{after.symbol} = {after.value / 2:.4f}")
    assert [remark.kind for remark in checked.remarks] == ["no_digit"]
    assert checked.right == 1
    assert checked.wrong.id == after.id
    assert not check_work(worked, f"z1 = 1\n{small.symbol} = 0.0000").is_complete


@pytest.mark.slow
def test_the_names_of_a_large_step_are_understood_as_those_of_a_small_one():
    model = sg.nn.Sequential(sg.nn.Linear(40, 16), sg.nn.Sigmoid(), sg.nn.Linear(16, 1))
    adam = sg.optim.Adam(model.parameters(), lr=0.1)
    worked = sg.explain(model, sg.nn.MSELoss(), adam, [0.5] * 40, [1.0], layout="scalar")
    assert len(worked.given) + len(worked.lines) > 3000
    names = {"z1": "forward/0/z[0]", "a_2": "forward/1/a[1]", "dL/dw12": "grad/0.weight[0,1]"}
    text = "\n".join(f"{name} = {worked[id].value:.6f}" for name, id in names.items())
    assert check_work(worked, text).right == len(names)
    assert check_work(worked, "z1 = 9.9").wrong.id == "forward/0/z[0]"


def test_a_delta_without_index_the_softmax_and_about():
    assert check("δ = 0.4154").is_complete
    assert check("z1 = 0.6478\nz1 ~= 0.65").right == 2
    probabilities = [line.value for line in CLASSES.lines if line.id.startswith("loss/softmax")]
    listed = ", ".join(f"{each:.4f}" for each in probabilities)
    assert check_work(CLASSES, f"softmax = [{listed}]").right == len(probabilities)
