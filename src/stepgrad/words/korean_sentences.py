"""Korean for sentences that other parts of the library have finished already: reasons and notes;
errors are in a file of their own.

A field stands for whatever the sentence has there; the first template that fits a whole sentence is taken.
"""

from stepgrad.words.korean_errors import ERRORS
from stepgrad.words.korean_explain import EXPLAIN_ERRORS
from stepgrad.words.korean_hand import HAND_ERRORS

_REASONS = {
    "'{target}' has two values, {one} and {other}": "'{target}'의 값이 {one:과/와} {other} 둘뿐입니다",
    "'{target}' has {count} different texts": "'{target}'에 서로 다른 글이 {count}가지 있습니다",
    "'{target}' has only {count} different whole numbers; ask for regression if it is a quantity": (
        "'{target}'에 서로 다른 정수가 {count}가지뿐입니다. 양을 나타낸다면 --task regression을 쓰십시오"
    ),
    "'{target}' is a number with {count} different values": (
        "'{target}'{target:+은/는} 서로 다른 값이 {count}가지인 수입니다"
    ),
    "you asked for {task}": "--task {task:을/를} 골랐습니다",
    "no improvement for {epochs} epochs": "{epochs}에포크 동안 나아지지 않음",
    "all {epochs} epochs done": "{epochs}에포크를 모두 마침",
}

