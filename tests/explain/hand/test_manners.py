"""Manners of writing: each is read, and judged rightly."""

import pytest

from stepgrad.explain.hand import check_work
from tests.explain.hand.test_student_texts import adam, classes, example, line, neuron, relu

# The step, the lines, the values that are right, the lines that are not or not wholly read.
RIGHT = [
    (classes, [
        "z1 = 0.1, z2 = 1, z3 = -0.5",
        r"$S = \sum_{k=1}^{3} e^{z_k} = 4.43$",
        r"$p_1 = \frac{e^{z_1}}{\sum_j e^{z_j}} = 0.2495$",
        "p2 = e^(z_2)/Σ e^(z_k) = 0.6136",
        r"$\sum_{k=1}^{K} e^{z_k} = 4.43$",
    ], 6, []),
    (example, [
        r"$z_1 = \sum_{i=1}^{2} w_{1i} x_i + b_1 = 0.6478$",
        "z3 = Σ_j w2_j·a_j + b2 = -0.3415",
    ], 2, []),
    (line, [
        r"$L = \frac{1}{2}\sum_i (\hat y_i - y_i)^2 = 0.25$",
        r"$L = \frac{1}{Q}\sum_i (\hat y_i - y_i)^2 = 0.25$",
    ], 2, [2]),
    (adam, [
        "ŷ = 0.65",
        "dL/dw = 2·(0.65 − 2)·1.5 = −4.05",
        "m_w = 0.9·0 + 0.1·(−4.05) = −0.405",
        "v_w: 0.0164025",
        r"$\hat{m}_w = \frac{-0.405}{1 - 0.9^1} = -4.05$",
        "v̂_w = 0.0164025/(1 − 0.999) = 16.4025",
        "w' = 0.7 − 0.1·(−4.05)/(√16.4025 + 1e-8) = 0.8",
    ], 7, []),
    (example, [
        "Step 1. Forward",
        "1.1 z_1 = 0.6478",
        "1.2 z_2 = 0.7225",
        "Q2) a1 = 0.6565",
        "문제 3. ŷ = 0.4154",
        "[4] L = 0.5369",
    ], 5, []),
    (example, [
        "z_1^{[1]} = 0.6478",
        "z^{[2]} = -0.3415",
        "a^{[2]} = 0.4154",
        "dZ2 = 0.4154",
        "δ^{(2)} = 0.4154",
    ], 5, []),
    (example, [
        "h1_in = 0.6478",
        "h1_out = 0.6565",
        "o_in = -0.3415",
        "o_out = 0.4154",
    ], 4, []),
    (example, [
        "net(h1) = 0.6478",
        "out(h1) = 0.6565",
        "H1 = 0.6565",
        "H2=0.6732",
    ], 4, []),
    (example, [
        "∂L/∂w₁₁ = ∂L/∂ŷ · ∂ŷ/∂z₃ · ∂z₃/∂a₁ · ∂a₁/∂z₁ · ∂z₁/∂w₁₁ = 1.7107·0.2428·(−0.1725)·0.2255·1 = −0.0162",  # noqa: E501
    ], 1, []),
    (example, [
        "z1 = 0.6478 (소수 넷째 자리에서 반올림)",
        "a1 = 0.6565 (≈ 0.66)",
        "L = 0.5369 ✓",
        "z2 = +0.7225 > 0",
    ], 4, []),
    (example, [
        "| 단계 | 계산 | 결과 |",
        "|--|--|--|",
        "| z1 | 0.4352+0.3545-0.1419 | 0.6478 |",
        "| a1 | σ(0.6478) | 0.6565 |",
    ], 2, []),
    (example, [
        "e^-0.6478 = 0.5232; 1+0.5232 = 1.5232",
        "1/1.5232 = 0.6565 = a1",
        "0.4352 + 0.3545 - 0.1419 = 0.6478 = z1",
        "a1*(1-a1) = 0.6565*0.3435 = 0.2255",
    ], 2, []),
    (example, [
        "w11_new = w11 - η·dL/dw11 = 0.4352 - (1)(-0.0162) = 0.4514",
        "W1_new = [[0.4514, 0.3707], [0.1848, 0.4732]]",
        "b1_new = [-0.1257, 0.0336]",
        "b2_new = -0.7197",
    ], 8, []),
    (example, [
        "L = -[y ln ŷ + (1-y) ln(1-ŷ)] = -ln 0.5846 = 0.5369",
        "L = -[0·ln(0.4154) + (1-0)·ln(1-0.4154)] = 0.5369",
    ], 2, []),
    (example, [
        "– z1 = 0.6478",
        "‣ z2 = 0.7225",
        "◦ a1=.6565,a2=.6732",
        "\tz1 = 0.6478\tz2 = 0.7225",
    ], 6, []),
    (example, [
        "e = 2.71828",
        "z1 = 0.6478",
        "a1 = 1/(1+2.71828^(-0.6478)) = 0.6565",
    ], 2, [1]),
    (example, [
        "x = (1, 1), y = 0, lr = 1",
        "x1 = x2 = 1",
        "learning rate = 1",
        "z1 is about 0.65",
    ], 7, []),
    (example, [
        "ŷ - y = 0.4154 - 0 = 0.4154",
        "z1 = 0.6478",
    ], 1, []),
    (example, [
        "w11.grad = -0.0162",
        "grad w12 = -0.0162",
        "w11의 gradient = -0.0162",
        "기울기 w12 = -0.0162",
        "∇w21 = 0.0103",
        "w21 기울기: 0.0103",
    ], 6, []),
    (classes, [
        "softmax(z) = [0.2495, 0.6136, 0.1369]",
        "P(2) = 0.6136",
        "logits = [0.1, 1.0, -0.5]",
    ], 6, [2]),
    (example, [
        "Hidden 1: 0.4352(1) + 0.3545(1) - 0.1419 = 0.6478",
        "z1: 0.6478",
    ], 1, [1]),
    (example, [
        "forward: z1 = 0.6478 ⇒ a1 = σ(z1) = 0.6565 ⇒ ... ⇒ ŷ = 0.4154",
    ], 3, []),
    (example, [
        "Since y = 0 only the second term counts: L = -log(1 - ŷ) = -log(0.5846) = 0.5369",
    ], 2, []),
    (example, [
        "z₁=0.6478,  a₁=0.6565 |  z₂=0.7225,  a₂=0.6732",
    ], 4, []),
    (example, [
        "가중합(z1) = 0.6478",
        "활성값 a1: 0.6565",
        "예측값은 0.4154이고 손실값은 0.5369이다",
    ], 4, []),
    (example, [
        "z1 = w11 x1 + w12 x2 + b1 = 0.4352(1)+0.3545(1)+(-0.1419) = 0.6478",
    ], 1, []),
    (example, [
        "$$\\boxed{z_1 = 0.6478}$$",
        "$\\therefore a_1 = 0.6565$",
        "\\(z_2 = 0.7225\\)",
    ], 3, []),
    (example, [
        "$\\dfrac{\\partial L}{\\partial w_{11}^{(1)}} = -0.0162$",
        "$\\dfrac{dL}{dz_2} = 0.0103$",
        "${\\partial L \\over \\partial z_1} = -0.0162$",
    ], 3, []),
    (example, [
        "[풀이]",
        "은닉층",
        " z1 = x1*w11 + x2*w12 + b1",
        "    = 1*0.4352 + 1*0.3545 - 0.1419",
        "    = 0.6478",
        " h1 = 1/(1+e^(-0.6478)) = 0.6565",
    ], 2, []),
    (example, [
        "z1: 0.648, z2: 0.723, a1: 0.657, a2: 0.673, z3: -0.342, yhat: 0.415, loss: 0.537",
    ], 7, []),
    (example, [
        "Forward:",
        "  hidden sums  z = (0.6478, 0.7225)",
        "  hidden outs  a = (0.6565, 0.6732)",
        "Backward:",
        "  delta_out = 0.4154",
        "  delta_hidden = (-0.0162, 0.0103)",
    ], 7, []),
    (example, [
        "δ(o) = ŷ−y = 0.4154",
        "δ(h1) = δ(o)·w5·a1(1−a1) = 0.4154·(−0.1725)·0.2255 = −0.0162",
    ], 2, [2]),
    (example, [
        "ŷ = 0.4154",
        "L = −[0·ln0.4154 + 1·ln(1−0.4154)] = −ln0.5846 = 0.5369",
        "∂L/∂ŷ = −0/0.4154 + 1/(1−0.4154) = 1.7106",
    ], 3, []),
    (example, [
        "1단계) 가중합 계산: z₁ = 0.4352·1 + 0.3545·1 + (-0.1419) = 0.6478",
        "2단계) 활성화 함수 적용: a₁ = σ(z₁) = 1/(1+e⁻⁰·⁶⁴⁷⁸) = 0.6565",
    ], 2, [2]),
    (example, [
        "z1 = 0.65",
        "z2 = 0.72",
        "a1 = 0.66",
        "a2 = 0.67",
        "z3 = -0.34",
        "ŷ = 0.42",
        "L = 0.54",
    ], 7, []),
    (example, [
        "w11 ← 0.4352 - 1·(-0.0162) = 0.4514",
        "w12 ← 0.3707",
        "b1 ← -0.1257",
    ], 3, []),
    (example, [
        "dw11 = -0.0162, dw12 = -0.0162, db1 = -0.0162",
        "dw21 = 0.0103; dw22 = 0.0103; db2 = 0.0103",
        "dv1 = 0.2727",
    ], 6, [3]),
    (example, [
        "|변수|값|",
        "|---|---|",
        "|$z_1$|$0.6478$|",
        "|$\\hat{y}$|$0.4154$|",
        "|$\\frac{\\partial L}{\\partial w_{11}}$|$-0.0162$|",
    ], 3, []),
    (example, [
        "quantity,formula,value",
        "z1,\"0.4352*1, plus 0.3545*1\",0.6478",
        "a1,sigmoid(z1),0.6565",
        "",
    ], 2, [2]),
    (example, [
        "[{\"name\":\"z1\",\"expression\":\"0.4352+0.3545-0.1419\",\"result\":0.6478},{\"name\":\"a1\",\"expression\":\"sigmoid(z1)\",\"result\":0.6565}]",
    ], 2, []),
    (example, [
        "{\"z\": [0.6478, 0.7225], \"a\": [0.6565, 0.6732], \"y_pred\": 0.4154, \"loss\": 0.5369, \"grads\": {\"W1\": [[-0.0162,-0.0162],[0.0103,0.0103]]}}",  # noqa: E501
    ], 10, []),
    (neuron, [
        "z = 0.8, ŷ = 0.690",
        "손실 L = −ln(ŷ) = 0.371",
        "∂L/∂w = (ŷ − y)x = −0.31 × 2 = −0.62",
        "∂L/∂b = −0.31",
        "w ← 0.5 − 0.1(−0.62) = 0.562",
    ], 6, []),
    (line, [
        "sample 1: ŷ = 2·1+0.5 = 2.5, error = 2.5-3 = -0.5",
        "sample 2: ŷ = 2·2+0.5 = 4.5, error = 4.5-4 = 0.5",
        "loss = (0.25+0.25)/2 = 0.25",
        "dL/dw = 2/2·((-0.5)·1 + 0.5·2) = 0.5",
    ], 4, [1, 2]),
    (classes, [
        "logit: z1 = 0.1, z2 = 1.0, z3 = -0.5",
        "softmax: p1 = e^0.1/(e^0.1+e^1+e^-0.5) = 0.2495",
        "p2 = 0.6136, p3 = 0.1369",
        "cross entropy = -log p2 = 0.4884",
    ], 7, []),
    (classes, [
        "p = softmax([0.1, 1.0, -0.5]) = [0.2495, 0.6136, 0.1369]",
        "dz = p - y = [0.2495, -0.3864, 0.1369]",
        "dW = [[0.2495, 0.4990], [-0.3864, -0.7728], [0.1369, 0.2738]]",
        "db = [0.2495, -0.3864, 0.1369]",
    ], 15, [1, 2]),
    (example, [
        "z1 = 0.6478 z2 = 0.7225",
    ], 2, []),
    (example, [
        "dL/dw5 = 0.4154 a1 = 0.2727",
    ], 1, []),
    (example, [
        "\\begin{align} z_1 &= 0.6478 & z_2 &= 0.7225 \\\\ a_1 &= 0.6565 & \\hat y &= 0.4154 \\end{align}",
    ], 4, []),
]  # fmt: skip

