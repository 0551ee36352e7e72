"""The Korean texts of worked steps, by the English ones."""

from __future__ import annotations

EXPLAIN = {
    "A training step, worked out": "학습 한 스텝의 풀이",
    (
        "ŷ is what the network predicts, y the target, L the loss, η the learning rate; a prime (′) marks a "
        "value after the update."
    ): "ŷ은 신경망의 예측값, y는 실젯값, L은 손실, η는 학습률이며, 프라임(′)은 갱신한 뒤의 값을 나타냅니다.",
    "In names neurons and samples count from 1; in ids, as in Python, from 0.": (
        "이름에서 뉴런과 표본의 번호는 1부터, 식별자(id)에서는 파이썬처럼 0부터 셉니다."
    ),
    "Every value is rounded to {count:decimal/decimals} before its next use.": (
        "모든 값은 다음에 쓰기 전에 소수점 아래 {count}자리로 반올림합니다."
    ),
    "With the new parameters the loss on the same data is {after}; it was {before}.": (
        "새 매개변수로 같은 데이터의 손실을 구하면 {after:이/가} 됩니다. 갱신하기 전의 손실은 {before}입니다."
    ),
    "What it starts from": "주어진 값",
    "Forward pass": "순전파",
    "Backward pass": "역전파",
    "Forward": "순전파",
    "Backward": "역전파",
    "Update": "갱신",
    "After the update": "갱신한 뒤",
    "Loss": "손실",
    "Layer {number}: {modules}": "{number}번째 계층: {modules}",
    "The optimizer": "옵티마이저",
    "Input": "입력",
    "Target": "실젯값",
    "Parameters": "매개변수",
    "Learning rate": "학습률",
    "State of the optimizer": "옵티마이저의 상태",
    "Buffers of the model": "모델의 버퍼",
    "Computed elsewhere in the step": "이 스텝의 다른 곳에서 계산한 값",
    "Constants": "상수",
    "and {count} more, all 0": "외 {count}개는 모두 0",
    "and {count} more": "외 {count}개",
    "Row {number} of the table": "표의 {number}행",
    "column": "열",
    "in the row": "행의 값",
    "input of the network": "신경망의 입력",
    "empty": "빈칸",
    "not used by the network": "신경망이 쓰지 않습니다",
    "{count:input/inputs} of this column: 0": "이 열의 입력 {count}개는 모두 0",
    "{count:more input/more inputs} of this column: 0": "이 열의 나머지 입력 {count}개는 0",
    "the cell is empty: the median {value} stands in": "빈칸이라 중앙값 {value:을/를} 대신 씁니다",
    "the row of its embedding": "임베딩에서 쓰는 행",
    "{label}, scaled": "{label}, 척도를 맞춤",
    "What the network answers: {column}": "신경망의 답: {column}",
    "class": "클래스",
    "predicted column": "예측하는 열",
    "before the update": "갱신 전",
    "after the update": "갱신 후",
    "the target": "실젯값",
    "the target: {value}": "실젯값: {value}",
    "the result of {name}, which has no formula here": "연산 {name}의 결과로, 여기에 쓸 식이 없습니다",
    "{value} everywhere, shape {shape}": "모두 {value}, 형태 {shape}",
    "and {count:unit/units} more": "외 뉴런 {count}개",
    (
        "Of layers with many units those are drawn that matter most to the loss: the largest product of "
        "value and gradient."
    ): "뉴런이 많은 계층은 손실에 가장 크게 작용하는 뉴런, 곧 값과 기울기의 곱이 가장 큰 것만 그렸습니다.",
    "with all numbers": "모든 수 보기",
    "Orange lines are negative weights; the thicker, the larger.": (
        "주황색 선은 음의 가중치이며, 굵을수록 큽니다."
    ),
    "The network": "신경망",
    "The network with the numbers of this step": "이 스텝의 값을 적은 신경망",
    "forward: the value": "순전파: 값",
    "backward: the gradient of the loss": "역전파: 손실의 기울기",
    "on a line: the weight": "선 위: 가중치",
    "Click a number: here you see where it comes from and where it goes.": (
        "값을 누르면 그 값이 어디서 왔고 어디에 쓰이는지 여기에 보입니다."
    ),
    "comes from": "어디서 왔는가",
    "goes into": "어디에 쓰이는가",
    "given": "주어진 값입니다.",
    "nothing further": "더 쓰이는 곳이 없습니다.",
    "{count:line/lines}": "{count}줄",
    "all terms ({count} more)": "모든 항 보기({count}개 더)",
    "{count:line/lines} written to {path}": "{path}에 {count}줄을 썼습니다",
    "Writes out one training step, line by line.": "학습 한 스텝을 한 줄씩 풀어 씁니다.",
    (
        "Writes out one training step as a person would on paper: forward pass, loss, chain rule, update, "
        "every line with its formula, its numbers and its value. Of a trained network on one row of a table, "
        "or of the small network that comes along as an example."
    ): (
        "학습 한 스텝을 종이에 풀듯 씁니다. 순전파, 손실, 연쇄 법칙, 갱신의 줄마다 식과 대입한 수와 값이 "
        "있습니다. 학습한 신경망을 표의 한 행으로 풀거나, 함께 제공하는 작은 예제를 풉니다."
    ),
    "A table with the row; by default the one that the run was trained on.": (
        "행이 있는 표. 기본값은 학습에 쓴 표."
    ),
    "a 2-2-1 network, by hand": "2-2-1 신경망을 손으로 풀듯",
    "the same as a page to click through": "같은 풀이를 눌러 보는 페이지로",
    "a network of your own on its third row": "내 신경망을 표의 셋째 행으로",
    "from one weight to the loss": "가중치 하나에서 손실까지",
    "Explain the example, a 2-2-1 network of sigmoids.": "예제인 2-2-1 시그모이드 신경망을 풉니다.",
    "The row of the table.": "표의 행. 1부터 셉니다.",
    "Compare with this answer instead of the row's own.": "행에 있는 답 대신 이 답과 견줍니다.",
    "Only this layer: its number from 1, or its path.": "이 계층만: 1부터 센 번호 또는 경로.",
    "Only this neuron, counted from 0.": "이 뉴런만. 0부터 셉니다.",
    "Only the way from one weight, such as 0.weight[3,1], to the loss.": (
        "0.weight[3,1]과 같은 가중치 하나에서 손실에 이르는 길만."
    ),
    "Numbers line by line, or whole matrices.": "수를 하나씩 쓸지 행렬로 쓸지.",
    "Significant digits.": "유효 숫자의 수.",
    "Round every value to so many decimals.": "모든 값을 소수점 아래 이 자리까지 반올림합니다.",
    "How it is written; by default as -o ends.": "쓰는 형식. 기본값은 -o 파일 이름의 끝.",
    "Write to this file.": "이 파일에 씁니다.",
}

