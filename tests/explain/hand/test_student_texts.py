"""Hand calculations as students hand them in: prose between the lines, headings, Unicode and LaTeX, both
languages, all of the 2-2-1 example unless a network is named; some right, some with a slip.
"""

from functools import cache
from typing import NamedTuple

import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.explain.example import example_step
from stepgrad.explain.hand import check_work


@cache
def example():
    return example_step()


def made(layers, parameters, loss, x, y, lr=0.1, rule="SGD"):
    model = nn.Sequential(*layers).double()
    model.load_state_dict({name: sg.tensor(value, dtype=sg.float64) for name, value in parameters.items()})
    return sg.explain(model, loss, getattr(optim, rule)(model.parameters(), lr=lr), x, y, layout="scalar")


@cache
def neuron():
    """One neuron: w = 0.5, b = −0.2, x = 2, y = 1."""
    return made(
        [nn.Linear(1, 1), nn.Sigmoid()], {"0.weight": [[0.5]], "0.bias": [-0.2]}, nn.BCELoss(), [2.0], [1.0]
    )


@cache
def line():
    """A regression on two rows: ŷ = wx + b."""
    parameters = {"0.weight": [[2.0]], "0.bias": [0.5]}
    return made([nn.Linear(1, 1)], parameters, nn.MSELoss(), [[1.0], [2.0]], [[3.0], [4.0]])


@cache
def adam():
    """One weight and one bias, the first step of Adam."""
    parameters = {"0.weight": [[0.7]], "0.bias": [-0.4]}
    return made([nn.Linear(1, 1)], parameters, nn.MSELoss(), [1.5], [2.0], rule="Adam")


@cache
def relu():
    """2-2-1 with ReLU, whose second neuron is off."""
    parameters = {
        "0.weight": [[0.3, -0.4], [-0.6, 0.2]], "0.bias": [0.1, -0.1],
        "2.weight": [[0.7, -0.5]], "2.bias": [0.2],
    }  # fmt: skip
    return made(
        [nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)], parameters, nn.MSELoss(), [1.5, -0.5], [1.0], 0.5
    )


@cache
def classes():
    """Three classes of two inputs, softmax in the loss."""
    parameters = {"0.weight": [[0.2, -0.1], [0.4, 0.3], [-0.5, 0.1]], "0.bias": [0.1, 0.0, -0.2]}
    return made([nn.Linear(2, 3)], parameters, nn.CrossEntropyLoss(), [[1.0, 2.0]], sg.tensor([1]))


class Text(NamedTuple):
    """What was handed in; the values that are right before the first wrong line; that line, what it is about
    and the slip, None if all is right; the lines that cannot be read.
    """

    text: str
    right: int
    wrong: tuple | None = None
    unread: tuple = ()
    step: object = example