_NOTES = {
    "a class has a single row, which goes into training: {names}.": (
        "클래스 하나는 행이 하나뿐이라 훈련 데이터에 넣었습니다: {names}."
    ),
    "The table has no other column.": "표에 다른 열이 없습니다.",
    "column '{name}' is text: its dates can be read as {one} and as {other}; write them as 2024-12-31.": (
        "'{name}' 열은 글로 읽었습니다. 날짜가 {one:으로/로}도 {other:으로/로}도 읽힙니다. 2024-12-31처럼 "
        "쓰십시오."
    ),
    "{gone} of {total} rows are left out because {name} is missing.": (
        "{total}행 가운데 {gone}행은 {name} 값이 없어 뺐습니다."
    ),
    "{count} classes have a single row, which goes into training: {names}.": (
        "클래스 {count}개는 행이 하나뿐이라 훈련 데이터에 넣었습니다: {names}."
    ),
    "column '{name}' is left out: it has no filled cell in the training rows.": (
        "'{name}' 열은 훈련 데이터에 채워진 칸이 없어 뺐습니다."
    ),
    "column '{name}' is left out: it has one value in the training rows.": (
        "'{name}' 열은 훈련 데이터에서 값이 하나뿐이라 뺐습니다."
    ),
    "column '{name}' is left out: it has numbers that differ by less than 1e-290.": (
        "'{name}' 열은 수들의 차이가 1e-290보다 작아 뺐습니다."
    ),
    "column '{name}' is left out: it has a different text in every row, as a name has.": (
        "'{name}' 열은 이름처럼 행마다 글이 달라 뺐습니다."
    ),
    "column '{name}' is left out: it numbers the rows, each with a number of its own.": (
        "'{name}' 열은 행마다 다른 번호라서 뺐습니다."
    ),
    "column '{name}' is left out: a network cannot use its type {kind}.": (
        "'{name}' 열은 자료형이 {kind:이라/라} 신경망에 쓸 수 없어 뺐습니다."
    ),
    (
        "column '{name}': {count} of {cells} cells are missing, hardly any in training; they count as the "
        "average."
    ): ("'{name}' 열: 칸 {cells}개 가운데 {count}개는 훈련 데이터에 거의 없던 빈칸이어서 평균으로 여깁니다."),
    (
        "column '{name}': {count} of {filled} cells hold what the network does not know, such as '{text}' "
        "(row {row}); they count as none of its categories."
    ): (
        "'{name}' 열: 칸 {filled}개 가운데 {count}개는 '{text}'({row}행)처럼 신경망이 모르는 값이어서 어느 "
        "범주도 아닌 것으로 여깁니다."
    ),
    (
        "column '{name}': {count} of {filled} cells are far beyond the numbers in training, such as {value} "
        "(row {row}); they count as {far} standard deviations from the mean."
    ): (
        "'{name}' 열: 칸 {filled}개 가운데 {count}개는 {value}({row}행)처럼 훈련 데이터의 수에서 아주 멀어 "
        "평균에서 표준편차의 {far}배 떨어진 값으로 여깁니다."
    ),
    (
        "{count} predictions lie at the limit of what the network predicts, {low} to {high}: the range of "
        "'{name}' in training and a tenth of it on either side."
    ): (
        "예측값 {count}개는 신경망이 예측하는 한계에 있습니다({low} ~ {high}: 훈련 데이터의 '{name}' 범위와 "
        "그 양쪽으로 범위의 10분의 1)."
    ),
    (
        "1 prediction lies at the limit of what the network predicts, {low} to {high}: the range of "
        "'{name}' in training and a tenth of it on either side."
    ): (
        "예측값 1개는 신경망이 예측하는 한계에 있습니다({low} ~ {high}: 훈련 데이터의 '{name}' 범위와 그 "
        "양쪽으로 범위의 10분의 1)."
    ),
    "'{path}' was read as {encoding}.": "'{path}' 파일을 {encoding:으로/로} 읽었습니다.",
    "the first line of '{path}' was taken for column names, though it looks like data.": (
        "'{path}' 파일의 첫 줄은 데이터처럼 보이지만 열 이름으로 읽었습니다."
    ),
    "column '{name}': {bad} of {filled} cells are not {kind} and count as missing: {cells}.": (
        "'{name}' 열: 칸 {filled}개 가운데 {bad}개는 {kind:이/가} 아니어서 빈칸으로 여깁니다: {cells}."
    ),
    "column '{name}' is text, because {bad} of {filled} cells are not {kind}: {cells}.": (
        "'{name}' 열은 칸 {filled}개 가운데 {bad}개가 {kind:이/가} 아니어서 글로 읽었습니다: {cells}."
    ),
    "the network does not use this column: {names}.": "신경망이 쓰지 않는 열: {names}.",
    "the network does not use these columns: {names}.": "신경망이 쓰지 않는 열: {names}.",
    (
        "'{data}' is the table of the run, and the network was trained on most of its rows: the score on new "
        "rows is the one of the run's test."
    ): (
        "'{data}'{data:+은/는} 이 신경망을 학습한 표여서 대부분의 행이 학습에 쓰였습니다. 새 행에서의 점수는 "
        "학습 때의 테스트 점수입니다."
    ),
    (
        "rows of the run's test are scored a second time: a network that is chosen by their score has no "
        "test any more; choose by the validation loss, and test on new rows."
    ): (
        "학습 때의 테스트 데이터를 다시 채점합니다. 이 점수를 보고 신경망을 고르면 더는 시험이 아닙니다. "
        "검증 손실로 고르고 새 행으로 시험하십시오."
    ),
    (
        "the run '{name}' was tested on the same rows: choose between the two by the validation loss, since "
        "a test score that one chooses by is too good."
    ): (
        "'{name}' 실행도 같은 행으로 시험했습니다. 둘 중에서는 검증 손실로 고르십시오. 테스트 점수로 고르면 "
        "그 점수는 실제보다 좋게 나옵니다."
    ),
    "{count} rows are of classes that the model does not know, such as '{name}'.": (
        "{count}행은 '{name}'처럼 모델이 모르는 클래스입니다."
    ),
}

FROM_CLICK = {
    "Missing argument '{name}'. Choose from: {names}": (
        "'{name}' 인수가 빠졌습니다. 다음에서 고르십시오: {names}"
    ),
    "Missing argument '{name}'.": "'{name}' 인수가 빠졌습니다.",
    "Option '{name}' requires an argument.": "'{name}' 옵션에 값이 없습니다.",
    "Invalid value for '{name}': {reason}": "'{name}' 값이 알맞지 않습니다: {reason}",
    "Option '{name}' does not take a value.": "'{name}' 옵션은 값을 받지 않습니다.",
    "Got unexpected extra arguments ({name})": "남는 인수가 있습니다: {name}",
    "Got unexpected extra argument ({name})": "남는 인수가 있습니다: {name}",
}

SENTENCES: dict[str, str] = _REASONS | _NOTES | ERRORS | EXPLAIN_ERRORS | HAND_ERRORS | FROM_CLICK