EXPLAIN_ERRORS = {
    "name a run, or ask for the example with --example.": (
        "학습 결과를 지정하거나 --example로 예제를 고르십시오."
    ),
    "there is no row {row}; {place} has {count} rows.": (
        "{row}행이 없습니다. {place}에는 {count}행이 있습니다."
    ),
    "name the table with the row after '{run}', which does not say what it was trained on.": (
        "'{run}'에는 학습에 쓴 표가 적혀 있지 않으니, 그 뒤에 행이 있는 표를 지정하십시오."
    ),
    "'{value}' is no number, which '{name}' is.": (
        "'{value}'{value:+은/는} 수가 아닌데 '{name}'{name:+은/는} 수입니다."
    ),
    "'{value}' is no finite number, which '{name}' is.": (
        "'{value}'{value:+은/는} 유한한 수가 아닌데 '{name}'{name:+은/는} 수입니다."
    ),
    "'{name}' has no class '{value}'. The classes are {names}.": (
        "'{name}'에는 '{value}' 클래스가 없습니다. 있는 클래스: {names}."
    ),
    "{option} is of a run's table; --example has none.": (
        "{option:은/는} 학습 결과의 표에 대한 옵션인데 --example에는 표가 없습니다."
    ),
    "the step starts from the trained weights with a fresh optimizer (t = 0).": (
        "학습된 가중치에서 옵티마이저를 새로 시작하여(t = 0) 한 스텝을 풉니다."
    ),
    "the step starts from the trained weights with a fresh optimizer (t = 0), and Dropout is turned off.": (
        "학습된 가중치에서 옵티마이저를 새로 시작하고(t = 0) Dropout을 끈 채 한 스텝을 풉니다."
    ),
    "the row has no '{name}'; say what to compare with by --target-class.": (
        "행에 '{name}' 값이 없습니다. 무엇과 견줄지 --target-class로 알리십시오."
    ),
    (
        "this step has {count} numbers to write out, more than anybody reads. Pick a layer, a neuron or a "
        "sample, or the path from one weight to the loss, or the matrix layout."
    ): (
        "이 스텝에는 풀어 쓸 수가 {count}개로 읽기에 너무 많습니다. 계층, 뉴런, 표본이나 가중치 하나에서 "
        "손실에 이르는 길을 고르거나 행렬로 쓰게 하십시오."
    ),
    "there is no layer {layer}; layers are numbered 1 to {count}, or named by their paths: {names}.": (
        "계층 {layer:이/가} 없습니다. 계층은 1에서 {count}까지의 번호나 경로로 고릅니다: {names}."
    ),
    "sample, neuron and path pick single numbers: they go with layout='scalar'.": (
        "sample, neuron, path는 수 하나를 고르므로 layout='scalar'와 함께 씁니다."
    ),
    "round_steps works with layout='scalar': a textbook rounds number by number.": (
        "round_steps는 layout='scalar'와 함께 씁니다. 교과서는 수를 하나씩 반올림합니다."
    ),
    "there is no neuron {neuron} in what was picked; neurons count from 0.": (
        "고른 곳에 뉴런 {neuron:이/가} 없습니다. 뉴런은 0부터 셉니다."
    ),
    "path is one weight by its name and indices, such as 0.weight[0,1], not {path}.": (
        "path는 0.weight[0,1]처럼 이름과 번호로 나타낸 가중치 하나입니다. {path:은/는} 그렇지 않습니다."
    ),
    "{name} has the shape {shape}; there is no {index} in it.": (
        "{name}의 형태는 {shape:이라/라} {index:이/가} 없습니다."
    ),
}
