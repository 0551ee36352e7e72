"""Korean for sentences that other parts of the library have finished already: reasons, notes, the commonest
errors.

A field stands for whatever the sentence has there; the first template that fits a whole sentence is taken.
"""

from stepgrad.words.korean_explain import EXPLAIN_ERRORS

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
    "column '{name}' is left out: it has a different text in every row, as a name has.": (
        "'{name}' 열은 이름처럼 행마다 글이 달라 뺐습니다."
    ),
    "column '{name}' is left out: it numbers the rows, each with a number of its own.": (
        "'{name}' 열은 행마다 다른 번호라서 뺐습니다."
    ),
    "column '{name}' is left out: a network cannot use its type {kind}.": (
        "'{name}' 열은 자료형이 {kind:이라/라} 신경망에 쓸 수 없어 뺐습니다."
    ),
    "column '{name}' lacks {count} cells, hardly any in training; they count as the average.": (
        "'{name}' 열에는 훈련 데이터에 없던 빈칸이 {count}개 있습니다. 평균으로 여깁니다."
    ),
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
    "{count} rows are of classes that the model does not know, such as '{name}'.": (
        "{count}행은 '{name}'처럼 모델이 모르는 클래스입니다."
    ),
}

_ERRORS = {
    "there is no option '{name}'.": "'{name}' 옵션은 없습니다.",
    "there is no command '{name}'. The commands are {names}.": (
        "'{name}' 명령은 없습니다. 있는 명령: {names}."
    ),
    "there is no column '{name}'. The columns are {names}.": "'{name}' 열이 없습니다. 있는 열: {names}.",
    "there is no file '{path}': the folder '{folder}' does not exist.": (
        "'{path}' 파일이 없습니다. '{folder}' 폴더가 없습니다."
    ),
    "there is no file '{path}'.": "'{path}' 파일이 없습니다.",
    "'{path}' is a folder; name the CSV or Parquet file in it.": (
        "'{path}'{path:+은/는} 폴더입니다. 그 안의 CSV 또는 Parquet 파일을 적으십시오."
    ),
    "there is no run '{run}'.": "'{run}' 실행이 없습니다.",
    "there is no run to resume in '{run}'.": "'{run}'에는 이어서 할 학습이 없습니다.",
    "the run in '{run}' is not finished; finish it with: stepgrad train --resume {run}": (
        "'{run}'의 학습이 끝나지 않았습니다. 이렇게 마치십시오: stepgrad train --resume {run}"
    ),
    (
        "'{folder}' is not empty, and a run never overwrites anything; choose another folder, or go on with "
        "a run by --resume {run}."
    ): (
        "'{folder}' 폴더가 비어 있지 않습니다. 아무것도 덮어쓰지 않으니 다른 폴더를 고르거나, 하던 "
        "학습이면 --resume {run:으로/로} 이어서 하십시오."
    ),
    "'{folder}' is a file; name a folder for the run.": (
        "'{folder}'{folder:+은/는} 파일입니다. 결과를 담을 폴더를 적으십시오."
    ),
    "'{run}' is not the folder of a finished run: it has no {file}.": (
        "'{run}'{run:+은/는} 끝난 학습의 폴더가 아닙니다. {file:이/가} 없습니다."
    ),
    "which file has the column '{name}'? Name it: stepgrad train DATA --target COLUMN.": (
        "'{name}' 열이 어느 파일에 있습니까? 파일을 적으십시오: stepgrad train 파일 --target 열이름."
    ),
    "there is not enough memory for this; free some, or use fewer rows.": (
        "메모리가 모자랍니다. 메모리를 비우거나 행을 줄이십시오."
    ),
    "cannot read or write{place}: {reason}.": "읽거나 쓸 수 없습니다{place}: {reason}.",
    "there is no {what} '{name}'. There are {names}.": (
        "'{name}'{name:+은/는} 없는 {what}입니다. 있는 것: {names}."
    ),
    "name the column to predict: --target COLUMN. The columns of '{path}' are {names}.": (
        "예측할 열을 --target 열이름으로 적으십시오. '{path}' 파일의 열: {names}."
    ),
    "--resume goes on with the settings that the run was begun with; leave out {option}.": (
        "--resume은 처음 설정대로 이어서 합니다. {option:을/를} 빼십시오."
    ),
    "'{path}' ends in neither .csv nor .parquet, which decides how it is written.": (
        "'{path}'{path:+은/는} .csv로도 .parquet으로도 끝나지 않아 형식을 알 수 없습니다."
    ),
    "'{path}' is the file that is read; write the predictions to another one.": (
        "'{path}'{path:+은/는} 지금 읽는 파일입니다. 예측값은 다른 파일에 쓰십시오."
    ),
    "'{path}' is empty; it needs a line of column names and rows below it.": (
        "'{path}' 파일이 비어 있습니다. 열 이름 한 줄과 그 아래에 행이 있어야 합니다."
    ),
    "'{path}' has column names but no rows.": "'{path}' 파일에 열 이름만 있고 행이 없습니다.",
    "the target '{name}' is always '{value}': there is nothing to learn; choose another.": (
        "예측할 열 '{name}'{name:+은/는} 언제나 '{value}'{value:+이라/라} 배울 것이 없습니다. 다른 열을 "
        "고르십시오."
    ),
    "every cell of the target '{name}' is missing; choose another target.": (
        "예측할 열 '{name}'의 칸이 모두 비었습니다. 다른 열을 고르십시오."
    ),
    "only {count} rows have {name}; training needs at least {least}.": (
        "{name} 값이 있는 행이 {count}개뿐입니다. 학습에는 적어도 {least}개가 필요합니다."
    ),
    (
        "column '{name}' is {value} in row {row}; a network needs finite numbers: correct the cell or leave "
        "it empty."
    ): ("'{name}' 열의 {row}행이 {value}입니다. 신경망에는 유한한 수가 필요하니 칸을 고치거나 비우십시오."),
    "the table lacks {names}, which the network needs.": "신경망에 필요한 열이 표에 없습니다: {names}.",
    "'{path}' is damaged or not a safetensors file: {reason}. Use another copy of it, or write it again.": (
        "'{path}' 파일이 손상되었거나 safetensors 파일이 아닙니다({reason}). 다른 사본을 쓰거나 다시 "
        "만드십시오."
    ),
}

FROM_CLICK = {
    "Missing argument '{name}'.": "'{name}' 인수가 빠졌습니다.",
    "Option '{name}' requires an argument.": "'{name}' 옵션에 값이 없습니다.",
    "Invalid value for '{name}': {reason}": "'{name}' 값이 알맞지 않습니다: {reason}",
    "Got unexpected extra argument ({name})": "남는 인수가 있습니다: {name}",
}

SENTENCES: dict[str, str] = _REASONS | _NOTES | _ERRORS | EXPLAIN_ERRORS | FROM_CLICK
