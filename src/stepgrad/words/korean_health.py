"""The Korean texts about the health of a network in training, by the English ones."""

from __future__ import annotations

_FINDINGS = {
    "NaN or infinity": "NaN 또는 무한대",
    "An operation was handed numbers for which its result is not defined or too large to be stored.": (
        "연산이 정의되지 않거나 결과가 너무 커서 저장할 수 없는 수를 받았습니다."
    ),
    "{message}": "{message}",
    "A number that is not finite makes every number computed from it not finite, too.": (
        "유한하지 않은 수가 하나 있으면 그 수로 계산한 수가 모두 유한하지 않게 됩니다."
    ),
    "The step is so long that the new weights are too large to be stored.": (
        "한 스텝이 너무 길어 새 가중치가 저장할 수 없을 만큼 커집니다."
    ),
    "probabilities in place of logits": "로짓 대신 확률",
    "The loss applies a softmax or sigmoid to its input, and {layer} has done so already.": (
        "손실 함수가 입력에 소프트맥스나 시그모이드를 적용하는데, {layer:이/가} 이미 적용했습니다."
    ),
    "Squashed twice, probabilities cannot come near 0 and 1, and gradients are small.": (
        "두 번 눌린 확률은 0이나 1에 가까워질 수 없고, 기울기가 작아집니다."
    ),
    "the outputs handed to the loss as they are": "출력을 그대로 손실 함수에 넘기기",
    "vanishing gradient": "기울기 소실",
    "The gradient that reaches {first} is {ratio} times that at {last}, {layers} layers on.": (
        "{first}에 이르는 기울기가 {layers}계층 뒤 {last}에서의 {ratio}배입니다."
    ),
    (
        "On its way back the gradient is multiplied, layer by layer, by small derivatives and small "
        "weights, so that the first layers hardly learn."
    ): "기울기는 거꾸로 가며 계층마다 작은 미분값과 작은 가중치에 곱해져, 앞쪽 계층은 거의 배우지 못합니다.",
    "exploding gradient": "기울기 폭주",
    "The gradient of {layer} has the norm {gradient}, {ratio} times that of its weights ({weight}).": (
        "{layer}의 기울기는 크기(노름)가 {gradient:으로/로}, 가중치의 크기 {weight}의 {ratio}배입니다."
    ),
    (
        "The weights are so large that numbers and gradients grow from layer to layer, and a step "
        "throws the weights far away."
    ): ("가중치가 커서 값과 기울기가 계층마다 커지고, 한 스텝에 가중치가 멀리 튕겨 나갑니다."),
    "The target has values of the size {size}, and outputs begin near 0, so that gradients are huge.": (
        "실젯값의 크기가 {size}쯤인데 출력은 0 가까이에서 시작하므로 오차와 기울기가 매우 큽니다."
    ),
    "The inputs have values of the size {size}, by which each gradient of the weights is multiplied.": (
        "입력의 크기가 {size}쯤이고, 가중치의 기울기마다 이 값이 곱해집니다."
    ),
    "saturated units": "포화된 뉴런",
    "{share} of the outputs of {op} in {layer} lie where its derivative is nearly 0.": (
        "{layer}에서 {op} 출력의 {share:이/가} 미분값이 거의 0인 곳에 있습니다."
    ),
    "The weighted sums are too large, so that changes of the weights before them hardly show.": (
        "가중합이 너무 커서, 그 앞의 가중치를 바꾸어도 출력이 거의 바뀌지 않습니다."
    ),
    "The inputs reach {size}, which makes the weighted sums too large.": (
        "입력의 크기가 {size}쯤이어서 가중합이 너무 커집니다."
    ),
    "dead units": "죽은 뉴런",
    "{dead} of the {units} units behind {op} in {layer} give the same for all {rows} rows looked at.": (
        "{layer}에서 {op} 뒤의 뉴런 {units}개 가운데 {dead}개가 살펴본 {rows}행 모두에서 같은 값을 냅니다."
    ),
    "Their weighted sums are negative for every row, where the derivative is 0, so they cannot learn.": (
        "가중합이 모든 행에서 음수이고 그곳의 미분값이 0이어서 배우지 못합니다."
    ),
    "learning rate too high": "너무 높은 학습률",
    (
        "At {rate} the loss goes from {start} to {end} in {steps} steps; at {other} it reaches {better}. "
        "A step changes the weights by {update} of their size."
    ): (
        "학습률 {rate}에서 손실이 {steps}스텝 동안 {start}에서 {end:으로/로} 가고, {other}에서는 "
        "{better:이/가} 됩니다. 한 스텝에 가중치가 제 크기의 {update}만큼 바뀝니다."
    ),
    "Each step overshoots the minimum along the steepest direction, so the loss does not fall.": (
        "스텝마다 가장 가파른 방향의 최솟값을 지나쳐 버려 손실이 줄지 않습니다."
    ),
    "weight decay too strong": "너무 강한 가중치 감소",
    (
        "With a weight decay of {decay} the loss goes from {start} to {end} in {steps} steps; without it "
        "it reaches {better}."
    ): (
        "가중치 감소 {decay}에서 손실이 {steps}스텝 동안 {start}에서 {end:으로/로} 가고, "
        "가중치 감소가 없으면 {better:이/가} 됩니다."
    ),
    "In each step the decay pulls the weights towards 0 more strongly than the loss pulls them away.": (
        "스텝마다 손실이 가중치를 0에서 떼어 놓는 것보다 가중치 감소가 0 쪽으로 더 세게 당깁니다."
    ),
    "momentum too high": "너무 높은 모멘텀",
    (
        "With a momentum of {momentum} the loss goes from {start} to {end} in {steps} steps; with {other} "
        "it reaches {better}."
    ): (
        "모멘텀 {momentum}에서 손실이 {steps}스텝 동안 {start}에서 {end:으로/로} 가고, {other}에서는 "
        "{better:이/가} 됩니다."
    ),
    "A step still follows the gradients of some {memory} steps before, and goes past the minimum.": (
        "스텝이 {memory}스텝쯤 전의 기울기를 아직 따라가서 최솟값을 지나쳐 버립니다."
    ),
    "learning rate too low": "너무 낮은 학습률",
    "The steps are so short that training would need many times as many of them.": (
        "한 스텝이 너무 짧아 몇 배나 많은 스텝이 필요합니다."
    ),
    "updates too large": "너무 큰 갱신",
    "updates too small": "너무 작은 갱신",
    (
        "A step changes the weights of {layer} by {update} of their size, those of other layers by {other}."
    ): "한 스텝에 {layer}의 가중치는 제 크기의 {update}만큼, 다른 계층의 가중치는 {other}만큼 바뀝니다.",
    "This layer has too high a learning rate, and forgets in each step what it has learned.": (
        "이 계층의 학습률이 너무 높아, 배운 것을 스텝마다 잊습니다."
    ),
    "This layer has a gradient, but a learning rate with which it practically stands still.": (
        "이 계층에 기울기는 있지만 학습률이 너무 낮아 거의 제자리에 있습니다."
    ),
    "zigzag from inputs of one sign": "부호가 같은 입력에서 오는 지그재그",
    (
        "All inputs of {layer} have one sign ({offset} of their mean square is their mean); the "
        "gradients of a unit's weights agree in sign in {same} of the units."
    ): (
        "{layer}의 입력은 부호가 모두 같고(제곱평균의 {offset:이/가} 평균에서 옵니다), 뉴런의 {same}에서 그 "
        "가중치들의 기울기가 모두 같은 부호입니다."
    ),
    "The weights of a unit can only rise or fall together in a step, so that their way is a zigzag.": (
        "한 뉴런의 가중치들이 한 스텝에 함께 커지거나 함께 작아질 수밖에 없어, 최솟값으로 가는 길이 "
        "지그재그가 됩니다."
    ),
    "overfitting": "과대적합",
    (
        "The validation loss was {best} after epoch {epoch} and {last} after epoch {epochs}, while the "
        "training loss fell from {from_loss} to {to_loss}."
    ): (
        "훈련 손실이 {from_loss}에서 {to_loss:으로/로} 줄어드는 동안, 검증 손실은 에포크 {epoch} 뒤의 "
        "{best}에서 에포크 {epochs} 뒤의 {last:으로/로} 올랐습니다."
    ),
    "The network learns its training rows by heart instead of what they have in common with others.": (
        "신경망이 다른 행과 공통된 점을 배우지 않고 훈련 데이터를 외웁니다."
    ),
    "underfitting": "과소적합",
    (
        "The training loss stands still at {loss}; the best constant answer has {base}. With the change "
        "it falls to {reached} in 300 steps."
    ): (
        "훈련 손실이 {loss}에 머물러 있습니다. 언제나 같은 값으로 답할 때의 손실은 {base}입니다. 아래처럼 "
        "바꾸면 300스텝 뒤에 {reached:으로/로} 줄어듭니다."
    ),
    "The network, as it is trained, cannot follow the data, also not those that it trains on.": (
        "이 신경망은 지금의 설정으로 데이터를, 훈련 데이터조차 따라가지 못합니다."
    ),
    "The training loss stands still at {loss}; it began at {base}.": (
        "훈련 손실이 {loss}에 머물러 있습니다. 처음 손실은 {base}입니다."
    ),
}