TEXTS = {
    "english, plain": Text("""
Homework 3, Jane Doe

First the hidden layer.
z1 = 0.4352*1 + 0.3545*1 - 0.1419 ≈ 0.6478
z2 = 0.1951*1 + 0.4835*1 + 0.0439 ≈ 0.7225
Now I squash these with the sigmoid:
a1 = sigmoid(0.6478) ≈ 0.6565
a2 = sigmoid(0.7225) ≈ 0.6732
The output neuron then gives
z3 = -0.1725*0.6565 + 0.1129*0.6732 - 0.3043 ≈ -0.3415, so y_hat = sigmoid(-0.3415) ≈ 0.4154.
The loss is L = -ln(1 - 0.4154) ≈ 0.5369 (natural logarithm!)
""", 7),
    "english, plain, activation forgotten": Text("""
Homework 3, John Doe
z1 = 0.4352*1 + 0.3545*1 - 0.1419 ≈ 0.6478
z2 = 0.1951*1 + 0.4835*1 + 0.0439 ≈ 0.7225
The output neuron then gives
z3 = -0.1725*0.6478 + 0.1129*0.7225 - 0.3043 ≈ -0.3345
""", 2, (6, "z⁽²⁾", None)),
    "korean, markdown": Text("""
# 역전파 과제

**순전파**
1. 은닉층 가중합: z₁ = 0.4352 + 0.3545 − 0.1419 = 0.6478이고, z₂ = 0.7225이다.
2. 활성화: h₁ = σ(0.6478) = 0.6565, h₂ = σ(0.7225) = 0.6732
3. 출력: ŷ = σ(−0.3415) = 0.4154입니다.

따라서 손실은 L = −ln(1 − 0.4154) = 0.5369입니다.

**역전파**
- ∂L/∂z⁽²⁾ = ŷ − y = 0.4154
- ∂L/∂w⁽²⁾₁ = 0.4154 × 0.6565 = 0.2727
- ∂L/∂h₁ = 0.4154 × (−0.1725) = −0.0717
""", 9),
    "korean, markdown, sign lost": Text("""
# 역전파 과제
- z₁ = 0.6478, z₂ = 0.7225
- h₁ = 0.6565이고 h₂ = 0.6732입니다.
- ŷ = 0.4154
- 출력층의 기울기는 ∂L/∂z⁽²⁾ = ŷ − y = 0.4154
- ∂L/∂h₁ = 0.4154 × 0.1725 = 0.0717 이다.
""", 6, (7, "∂L/∂a⁽¹⁾₁", "sign")),
    "latex, aligned": Text(r"""
\documentclass{article}
\usepackage{amsmath}
\begin{document}
\section*{Forward pass}
The hidden layer computes
\begin{align*}
  z^{(1)}_1 &= w^{(1)}_{11} x_1 + w^{(1)}_{12} x_2 + b^{(1)}_1 \\
            &= 0.4352 \cdot 1 + 0.3545 \cdot 1 - 0.1419 \\
            &= 0.6478, \\
  a^{(1)}_1 &= \frac{1}{1 + e^{-0.6478}} = 0.6565.
\end{align*}
Hence $\hat{y} = 0.4154$ and $L = -\ln(1 - \hat{y}) \approx 0.5369$. % checked twice
\[ \frac{\partial L}{\partial \hat y} = \frac{1}{1-\hat y} = 1.7107 \]
\end{document}
""", 5),
    "latex, e^z": Text(r"""
\begin{align}
  z_1 &= 0.6478 \\
  a_1 &= \frac{1}{1 + e^{0.6478}} \\
      &= 0.3435
\end{align}
""", 1, (4, "a⁽¹⁾₁", "exp_sign")),
    "latex, matrices": Text(r"""
W_1 = \begin{pmatrix} 0.4352 & 0.3545 \\ 0.1951 & 0.4835 \end{pmatrix}, \quad
z_1 = \begin{pmatrix} 0.6478 \\ 0.7225 \end{pmatrix}

The activations are
$$ h = \sigma(\begin{bmatrix} 0.6478 \\ 0.7225 \end{bmatrix})
     = \begin{bmatrix} 0.6565 \\ 0.6732 \end{bmatrix} $$
""", 8),
    "latex, transposed": Text(r"""
$$ z = \begin{pmatrix} 0.4352 & 0.1951 \\ 0.3545 & 0.4835 \end{pmatrix} \begin{pmatrix} 1 \\ 1 \end{pmatrix} +
\begin{pmatrix} -0.1419 \\ 0.0439 \end{pmatrix} = \begin{pmatrix} 0.4884 \\ 0.8819 \end{pmatrix} $$
""", 0, (2, "z⁽¹⁾₁", "transposed")),
    "markdown table, korean heads": Text("""
## 풀이

아래 표에 정리했습니다.

| 기호 | 식 | 값 |
|:--:|:--|--:|
| z₁ | 0.4352 + 0.3545 − 0.1419 | 0.6478 |
| a₁ | 1/(1+e^(−0.6478)) | 0.6565 |
| ŷ | σ(−0.3415) | 0.4154 |
| ∂L/∂ŷ | 1/(1−0.4154) | 1.7106 |

감사합니다.
""", 4),
    "markdown table, decimal point": Text("""
| 기호 | 값 |
|--|--|
| z₁ | 0.6478 |
| z₂ | 7.225 |
""", 1, (5, "z⁽¹⁾₂", "decimal_point")),
    "code": Text("""
```python
w11, w12, b1 = 0.4352, 0.3545, -0.1419
z1 = w11*1 + w12*1 + b1   # 0.6478
a1 = 1/(1+exp(-z1))       # sigmoid
dL_dz3 = 0.4154
dL_dw5 = dL_dz3 * a1
```
""", 7),
    "code, bias forgotten": Text("""
z1 = 0.6478
z2 = w21*1 + w22*1        # no bias here
""", 1, (3, "z⁽¹⁾₂", "bias_forgotten")),
    "one neuron, with units and arrows": Text("""
Given: x = 2, y = 1, w = 0.5, b = -0.2, η = 0.1
z = wx + b = 0.5·2 - 0.2 = 0.8  ->  ŷ = σ(0.8) = 0.690
loss = -log(0.690) = 0.371 nats
dL/dw = (ŷ - y)·x = (0.690 - 1)·2 = -0.620
w: 0.5 -> 0.562
b_new = -0.2 + 0.1·0.31 = -0.169
""", 12, step=neuron),
    "one neuron, uphill": Text("""
z = 0.5*2 - 0.2 = 0.8
p = 1/(1 + e^-0.8) = 0.690
dL/dw = (p - y) x = (0.690 - 1) * 2 = -0.620
w_new = 0.5 + 0.1*(-0.620) = 0.438
""", 3, (5, "w⁽¹⁾′", "uphill"), step=neuron),
    "one neuron, logarithm to base ten": Text("""
ŷ = 0.690
L = -log(0.690) = 0.161
""", 1, (3, "L", "logarithm"), step=neuron),
    "regression, korean": Text("""
예측: ŷ₁ = 2·1 + 0.5 = 2.5, ŷ₂ = 2·2 + 0.5 = 4.5
오차 = ŷ₁ − y₁ = −0.5
MSE = ((2.5 − 3)² + (4.5 − 4)²)/2 = (0.25 + 0.25)/2 = 0.25
w의 기울기: ∂L/∂w = (−0.5)·1 + 0.5·2 = 0.5
b의 기울기 = −0.5 + 0.5 = 0
새 w = 2 − 0.1 × 0.5 = 1.95
""", 6, unread=(3,), step=line),
    "regression, mean forgotten": Text("""
ŷ1 = 2.5, ŷ2 = 4.5
MSE = (2.5 - 3)^2 + (4.5 - 4)^2 = 0.5
""", 2, (3, "L", "mean_forgotten"), step=line),
    "relu": Text("""
Hidden layer:
  z1 = 0.3·1.5 + (-0.4)(-0.5) + 0.1 = 0.75
  z2 = -0.6(1.5) + 0.2(-0.5) - 0.1 = -1.1
  h1 = max(0, 0.75) = 0.75
  h2 = ReLU(-1.1) = 0
Output: ŷ = 0.7·0.75 - 0.5·0 + 0.2 = 0.725
L = (0.725 - 1)² = 0.0756
dL/dŷ = 2(0.725 - 1) = -0.55
dL/dh1 = -0.55·0.7 = -0.385
dL/dh2 = -0.55·(-0.5) = 0.275
relu'(z1) = 1, relu'(z2) = 0
dL/dz2 = 0.275·0 = 0
dW2 = [-0.55·0.75, 0]
""", 12, unread=(14,), step=relu),
    "relu, derivative forgotten": Text("""
z1 = 0.75, z2 = -1.1
h = [0.75, 0]
ŷ = 0.725
dL/dŷ = -0.55
dL/dh2 = 0.275
dL/dz2 = 0.275
""", 7, (7, "∂L/∂z⁽¹⁾₂", "derivative_forgotten"), step=relu),
    "softmax, korean": Text("""
로짓은 다음과 같다.
z = [0.1, 1.0, -0.5]
e^0.1 = 1.1052, e^1.0 = 2.7183, e^(-0.5) = 0.6065
합: S = 1.1052 + 2.7183 + 0.6065 = 4.4300
p₁ = 1.1052/4.4300 = 0.2495
p₂ = 2.7183/4.4300 = 61.36 %
p₃ = 0.1369
L = -ln(0.6136) = 0.4884
∂L/∂z₁ = 0.2495, ∂L/∂z₂ = 0.6136 − 1 = −0.3864, ∂L/∂z₃ = 0.1369
""", 11, step=classes),
    "softmax, the one not subtracted": Text("""
p = [0.2495, 0.6136, 0.1369]
L = 0.4884
dL/dz = [0.2495, 0.6136, 0.1369]
""", 5, (4, "∂L/∂ŷ₂", "term_forgotten"), step=classes),
    "what cannot be read": Text("""
z1 = 0.6478
lorem ipsum = dolor
∮ E·dl = 0
z2 = ???
a1 = 0.6565 (from z1)
=
The value of z2 is obvious.
""", 2, unread=(3, 4, 5)),
    "updates and the next pass, korean": Text("""
## 갱신 (η = 1)
w11 = 0.4352 − 1 × (−0.0162) = 0.4514
b1 ← b1 − η·∂L/∂b1 = -0.1419 + 0.0162 = -0.1257
## 다시 순전파
새 손실 = 0.2804
""", 4),
    "updates, rate": Text("""
Update with learning rate 1:
w5 = -0.1725 - 0.2727 = -0.4452
w6 = 0.1129 + 0.2797 = 0.3926
""", 1, (4, "w⁽²⁾₂′", "uphill")),
    "html and full width": Text("""
<b>z<sub>1</sub></b> = 0.6478<br>z<sub>2</sub> = 0.7225
ｙ_hat　＝　０．４１５４
&part;L/&part;ŷ = 1.7107
""", 4),
    "decimal commas": Text("""
z1 = 0,4352 + 0,3545 − 0,1419 = 0,6478
z2 = 0,7225; a1 = 0,6565; a2 = 0,6732
ŷ = 0,4154 und L = 0,5369
""", 6),
    "decimal commas, digits swapped": Text("""
z1 = 0,6478
z2 = 0,7252
""", 1, (3, "z⁽¹⁾₂", "digits_swapped")),
}  # fmt: skip


@pytest.mark.parametrize("given", TEXTS.values(), ids=TEXTS)
def test_each_is_judged_rightly(given):
    checked = check_work(given.step(), given.text)
    wrong = checked.wrong
    if given.wrong is None:
        assert wrong is None
    else:
        slip = None if wrong.slip is None else wrong.slip.kind
        assert (wrong.entry.place, wrong.symbol) == given.wrong[:2]
        assert slip == given.wrong[2]
    assert checked.right == given.right
    unread = {r.place for r in checked.remarks if r.kind not in ("output", "negative")}
    assert unread == set(given.unread), checked.remarks
