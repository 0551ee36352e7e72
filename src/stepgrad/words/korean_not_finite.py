"""The Korean sentences about a NaN or infinity in training, by the English ones, and their parts."""

from __future__ import annotations

# The longer ones first, since the first that fits is taken.
NOT_FINITE: dict[str, str] = {
    (
        "{problem} in epoch {epoch}, batch {batch} (step {step}): {found}. Choose a lower learning "
        "rate, such as --lr {lr}."
    ): ("에포크 {epoch}, 배치 {batch}(스텝 {step}): {problem}. {found}. 학습률을 낮추십시오. 예: --lr {lr}."),
    (
        "{problem} in epoch {epoch}, batch {batch} (step {step}). Choose a lower learning rate, such "
        "as --lr {lr}."
    ): ("에포크 {epoch}, 배치 {batch}(스텝 {step}): {problem}. 학습률을 낮추십시오. 예: --lr {lr}."),
    "{problem} in epoch {epoch}, batch {batch} (step {step}): {found}.": (
        "에포크 {epoch}, 배치 {batch}(스텝 {step}): {problem}. {found}."
    ),
    "{problem} in epoch {epoch}, batch {batch} (step {step}).": (
        "에포크 {epoch}, 배치 {batch}(스텝 {step}): {problem}."
    ),
    "{problem} in step {step}: {found}.": "스텝 {step}: {problem}. {found}.",
    "the run in '{run}' ended in NaN or infinity and left no model; see: stepgrad doctor {run}": (
        "'{run}'의 학습은 NaN이나 무한대로 끝나 모델이 없습니다. 자세히 보려면: stepgrad doctor {run}"
    ),
}

_GIVEN = {
    " (its input: {inputs})": "(입력: {inputs})",
    " (its inputs: {inputs})": "(입력: {inputs})",
    "": "",
}  # fmt: skip

NOT_FINITE_PARTS: dict[str, str] = {
    "the loss is {value}": "손실이 {value}입니다",
    "a gradient is not finite": "기울기가 유한하지 않습니다",
    (
        "the update makes the parameter {name} infinite (its gradient reaches {gradient}, the "
        "learning rate is {lr})"
    ): "갱신하면 매개변수 {name:이/가} 무한대가 됩니다(기울기 {gradient}, 학습률 {lr})",
    "the step makes the buffer {name} infinite": "스텝이 버퍼 {name:을/를} 무한대로 만듭니다",
    **{
        f"the first such value comes from the operation {{name}} in {{module}}{back}{given}": (
            f"그런 값은 {korean_back}{{module}}의 연산 {{name}}에서 처음 나왔습니다{korean}"
        )
        for back, korean_back in ((" of the backward pass", "역전파에서 "), ("", ""))
        for given, korean in _GIVEN.items()
    },
    **{
        f"the first such value comes from the operation {{name}}{back}{given}": (
            f"그런 값은 {korean_back}연산 {{name}}에서 처음 나왔습니다{korean}"
        )
        for back, korean_back in ((" of the backward pass", "역전파의 "), ("", ""))
        for given, korean in _GIVEN.items()
    },
    "the parameter {name} was not finite already": "매개변수 {name:은/는} 이미 유한하지 않았습니다",
    "the input is not finite in row {row} of the data": "데이터의 행 {row}에서 입력이 유한하지 않습니다",
    "the input is not finite in row {row} of the batch": "배치의 행 {row}에서 입력이 유한하지 않습니다",
    "the target is not finite in row {row} of the data": "데이터의 행 {row}에서 실젯값이 유한하지 않습니다",
    "the target is not finite in row {row} of the batch": "배치의 행 {row}에서 실젯값이 유한하지 않습니다",
    "input {i} is not finite in row {row} of the data": (
        "데이터의 행 {row}에서 입력 {i:이/가} 유한하지 않습니다"
    ),
    "input {i} is not finite in row {row} of the batch": (
        "배치의 행 {row}에서 입력 {i:이/가} 유한하지 않습니다"
    ),
}