# The step, the lines, the values that are right before the last line but for those within it; what is wrong.
WRONG = [
    (example, [
        "δ(h1) = δ(o)·w5·a1 = 0.4154·(−0.1725)·0.6565 = −0.0470",
    ], 0, "∂L/∂z⁽¹⁾₁", "factor_forgotten"),
    (example, [
        "a1 = 0.6565",
        "a2 = 0.6732",
        "z3 = w5·a2 + w6·a1 + b3 = -0.1725·0.6732 + 0.1129·0.6565 - 0.3043 = -0.3463",
    ], 2, "z⁽²⁾", "index"),
    (example, [
        "ŷ = 0.4154",
        "L = −ln(0.4154) = 0.8785",
    ], 1, "L", "complement"),
    (example, [
        "ŷ = 0.4154",
        "∂L/∂ŷ = −1/(1−0.4154) = −1.7106",
    ], 1, "∂L/∂ŷ", "sign"),
    (example, [
        "z1 = 0.6478",
        "a1 = 0.6569",
    ], 1, "a⁽¹⁾₁", None),
    (neuron, [
        "z = 0.8, ŷ = 0.690",
        "∂L/∂w = ŷ − y = −0.31",
    ], 2, "∂L/∂w⁽¹⁾", "factor_forgotten"),
    (neuron, [
        "z = 0.5 + 2 - 0.2 = 2.3",
    ], 0, "z⁽¹⁾", None),
    (line, [
        "ŷ1 = 2.5, ŷ2 = 4.5, MSE = 0.25",
        "dL/dw = (-0.5)·1 + 0.5·2 = 0.5",
        "dL/db = 0",
        "w' = 2 + 0.1·0.5 = 2.05",
    ], 5, "w⁽¹⁾′", "uphill"),
    (classes, [
        "p = [0.2495, 0.6136, 0.1369]",
        "dW = [[0.2495, -0.3864, 0.1369],[0.4990,-0.7728,0.2738]]",
    ], 4, "∂L/∂w⁽¹⁾₁₂", "index"),
    (relu, [
        "z1 = 0.75, z2 = -1.1",
        "h1 = 0.75, h2 = -1.1",
    ], 3, "a⁽¹⁾₂", "activation_forgotten"),
    (relu, [
        "ŷ = 0.725",
        "L = ½(0.725 − 1)² = 0.0378",
    ], 1, "L", "factor_two"),
    (example, [
        "## 순전파",
        "은닉층의 첫 번째 뉴런: z₁ = 0.4352×1 + 0.3545×1 + 0.1419 = 0.9316 (편향 더함)",
    ], 0, "z⁽¹⁾₁", "sign"),
    (example, [
        "먼저 $z_1 = 0.6478$ 이고 $z_2 = 0.7225$ 이므로",
        "$$h_1 = \\frac{1}{1+e^{-0.6478}} = 0.6565,\\quad h_2 = \\frac{1}{1+e^{0.7225}} = 0.3268$$",
    ], 3, "a⁽¹⁾₂", "exp_sign"),
    (example, [
        "Compute a1 = .6565 & a2 = .6732.",
        "So net_o = (-.1725)(.6565) + (.1129)(.6732) = -.0372",
    ], 2, "z⁽²⁾", "bias_forgotten"),
    (example, [
        "loss: L = -log10(1-0.4154) = 0.2332 (로그 계산기 사용)",
    ], 0, "L", "logarithm"),
    (example, [
        "ŷ ≈ 41.54%",
        "dL/dz3 = ŷ(1-ŷ) = 0.2428",
    ], 1, "∂L/∂z⁽²⁾", "factor_forgotten"),
    (example, [
        "δ₂ = 0.4154 이다.",
        "따라서 ∂L/∂w₅ = δ₂ × z₁ = 0.4154 × 0.6478 = 0.2691",
    ], 1, "∂L/∂w⁽²⁾₁", "activation_skipped"),
    (example, [
        "| | h1 | h2 |",
        "|--|--|--|",
        "| z | 0.6478 | 0.7225 |",
        "| a | 0.6565 | 0.6372 |",
    ], 3, "a⁽¹⁾₂", "digits_swapped"),
    (example, [
        "w₁₁(new) = 0.4352 + 1×(−0.0162) = 0.4190",
    ], 0, "w⁽¹⁾₁₁′", "uphill"),
    (example, [
        "갱신: w5 = -0.1725 - 0.4154·0.6565 = -0.4452, w6 = 0.1129 - 0.2797 = 0.1668",
    ], 1, "w⁽²⁾₂′", "sign"),
    (example, [
        "a1=0.6565; a1'=a1(1-a1)=0.2255; da2: a2'=z2(1-z2)=0.2005",
    ], 2, "∂a⁽¹⁾₂/∂z⁽¹⁾₂", "of_the_sum"),
    (example, [
        "dL/da1 = 0.4154·0.1129 = 0.0469",
    ], 0, "∂L/∂a⁽¹⁾₁", "index"),
    (neuron, [
        "가중합은 0.8이고 예측은 0.690이다.",
        "손실은 0.371",
        "기울기 w = (0.690-1)·2 = -0.62",
        "학습률 0.1이므로 새 w = 0.5 - 0.62·0.1 = 0.438",
    ], 4, "w⁽¹⁾′", "uphill"),
    (line, [
        "y1_hat = 2.5",
        "y2_hat = 4.5",
        "MSE = ((-0.5)^2 + (0.5)^2) = 0.5",
    ], 2, "L", "mean_forgotten"),
    (classes, [
        "z = [0.1, 1.0, -0.5]",
        "S = e^0.1+e^1+e^-0.5 = 4.43",
        "p1 = 0.1/0.6 = 0.1667",
    ], 4, "p₁", None),
    (relu, [
        "z2 = -1.1",
        "a2 = relu(-1.1) = 1.1",
    ], 1, "a⁽¹⁾₂", "sign"),
    (adam, [
        "m_w = 0.1·(-4.05) = -0.405",
        r"$\hat{m}_w = -0.405$",
    ], 1, "m̂_w⁽¹⁾", "correction_forgotten"),
    (adam, [
        "m_w: -0.405",
        "v_w = 0.001·(-4.05) = -0.00405",
    ], 1, "v_w⁽¹⁾′", "power_forgotten"),
    (adam, [
        "m_hat_w = -4.05",
        "v_hat_w = 16.4025",
        "w' = 0.7 - 0.1*(-4.05)/(16.4025 + 1e-8) = 0.7247",
    ], 2, "w⁽¹⁾′", "root_forgotten"),
    (adam, [
        "v̂_w = 0.0164025/(1-0.9) = 0.164025",
    ], 0, "v̂_w⁽¹⁾", None),
    (example, [
        "z1 = 0.6478",
        r"$w_{11}^{new} = 0.4352 + 1 \cdot (-0.0162) = 0.4190$",
    ], 1, "w⁽¹⁾₁₁′", "uphill"),
    (example, [
        r"$z_1 = \sum_i w_{1i} \cdot x_i + b_1 = 0.6578$",
    ], 0, "z⁽¹⁾₁", "arithmetic"),
    (example, [
        r"$z_1 = \sum_i w_{1i} \cdot x_i = 0.7897$",
    ], 0, "z⁽¹⁾₁", "bias_forgotten"),
    (classes, [
        "p1 = 0.2495",
        r"$\sum_k e^{z_k} = 4.53$",
    ], 1, "Σ_k e^(z_k)", "arithmetic"),
    (classes, [
        "p2 = 0.6136",
        "L = -ln(0.6136) = 0.2121",
    ], 1, "L", "logarithm"),
]  # fmt: skip


@pytest.mark.parametrize("step, lines, right, unread", RIGHT)
def test_right_work_raises_no_alarm(step, lines, right, unread):
    checked = check_work(step(), "\n".join(lines))
    assert (checked.wrong, checked.right) == (None, right)
    places = {r.place for r in checked.remarks if r.kind not in ("output", "negative")}
    assert sorted(places) == unread


@pytest.mark.parametrize("step, lines, right, symbol, slip", WRONG)
def test_wrong_work_is_found(step, lines, right, symbol, slip):
    checked = check_work(step(), "\n".join(lines))
    wrong = checked.wrong
    assert (checked.right, wrong.entry.place, wrong.symbol) == (right, len(lines), symbol)
    assert (None if wrong.slip is None else wrong.slip.kind) == slip