_CHANGES = {
    "Try {change}.": "해 볼 것: {change}.",
    "a learning rate of {value}": "학습률 {value}",
    "the learning rate of layer {value} as in the other layers": (
        "{value} 계층의 학습률을 다른 계층과 같게 하기"
    ),
    "the learning rate of layer {value} at the geometric mean of its own and that of the other layers": (
        "{value} 계층의 학습률을 지금 값과 다른 계층의 값의 기하 평균으로 하기"
    ),
    "ReLU in place of the saturating activations, with He's initial weights": (
        "포화되는 활성화 함수 대신 ReLU를 쓰고 초기 가중치를 He 초기화로 정하기"
    ),
    "LeakyReLU(0.1) as activation, with He's initial weights and biases of 0": (
        "활성화 함수를 LeakyReLU(0.1)로 하고, 초기 가중치는 He 초기화, 편향은 0으로 하기"
    ),
    "fresh initial weights whose size fits the widths of the layers (He, Glorot)": (
        "계층의 너비에 맞는 크기의 새 초기 가중치(He, Glorot)"
    ),
    "inputs with mean 0 and standard deviation 1": "입력을 평균 0, 표준 편차 1로 바꾸기",
    "{change}, and a learning rate of {value}": "{change}, 그리고 학습률 {value}",
    "a target with mean 0 and standard deviation 1": "실젯값을 평균 0, 표준 편차 1로 바꾸기",
    "a weight decay of {value}": "가중치 감소 {value}",
    "no weight decay": "가중치 감소 없이 학습하기",
    "a momentum of {value}": "모멘텀 {value}",
    "no dropout": "드롭아웃 없이 학습하기",
    "a further hidden layer of {value} units, trained with Adam": (
        "뉴런 {value}개의 은닉층을 하나 더 두고 Adam으로 학습하기"
    ),
    "a learning rate of {value}, and gradients clipped to a common norm of 1": (
        "학습률을 {value:으로/로} 하고 기울기의 크기를 1 이하로 자르기"
    ),
    "{change}: the {rows} loss is {after} after {steps} steps instead of {before}, {gain} lower.": (
        "{change}: {steps}스텝 뒤 {rows} 손실이 {before} 대신 {after}입니다. {gain} 낮습니다."
    ),
    "{change}: the {rows} loss is {after} after {steps} steps instead of {before}: no gain.": (
        "{change}: {steps}스텝 뒤 {rows} 손실이 {before} 대신 {after}입니다. 나아지지 않습니다."
    ),
    "{change}: the {rows} loss is {after} after {steps} steps instead of infinite.": (
        "{change}: {steps}스텝 뒤 {rows} 손실이 무한대 대신 {after}입니다."
    ),
    "{change}: the {rows} loss becomes infinite within {steps} steps: no gain.": (
        "{change}: {steps}스텝 안에 {rows} 손실이 무한대가 됩니다. 나아지지 않습니다."
    ),
    "Nothing that was tried helped.": "해 본 것 가운데 도움이 된 것이 없습니다.",
    "Nothing is wrong.": "이상이 없습니다.",
}

