"""Names and notations of textbooks and of students: those of Matt Mazur's "A Step by Step Backpropagation
Example" (2015), lists and matrices, numbers in many spellings, tables of several shapes.
"""

import json

import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.errors import DataError
from stepgrad.explain.example import example_step
from stepgrad.explain.hand import check_work, read_work

WORKED = example_step()


def check(text, **more):
    return check_work(WORKED, text, **more)


def two_outputs():
    """The 2-2-2 network of sigmoids of that page; its mean of two squares is its sum of two halves."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid()).double()
    values = {
        "0.weight": [[0.15, 0.20], [0.25, 0.30]], "0.bias": [0.35, 0.35],
        "2.weight": [[0.40, 0.45], [0.50, 0.55]], "2.bias": [0.60, 0.60],
    }  # fmt: skip
    model.load_state_dict({name: sg.tensor(value, dtype=sg.float64) for name, value in values.items()})
    sgd = optim.SGD(model.parameters(), lr=0.5)
    return sg.explain(model, nn.MSELoss(), sgd, [0.05, 0.10], [0.01, 0.99], layout="scalar")


TWO_OUTPUTS = two_outputs()
# The notation and the numbers, with nine decimals, cut off or rounded, as they stand there.
MAZUR = r"""
i_1 = 0.05, i_2 = 0.10
target_{o1} = 0.01, target_{o2} = 0.99
w_1 = .15, w_2 = .20, w_3 = .25, w_4 = .30, b_1 = .35
w_5 = .40, w_6 = .45, w_7 = .50, w_8 = .55, b_2 = .60
\eta = 0.5
net_{h1} = w_1 * i_1 + w_2 * i_2 + b_1 * 1
net_{h1} = 0.15 * 0.05 + 0.2 * 0.1 + 0.35 * 1 = 0.3775
out_{h1} = \frac{1}{1+e^{-net_{h1}}} = \frac{1}{1+e^{-0.3775}} = 0.593269992
out_{h2} = 0.596884378
net_{o1} = w_5 * out_{h1} + w_6 * out_{h2} + b_2 * 1
net_{o1} = 0.4 * 0.593269992 + 0.45 * 0.596884378 + 0.6 * 1 = 1.105905967
out_{o1} = \frac{1}{1+e^{-net_{o1}}} = \frac{1}{1+e^{-1.105905967}} = 0.75136507
out_{o2} = 0.772928465
E_{o1} = \frac{1}{2}(target_{o1} - out_{o1})^{2} = \frac{1}{2}(0.01 - 0.75136507)^{2} = 0.274811083
E_{o2} = 0.023560026
E_{total} = E_{o1} + E_{o2} = 0.274811083 + 0.023560026 = 0.298371109
E_{total} = \frac{1}{2}(target_{o1} - out_{o1})^{2} + \frac{1}{2}(target_{o2} - out_{o2})^{2}
\frac{\partial E_{total}}{\partial w_{5}} = \frac{\partial E_{total}}{\partial out_{o1}} * \frac{\partial out_{o1}}{\partial net_{o1}} * \frac{\partial net_{o1}}{\partial w_{5}}
\frac{\partial E_{total}}{\partial out_{o1}} = 2 * \frac{1}{2}(target_{o1} - out_{o1})^{2 - 1} * -1 + 0
\frac{\partial E_{total}}{\partial out_{o1}} = -(target_{o1} - out_{o1}) = -(0.01 - 0.75136507) = 0.74136507
\frac{\partial out_{o1}}{\partial net_{o1}} = out_{o1}(1 - out_{o1}) = 0.75136507(1 - 0.75136507) = 0.186815602
\frac{\partial net_{o1}}{\partial w_{5}} = 1 * out_{h1} * w_5^{(1 - 1)} + 0 + 0 = out_{h1} = 0.593269992
\frac{\partial E_{total}}{\partial w_{5}} = 0.74136507 * 0.186815602 * 0.593269992 = 0.082167041
\frac{\partial E_{total}}{\partial w_{5}} = -(target_{o1} - out_{o1}) * out_{o1}(1 - out_{o1}) * out_{h1}
\delta_{o1} = \frac{\partial E_{total}}{\partial out_{o1}} * \frac{\partial out_{o1}}{\partial net_{o1}} = \frac{\partial E_{total}}{\partial net_{o1}}
\delta_{o1} = -(target_{o1} - out_{o1}) * out_{o1}(1 - out_{o1})
\frac{\partial E_{total}}{\partial w_{5}} = \delta_{o1} out_{h1}
\frac{\partial E_{total}}{\partial w_{5}} = -\delta_{o1} out_{h1}
w_5^{+} = w_5 - \eta * \frac{\partial E_{total}}{\partial w_{5}} = 0.4 - 0.5 * 0.082167041 = 0.35891648
w_6^{+} = 0.408666186
w_7^{+} = 0.511301270
w_8^{+} = 0.561370121
\frac{\partial E_{total}}{\partial w_{1}} = \frac{\partial E_{total}}{\partial out_{h1}} * \frac{\partial out_{h1}}{\partial net_{h1}} * \frac{\partial net_{h1}}{\partial w_{1}}
\frac{\partial E_{total}}{\partial out_{h1}} = \frac{\partial E_{o1}}{\partial out_{h1}} + \frac{\partial E_{o2}}{\partial out_{h1}}
\frac{\partial E_{o1}}{\partial out_{h1}} = \frac{\partial E_{o1}}{\partial net_{o1}} * \frac{\partial net_{o1}}{\partial out_{h1}}
\frac{\partial E_{o1}}{\partial net_{o1}} = \frac{\partial E_{o1}}{\partial out_{o1}} * \frac{\partial out_{o1}}{\partial net_{o1}} = 0.74136507 * 0.186815602 = 0.138498562
\frac{\partial net_{o1}}{\partial out_{h1}} = w_5 = 0.40
\frac{\partial E_{o1}}{\partial out_{h1}} = \frac{\partial E_{o1}}{\partial net_{o1}} * \frac{\partial net_{o1}}{\partial out_{h1}} = 0.138498562 * 0.40 = 0.055399425
\frac{\partial E_{o2}}{\partial out_{h1}} = -0.019049119
\frac{\partial E_{total}}{\partial out_{h1}} = 0.055399425 + -0.019049119 = 0.036350306
\frac{\partial out_{h1}}{\partial net_{h1}} = out_{h1}(1 - out_{h1}) = 0.59326999(1 - 0.59326999 ) = 0.241300709
\frac{\partial net_{h1}}{\partial w_1} = i_1 = 0.05
\frac{\partial E_{total}}{\partial w_{1}} = 0.036350306 * 0.241300709 * 0.05 = 0.000438568
\frac{\partial E_{total}}{\partial w_{1}} = \delta_{h1}i_{1}
w_1^{+} = w_1 - \eta * \frac{\partial E_{total}}{\partial w_{1}} = 0.15 - 0.5 * 0.000438568 = 0.149780716
w_2^{+} = 0.19956143
w_3^{+} = 0.24975114
w_4^{+} = 0.29950229
"""  # noqa: E501


def test_mazurs_notation_is_read_throughout():
    checked = check_work(TWO_OUTPUTS, MAZUR)
    assert checked.wrong is None
    assert checked.is_complete, checked.remarks
    assert checked.lines == len(MAZUR.strip().splitlines())


@pytest.mark.parametrize(
    "right, wrong, symbol, slip",
    [
        ("w_2 * i_2", "w_3 * i_2", "z⁽¹⁾₁", "transposed"),  # a misprint of the page itself
        ("+ 0.6 * 1 = 1.105905967", "= 0.505905967", "z⁽²⁾₁", "bias_forgotten"),
        ("0.186815602 = 0.138498562", "0.186815602 = -0.138498562", "∂E₁/∂z⁽²⁾₁", "sign"),
        ("0.75136507(1 - 0.75136507) = 0.186815602", "0.18861", "∂ŷ₁/∂z⁽²⁾₁", "digits_swapped"),
        ("* 0.40 = 0.055399425", "= 0.138498562", "∂E₁/∂a⁽¹⁾₁", "factor_forgotten"),
        ("0.35891648", "0.44108352", "w⁽²⁾₁₁′", "uphill"),
        ("+ 0.023560026 = 0.298371109", "- 0.023560026 = 0.251251057", "L", "sign"),
    ],
)
def test_a_slip_in_that_notation_is_named(right, wrong, symbol, slip):
    assert MAZUR.count(right) == 1
    found = check_work(TWO_OUTPUTS, MAZUR.replace(right, wrong)).wrong
    assert (found.symbol, found.slip.kind) == (symbol, slip)


@pytest.mark.parametrize(
    "text, right",
    [
        ("BCE = 0.5369", 1),
        ("Loss: 0.5369\nThe loss is 0.5369.\n손실은 약 0.5369이다.", 3),
        ("net_h1 = 0.6478\nout_h1 = 0.6565\nnet_o1 = -0.3415\nout_o1 = 0.4154", 4),
        ("h = [0.6565, 0.6732]", 2),
        ("z1, z2 = 0.6478, 0.7225\n(a1, a2) = (0.6565, 0.6732)", 4),
        ("a1 = np.array([0.6565, 0.6732])\nW1 = [[0.4352 0.3545]\n      [0.1951 0.4835]]", 6),
        (r"h = \begin{pmatrix} 0.6565 \\ 0.6732 \end{pmatrix}", 2),
        ("a^{(1)} = \\begin{bmatrix}\n0.6565 \\\\\n0.6732\n\\end{bmatrix}\n\nz_1 = 0.6478", 3),
        ("z = [[0.4352, 0.3545], [0.1951, 0.4835]]·[1, 1] + [-0.1419, 0.0439] = [0.6478, 0.7225]", 2),
        ("dW1 = [[-0.0162, -0.0162], [0.0103, 0.0103]]\ndb1 = [-0.0162, 0.0103]", 6),
        ("z1 = 0.6478이고 z2 = 0.7225입니다.\na1 = 0.6565이다\nz1의 값은 0.6478", 4),
        ("dL/dw11 = -1.616 × 10⁻²\ndL/dw12 = -1.616×10^-2\ndL/dw21 = 1.032e-2\ndL/dw22 = 1.032*10**-2", 4),
        ("ŷ = 41.54 %\nŷ = 41.54%\nŷ = 41.5 % 입니다", 3),
        ("z1 = 0,6478; z2 = 0,7225\nŷ = 0,4154", 3),
        ("$z_1$ = 0.6478\n`a1` = 0.6565\nz<sub>2</sub> = 0.7225\nｚ１ = ０．６４７８", 4),
        ("z_1 = 0.4352 + 0.3545\n    - 0.1419\n    = 0.6478", 1),
        (r"\begin{align} z_1 &= 0.7897 - 0.1419 \\ &= 0.6478 \\ z_2 &= 0.7225 \end{align}", 2),
        ("w11: 0.4352 -> 0.4514\nw12 = 0.3545 → 0.3707", 4),
        ("σ(z1) = 0.6565\nσ'(z1) = 0.2255\nf'(z2) = a2(1 - a2) = 0.2200", 3),
        ("δ_h1 = -0.0162\nδ_o = 0.4154\nδ⁽²⁾ = 0.4154", 3),
        ("dz3/da1 = w5 = -0.1725\ndŷ/da1 = -0.1725 * 0.2428 = -0.0419", 2),
        ("- 가중합 z1 = 0.6478\n(2) hidden neuron 2: z2 = 0.7225\n③ ŷ = 0.4154", 3),
        ("z1 = 0.4352 x 1 + 0.3545 x 1 - 0.1419 = 0.6478", 1),
        ("z1 = w11x1 + w12x2 + b1 = 0.6478", 1),
        ("z1: 0.4352·1 + 0.3545·1 − 0.1419 = 0.6478", 1),
    ],
)
def test_it_is_read_and_right(text, right):
    checked = check(text)
    assert checked.wrong is None
    assert (checked.right, checked.remarks) == (right, [])


@pytest.mark.parametrize(
    "text, symbol, slip",
    [
        ("h = [0.6565, 0.6723]", "a⁽¹⁾₂", "digits_swapped"),
        (r"h = \begin{bmatrix} 0.6478 \\ 0.6732 \end{bmatrix}", "a⁽¹⁾₁", "activation_forgotten"),
        ("net_o1 = -0.0372입니다", "z⁽²⁾", "bias_forgotten"),
        ("dL/dw11 = 1.616 × 10⁻²", "∂L/∂w⁽¹⁾₁₁", "sign"),
        ("ŷ = 58.46 %", "ŷ", "exp_sign"),
        ("z_1 = 0.4352 + 0.3545 - 0.1419\n    = 0.9316", "z⁽¹⁾₁", "sign"),
        ("w11: 0.4352 -> 0.4190", "w⁽¹⁾₁₁′", "uphill"),
    ],
)
def test_it_is_read_and_wrong(text, symbol, slip):
    wrong = check(text).wrong
    assert (wrong.symbol, wrong.slip.kind) == (symbol, slip)


def test_the_textbook_step_of_four_digits():
    work = {
        "z1": [0.6478, 0.7225], "a1": [0.6565, 0.6732], "z2": -0.3415, "y_hat": 0.4154, "dL/dy_hat": 1.7106,
        "dy_hat/dz2": 0.2428, "dL/d2.weight[0,0]": 0.2727,
        "updated": {"2.weight": [[-0.4452, -0.1667]], "2.bias": [-0.7196]},
    }  # fmt: skip
    checked = check(json.dumps(work))
    assert (checked.right, checked.is_complete) == (12, True)


def test_y_is_the_target_or_the_output():
    checked = check("y = 0\nz1 = 0.6478\ny = 0.4154\nL = -ln(1 - y) = 0.5369")
    assert (checked.right, [(r.kind, r.place) for r in checked.remarks]) == (4, [("output", 3)])
    assert checked.is_complete
    assert check("y = 0.4154\ndL/dz3 = y - t = 0.4154").right == 2
    assert check("y = 1").wrong.symbol == "y"
    wrong = check("z1 = 0.6478\ny = 1/(1 + e^(-0.3415)) = 0.5846").wrong
    assert (wrong.symbol, wrong.slip.kind) == ("ŷ", "exp_sign")
    # δ with the other sign: what is made of it is still judged.
    checked = check("δ3 = -0.4154\ndL/dw5 = -δ3·a1 = 0.2727")
    assert (checked.right, [r.kind for r in checked.remarks]) == (2, ["negative"])
    assert not check("δ3 = -0.4154\ndL/dw5 = δ3·a1 = -0.2727").ok


def test_a_linear_last_layer_has_z_too():
    sg.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    worked = sg.explain(
        model, nn.MSELoss(), optim.SGD(model.parameters()), [1.0, 0.5], [0.3], layout="scalar"
    )
    output = worked["forward/2/z[0]"].value
    for name in ("z3", "z2", "z^(2)", "net_o1", "o1", "y", "ŷ"):
        assert check_work(worked, f"{name} = {output:.5f}").right == 1
        assert not check_work(
            worked, f"h1 = {worked['forward/1/a[0]'].value:.5f}\n{name} = {output + 0.1:.5f}"
        ).ok


TABLES = {
    "names above": "| z1 | z2 | ŷ |\n|---|---|---|\n| 0.6478 | 0.7225 | 0.4154 |",
    "names beside and above": "| | h1 | h2 |\n|--|--|--|\n| z | 0.6478 | 0.7225 |\n| a | 0.6565 | 0.6732 |",
    "old and new": "| weight | old | gradient | new |\n|--|--|--|--|\n| w11 | 0.4352 | -0.0162 | 0.4514 |",
    "Korean": "| 가중치 | 기존 | 기울기 | 갱신 후 |\n|---|---|---|---|\n| w11 | 0.4352 | -0.0162 | 0.4514 |",
    "semicolons": "quantity;value\nz1;0,6478\nz2;0,7225\n",
    "csv, names above": "z1,z2\n0.6478,0.7225\n",
    "no head": "z1,0.6478\nz2,0.7225\n",
    "three columns, no head": "z1,0.7897 - 0.1419,0.6478\nz2,0.6786 + 0.0439,0.7225\n",
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_tables_of_many_shapes(table):
    checked = check(table)
    assert checked.is_complete, checked.remarks
    assert checked.right == len([e for e in read_work(table) if e.value])
    last = [e.value for e in read_work(table) if e.value][-1]
    found = check(table.replace(last, "0.9999").replace(last.replace(".", ","), "0,9999"))
    assert found.wrong.said == "0.9999"


def test_arithmetic_without_a_quantity():
    checked = check("z1 = 0.6478\ns = e^(-0.6478) = 0.5232\na1 = 1/(1 + s) = 0.6565\n1 - ŷ = 0.5846")
    assert (checked.right, checked.wrong) == (2, None)
    assert [(r.kind, r.place, r.text) for r in checked.remarks] == [("arithmetic", 2, "s")]
    wrong = check("z1 = 0.6478\ns = e^(-0.6478) = 0.6232").wrong
    assert (wrong.symbol, wrong.text, wrong.slip.kind) == ("s", "0.5232", "arithmetic")
    assert check("z1 = 0.6478\nσ(0.6478) = 0.3435").wrong.text == "0.6565"


@pytest.mark.parametrize("text", ["0/0", "foo = 3", "foo = bar", "z1 = blah", "∂L/∂q = 0.3", "0.3 + 0.4"])
def test_what_is_not_understood_is_said(text):
    checked = check(f"z2 = 0.7225\n\n{text}\n")
    assert (checked.right, checked.wrong, checked.lines, checked.not_read) == (1, None, 1, 1)
    assert [(r.kind, r.place) for r in checked.remarks] == [("not_read", 3)]
    assert not checked.is_complete
    with pytest.raises(DataError):
        check(text)


def test_an_expression_that_is_not_understood_is_said():
    checked = check("z1 = blah + 1 = 0.6478\nz2 = W x + b = 0.7225")
    assert [(r.kind, r.text) for r in checked.remarks] == [
        ("expression", "blah + 1"),
        ("expression", "W x + b"),
    ]
    assert check("z1 = 0/0 = 0.6478").wrong.said == "NaN"
    assert check("z1 = 0/0").wrong.said == "NaN"


def test_words_state_nothing():
    checked = check(
        "Forward pass\n\nFirst I compute the sums.\nz1 = 0.6478\n## 손실\n다음은 손실이다.\nL = 0.5369"
    )
    assert [entry.place for entry in checked.words] == [1, 3, 6]
    assert checked.is_complete


def test_lines_of_json_are_those_of_the_text():
    checked = check('{\n "z1": [0.6478,\n  0.7225],\n "about": "my work",\n "a1": [0.6565, 0.9]\n}')
    assert [r.place for r in checked.remarks] == [4]
    assert checked.wrong.entry.place == 5