_SHOWN = {
    "The health of training": "학습 상태",
    "The layers while they learned": "학습하는 동안의 계층",
    "gradient": "기울기",
    "a typical step over the weights": "보통 한 스텝 / 가중치",
    "gradient, epoch {epoch}": "기울기, 에포크 {epoch}",
    "epoch {epoch}": "에포크 {epoch}",
    "Says what went wrong in a training run.": "학습에서 무엇이 잘못되었는지 말합니다.",
    (
        "Says what went wrong in a training run: gradients that vanish or explode, units that are dead or "
        "saturated, steps that are too long or too short, over- and underfitting; each with its numbers, its "
        "cause, and a change that was tried on a copy of the network."
    ): (
        "학습에서 무엇이 잘못되었는지 말합니다. 기울기 소실과 폭주, 죽거나 포화된 뉴런, 너무 길거나 짧은 "
        "스텝, 과대적합과 과소적합을 수치와 원인, 그리고 신경망의 복사본에서 해 본 처방과 함께 보여 줍니다."
    ),
    "The folder of a run.": "학습 결과 폴더.",
    "findings, and the layers while they learned": "문제점과, 학습하는 동안의 계층",
}

_FAILED = {
    "a run that ended in NaN or infinity": "NaN이나 무한대로 끝난 학습",
    "Training ended in NaN or infinity; nothing was tested.": (
        "학습이 NaN이나 무한대로 끝나 테스트하지 않았습니다."
    ),
    "What went wrong": "무엇이 잘못되었나",
    "Train again with a lower learning rate:": "더 낮은 학습률로 다시 학습하려면:",
    "The weights as they were before the step that went wrong are in {path}.": (
        "잘못된 스텝 바로 전의 가중치는 {path}에 있습니다."
    ),
    "What went wrong is in {path}: {command}": "무엇이 잘못되었는지는 {path}에 있습니다: {command}",
}

HEALTH: dict[str, str] = _FINDINGS | _CHANGES | _SHOWN | _FAILED
