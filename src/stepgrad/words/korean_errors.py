"""Korean for errors, by the English sentences that other parts of the library have finished already.

The fields `action`, `cause`, `found`, `kind`, `problem`, `reason` and `what` are translated by `PHRASES` in
their turn, `reasons` as sentences.
"""

from stepgrad.words.korean_not_finite import NOT_FINITE, NOT_FINITE_PARTS

_COMMAND_LINE = {
    "there is no option '{name}'.": ("'{name}' 옵션은 없습니다."),
    "there is no command '{name}'. The commands are {names}.": (
        "'{name}' 명령은 없습니다. 있는 명령: {names}."
    ),
    "there is no column '{name}'. The columns are {names}.": ("'{name}' 열이 없습니다. 있는 열: {names}."),
    "there is no file '{path}': the folder '{folder}' does not exist.": (
        "'{path}' 파일이 없습니다. '{folder}' 폴더가 없습니다."
    ),
    "there is no file '{path}'.": ("'{path}' 파일이 없습니다."),
    "'{path}' is a folder; name the CSV or Parquet file in it.": (
        "'{path}'{path:+은/는} 폴더입니다. 그 안의 CSV 또는 Parquet 파일을 적으십시오."
    ),
    "there is no run '{run}'.": ("'{run}' 실행이 없습니다."),
    "there is no run to resume in '{run}'.": ("'{run}'에는 이어서 할 학습이 없습니다."),
    "the run in '{run}' is not finished; finish it with: stepgrad train --resume {run}": (
        "'{run}'의 학습이 끝나지 않았습니다. 이렇게 마치십시오: stepgrad train --resume {run}"
    ),
    (
        "'{folder}' is not empty, and a run never overwrites anything; choose another folder, or go "
        "on with a run by --resume {run}."
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
    "which file has the column '{name}'? Name it: stepgrad {command} DATA --target COLUMN.": (
        "'{name}' 열이 어느 파일에 있습니까? 파일을 적으십시오: stepgrad {command} 파일 --target 열이름."
    ),
    "there is not enough memory for this; free some, or use fewer rows.": (
        "메모리가 모자랍니다. 메모리를 비우거나 행을 줄이십시오."
    ),
    "cannot read or write '{path}': {reason}.": ("'{path}'{path:+을/를} 읽거나 쓸 수 없습니다: {reason}."),
    "cannot read or write: {reason}.": ("읽거나 쓸 수 없습니다: {reason}."),
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
    "'{path}' has column names but no rows.": ("'{path}' 파일에 열 이름만 있고 행이 없습니다."),
    "the target '{name}' is always '{value}': there is nothing to learn; choose another.": (
        "예측할 열 '{name}'{name:+은/는} 언제나 '{value}'{value:+이라/라} 배울 것이 없습니다. 다른 "
        "열을 고르십시오."
    ),
    "every cell of the target '{name}' is missing; choose another target.": (
        "예측할 열 '{name}'의 칸이 모두 비었습니다. 다른 열을 고르십시오."
    ),
    "only {count} rows have {name}; training needs at least {least}.": (
        "{name} 값이 있는 행이 {count}개뿐입니다. 학습에는 적어도 {least}개가 필요합니다."
    ),
    (
        "column '{name}' is {value} in row {row}; a network needs finite numbers: correct the cell "
        "or leave it empty."
    ): ("'{name}' 열의 {row}행이 {value}입니다. 신경망에는 유한한 수가 필요하니 칸을 고치거나 비우십시오."),
    "the table lacks {names}, which the network needs.": ("신경망에 필요한 열이 표에 없습니다: {names}."),
    ("'{path}' is damaged or not a safetensors file: {reason}. Use another copy of it, or write it again."): (
        "'{path}' 파일이 손상되었거나 safetensors 파일이 아닙니다({reason}). 다른 사본을 쓰거나 다시 "
        "만드십시오."
    ),
    "cannot write to standard output: {reason}.": ("표준 출력에 쓸 수 없습니다: {reason}."),
    "there is no task '{name}'. Tasks are {names}.": (
        "'{name}'{name:+은/는} 없는 과제입니다. 있는 과제: {names}."
    ),
    "{what} must be a number {limits}, not {value}.": ("{what:은/는} {limits} 수여야 하는데 {value}입니다."),
    "{what} must be a whole number of at least {least}, not {value}.": (
        "{what:은/는} {least} 이상의 정수여야 하는데 {value}입니다."
    ),
    "refit must be True or False, not {value}.": ("refit은 True 또는 False여야 하는데 {value}입니다."),
    (
        "the fractions of training, validation and test must be three numbers that sum to 1, not {value}."
    ): "훈련, 검증, 테스트의 비율은 더해서 1이 되는 세 수여야 하는데 {value}입니다.",
    "no rows are left for the test; give it a larger fraction.": (
        "테스트에 남는 행이 없습니다. 테스트의 비율을 늘리십시오."
    ),
    (
        "there is not enough memory for a network with hidden layers of {layers} units, which has "
        "{count} weights; choose fewer."
    ): (
        "은닉층의 뉴런이 {layers}개인 신경망은 가중치가 {count}개여서 메모리가 모자랍니다. 뉴런 수를 "
        "줄이십시오."
    ),
    "there is no device {name}; use 'cpu', 'cuda' or 'cuda:0'.": (
        "{name} 장치는 없습니다. 'cpu', 'cuda', 'cuda:0' 가운데 고르십시오."
    ),
    "there is no device '{name}': CUDA sees {count} GPU(s), numbered from 0.": (
        "'{name}' 장치가 없습니다. CUDA에서 보이는 GPU는 {count}개이고 번호는 0부터입니다."
    ),
    (
        "device 'cuda' needs CuPy, which is not installed: pip install 'stepgrad[cuda]' (for drivers "
        "of CUDA 12 and newer)."
    ): (
        "'cuda' 장치에는 CuPy가 필요한데 설치되어 있지 않습니다: pip install 'stepgrad[cuda]' (CUDA "
        "12 이상의 드라이버용)."
    ),
    "device 'cuda' is not usable here: {reason}. Use device 'cpu'.": (
        "여기서는 'cuda' 장치를 쓸 수 없습니다({reason}). 'cpu'를 쓰십시오."
    ),
    "no NVIDIA GPU is visible to CUDA. Use device 'cpu'.": (
        "CUDA에서 보이는 NVIDIA GPU가 없습니다. 'cpu'를 쓰십시오."
    ),
}

_TABLES = {
    "'{path}' is not a text file, or is UTF-16 without a byte order mark; save it as UTF-8.": (
        "'{path}'{path:+은/는} 글 파일이 아니거나, 바이트 순서 표시가 없는 UTF-16입니다. UTF-8로 "
        "저장하십시오."
    ),
    "'{path}' is not a text file: line {line} has NUL bytes.": (
        "'{path}'{path:+은/는} 글 파일이 아닙니다. {line}번째 줄에 NUL 바이트가 있습니다."
    ),
    "'{path}' starts as UTF-16 but cannot be decoded; save it as UTF-8.": (
        "'{path}'{path:+은/는} UTF-16으로 시작하지만 풀어 읽을 수 없습니다. UTF-8로 저장하십시오."
    ),
    "'{path}' cannot be decoded: line {line} is {what} (byte 0x{byte}); save the file as UTF-8.": (
        "'{path}' 파일을 풀어 읽을 수 없습니다. {line}번째 줄은 {what}(바이트 0x{byte}). UTF-8로 "
        "저장하십시오."
    ),
    "'{path}' is a zip archive or an Excel workbook; save the sheet as CSV.": (
        "'{path}'{path:+은/는} ZIP 파일이거나 엑셀 통합 문서입니다. 시트를 CSV로 저장하십시오."
    ),
    "'{path}' is an old Excel or Office file; save the sheet as CSV.": (
        "'{path}'{path:+은/는} 옛 엑셀 또는 오피스 파일입니다. 시트를 CSV로 저장하십시오."
    ),
    "'{path}' is a PDF; take the table out of it as CSV.": (
        "'{path}'{path:+은/는} PDF입니다. 표를 CSV로 꺼내십시오."
    ),
    "'{path}' has two columns named '{name}' ({first} and {second}); rename one of them.": (
        "'{path}' 파일에 '{name}' 열이 둘입니다({first}번째와 {second}번째). 하나의 이름을 바꾸십시오."
    ),
    "{where} has two columns named '{name}'; rename one of them.": (
        "{where}에 '{name}' 열이 둘입니다. 하나의 이름을 바꾸십시오."
    ),
    (
        "line {line} of '{path}' has {what}, the header has {kind} (separated by {cause}); if a cell "
        'contains one of the {word} itself, put the cell in quotes ("…").'
    ): (
        "'{path}' 파일의 {line}번째 줄은 {what}인데 열 이름은 {kind}입니다({cause:으로/로} 나눔). 칸 "
        '안에 그 부호가 들어 있으면 칸을 따옴표("…")로 묶으십시오.'
    ),
    "a quote that is opened in line {line} of '{path}' is never closed; close it.": (
        "'{path}' 파일의 {line}번째 줄에서 연 따옴표를 닫지 않았습니다. 닫으십시오."
    ),
    "line {line} of '{path}' has something behind a closing quote; double a quote inside a cell.": (
        "'{path}' 파일의 {line}번째 줄에서 닫는 따옴표 뒤에 글이 있습니다. 칸 안의 따옴표는 두 번 쓰십시오."
    ),
    "'{path}' has no line end within {size} MB; is a quote never closed?": (
        "'{path}' 파일에 {size} MB 안에 줄 끝이 없습니다. 따옴표를 닫지 않았습니까?"
    ),
    "the compressed file '{path}' is damaged or cut short; fetch it again.": (
        "압축 파일 '{path}'{path:+이/가} 손상되었거나 잘렸습니다. 다시 받으십시오."
    ),
    "the Parquet file '{path}' is damaged: {reason}.": (
        "Parquet 파일 '{path}'{path:+이/가} 손상되었습니다: {reason}."
    ),
    "the table has no column that a network can use.": ("표에 신경망이 쓸 수 있는 열이 없습니다."),
    "a table needs at least one column.": ("표에는 적어도 열 하나가 있어야 합니다."),
    "the columns of a table need the same number of rows, not {names}.": (
        "표의 열은 행의 수가 모두 같아야 하는데 다릅니다: {names}."
    ),
    (
        "column '{name}' has the type {kind}, which a network cannot use; make it numbers, texts, "
        "booleans or dates."
    ): ("'{name}' 열의 자료형 {kind:은/는} 신경망이 쓸 수 없습니다. 수, 글, 참·거짓 또는 날짜로 바꾸십시오."),
    "column '{name}' has the type {kind}, which is neither number, text, boolean nor date.": (
        "'{name}' 열의 자료형 {kind:은/는} 수도 글도 참·거짓도 날짜도 아닙니다."
    ),
    "column '{name}' must have one dimension, not the shape {shape}.": (
        "'{name}' 열은 1차원이어야 하는데 형태가 {shape}입니다."
    ),
    "column '{name}' has cells of type {kind}; a cell is one number, text, or date.": (
        "'{name}' 열의 칸이 {kind} 자료형입니다. 칸 하나는 수, 글 또는 날짜 하나입니다."
    ),
    (
        "column '{name}' held {what} in training, but holds texts such as '{cell}' (row {row}) here; "
        "correct its cells."
    ): (
        "'{name}' 열은 학습할 때 {what} 열이었는데 여기에는 '{cell}'({row}행) 같은 글이 있습니다. "
        "칸을 고치십시오."
    ),
    "column '{name}' held {what} in training, but holds {kind} here; correct its cells.": (
        "'{name}' 열은 학습할 때 {what} 열이었는데 여기서는 {kind} 열입니다. 칸을 고치십시오."
    ),
    "column '{name}' held booleans in training, but holds '{cell}' here.": (
        "'{name}' 열은 학습할 때 참·거짓 열이었는데 여기에는 '{cell}'{cell:+이/가} 있습니다."
    ),
    (
        "the target '{name}' is {value} in row {row}; a network needs finite numbers: correct the "
        "cell or leave it empty."
    ): (
        "예측할 열 '{name}'의 {row}행이 {value}입니다. 신경망에는 유한한 수가 필요하니 칸을 고치거나 "
        "비우십시오."
    ),
    ("the target '{name}' is {value} in row {row}, of which the square is not finite; divide the column."): (
        "예측할 열 '{name}'의 {row}행이 {value:이라/라} 제곱하면 유한하지 않습니다. 열을 나누어 작게 "
        "하십시오."
    ),
    (
        "the target '{name}' varies by {value} only, and the squares of such numbers are 0; multiply "
        "the column."
    ): ("예측할 열 '{name}'의 값이 {value}만큼만 달라 제곱하면 0이 됩니다. 열에 곱하여 크게 하십시오."),
    "the target '{name}' has one value in the training rows; there is nothing to learn.": (
        "예측할 열 '{name}'{name:+은/는} 훈련 데이터에서 값이 하나뿐이라 배울 것이 없습니다."
    ),
    "the target '{name}' is missing in row {row}; leave such rows out.": (
        "예측할 열 '{name}'의 {row}행이 비었습니다. 그런 행을 빼십시오."
    ),
    (
        "the target '{name}' is '{value}' in row {row}, a class that the network does not know; it "
        "knows {names}."
    ): ("예측할 열 '{name}'의 {row}행이 '{value}'인데 신경망이 모르는 클래스입니다. 아는 클래스: {names}."),
    (
        "the target '{name}' is a date, which cannot be predicted; make it a number, such as its days."
    ): "예측할 열 '{name}'{name:+은/는} 날짜라서 예측할 수 없습니다. 날수 같은 수로 바꾸십시오.",
    (
        "dates cannot be predicted; choose another target, or make it a number, such as days since a day."
    ): "날짜는 예측할 수 없습니다. 다른 열을 고르거나, 어느 날부터의 날수 같은 수로 바꾸십시오.",
    "the target '{name}' holds {what}, so regression is impossible; leave the task open.": (
        "예측할 열 '{name}'에 {what:이/가} 있어 회귀는 할 수 없습니다. --task를 빼십시오."
    ),
    "the target '{name}' has {count} values ({names}), a binary task needs exactly two.": (
        "예측할 열 '{name}'의 값은 {count}가지({names})인데 이진 분류에는 꼭 두 가지여야 합니다."
    ),
    (
        "the target '{name}' has {count} different values in {rows} rows; classes that hardly ever "
        "repeat cannot be learned. Ask for regression."
    ): (
        "예측할 열 '{name}'{name:+은/는} {rows}행에 서로 다른 값이 {count}가지입니다. 거의 "
        "되풀이되지 않는 클래스는 배울 수 없습니다. --task regression을 쓰십시오."
    ),
    (
        "the target '{name}' has {count} different values in {rows} rows; classes that hardly ever "
        "repeat cannot be learned. Choose another target."
    ): (
        "예측할 열 '{name}'{name:+은/는} {rows}행에 서로 다른 값이 {count}가지입니다. 거의 "
        "되풀이되지 않는 클래스는 배울 수 없습니다. 다른 열을 고르십시오."
    ),
    (
        "the target '{name}' has {count} different values in {rows} rows; classes that hardly ever "
        "repeat cannot be learned. If it is a number, correct the cells that are none, such as "
        "'{cell}' (row {row})."
    ): (
        "예측할 열 '{name}'{name:+은/는} {rows}행에 서로 다른 값이 {count}가지입니다. 거의 "
        "되풀이되지 않는 클래스는 배울 수 없습니다. 수라면 '{cell}'({row}행)처럼 수가 아닌 칸을 "
        "고치십시오."
    ),
    "only {count} row has {name}; training needs at least {least}.": (
        "{name} 값이 있는 행이 {count}개뿐입니다. 학습에는 적어도 {least}개가 필요합니다."
    ),
    "regression needs a target of numbers.": ("회귀로 예측할 열은 수여야 합니다."),
    "no column is left to predict '{name}' from. {reasons}": (
        "'{name}'{name:+을/를} 예측할 열이 남지 않았습니다. {reasons}"
    ),
    "no row has a value of '{name}', so there is nothing to compare predictions with.": (
        "'{name}' 값이 있는 행이 없어 예측값과 견줄 것이 없습니다."
    ),
}

_FILES = {
    "cannot {action} '{path}': there is no folder '{folder}'; create it or correct the path.": (
        "'{path}' {action} 수 없습니다. '{folder}' 폴더가 없으니 만들거나 경로를 고치십시오."
    ),
    "cannot {action} '{path}': there is no such file; correct the path.": (
        "'{path}' {action} 수 없습니다. 그런 파일이 없으니 경로를 고치십시오."
    ),
    "cannot {action} '{path}': there is no such file.": (
        "'{path}' {action} 수 없습니다. 그런 파일이 없습니다."
    ),
    "cannot {action} '{path}': {cause}.": ("'{path}' {action} 수 없습니다: {cause}."),
    "a path must be text or a pathlib.Path, got {kind}.": (
        "경로는 글이나 pathlib.Path여야 하는데 {kind:이/가} 왔습니다."
    ),
    "{path} is not a path: it is empty or contains a NUL character.": (
        "{path:은/는} 경로가 아닙니다. 비었거나 NUL 문자가 들어 있습니다."
    ),
    "'{path}' is not the folder of a run: it has no {file}.": (
        "'{path}'{path:+은/는} 학습 결과 폴더가 아닙니다. {file:이/가} 없습니다."
    ),
    "'{path}' is of version {version}; this stepgrad reads version {own}.": (
        "'{path}'{path:+은/는} 판이 {version}인데 이 stepgrad는 {own}판을 읽습니다."
    ),
    "'{path}' has an unknown setting '{name}'.": (
        "'{path}' 파일에 모르는 설정 '{name}'{name:+이/가} 있습니다."
    ),
    "'{path}' is damaged: {cause}.": ("'{path}' 파일이 손상되었습니다: {cause}."),
    "the path {path} or the name {name} is not Unicode text; rename the file.": (
        "경로 {path:이나/나} 이름 {name:이/가} 유니코드 글이 아닙니다. 파일 이름을 바꾸십시오."
    ),
    (
        "'{path}' holds no model of a table; `stepgrad train` writes one. A network alone is read "
        "with stepgrad.load(path)."
    ): (
        "'{path}'에는 표의 모델이 없습니다. 그런 모델은 `stepgrad train`이 씁니다. 신경망만 있는 "
        "파일은 stepgrad.load(path)로 읽습니다."
    ),
    "'{path}' was written by another version of stepgrad; train it again.": (
        "'{path}'{path:+은/는} 다른 판의 stepgrad가 썼습니다. 다시 학습하십시오."
    ),
    "'{path}' is a table; the run stands before it: RUN DATA.": (
        "'{path}'{path:+은/는} 표입니다. 표 앞에 학습 결과의 폴더를 쓰십시오: RUN DATA."
    ),
    "'{path}' holds no usable model of a table: {cause}": (
        "'{path}'에는 쓸 수 있는 표의 모델이 없습니다: {cause}"
    ),
    "the preparation has a column of the unknown kind '{kind}'; use a newer stepgrad.": (
        "준비 과정에 모르는 종류 '{kind}'의 열이 있습니다. 더 새 stepgrad를 쓰십시오."
    ),
    ("the preparation has version {version}, this stepgrad reads {own}; use the stepgrad that wrote it."): (
        "준비 과정의 판이 {version}인데 이 stepgrad는 {own}판을 읽습니다. 그것을 쓴 stepgrad를 쓰십시오."
    ),
    "the description of the preparation is damaged ({kind}: {cause}).": (
        "준비 과정의 설명이 손상되었습니다({kind}: {cause})."
    ),
    "its record cannot have {value} for {name}.": ("그 기록에서 {name:은/는} {value:이/가} 될 수 없습니다."),
    "its network gives {found} and not {expected} for a row.": (
        "그 신경망은 한 행에 {expected:이/가} 아니라 {found:을/를} 냅니다."
    ),
    (
        "the table is not the one that the run in '{folder}' was begun with (its checksum differs), "
        "so that training could not go on to the same result; begin a new run."
    ): (
        "표가 '{folder}'의 학습을 시작한 표와 다릅니다(체크섬이 다름). 같은 결과로 이어 갈 수 없으니 "
        "새로 학습하십시오."
    ),
    "'{folder}' holds a run already; choose another folder, or resume that run.": (
        "'{folder}'에는 이미 학습 결과가 있습니다. 다른 폴더를 고르거나 그 학습을 이어서 하십시오."
    ),
    "the run in '{folder}' was begun with {name} = {then}, not {now}.": (
        "'{folder}'의 학습은 {name} = {then:으로/로} 시작했는데 지금은 {now}입니다."
    ),
    (
        "'{folder}' holds the checkpoints of an earlier run. Go on with it by fit(…, resume=True), "
        "choose another folder, or delete them."
    ): (
        "'{folder}'에 이전 학습의 체크포인트가 있습니다. fit(…, resume=True)로 이어서 하거나, 다른 "
        "폴더를 고르거나, 지우십시오."
    ),
    (
        "cannot resume: of the checkpoints in '{folder}' ({count}) none is undamaged. Delete them to "
        "begin anew."
    ): (
        "이어서 학습할 수 없습니다. '{folder}'의 체크포인트 {count}개가 모두 손상되었습니다. 새로 "
        "시작하려면 지우십시오."
    ),
}

_SEARCH = {
    "the search for settings needs Optuna and scikit-learn: pip install 'stepgrad[tune]'": (
        "설정을 탐색하려면 Optuna와 scikit-learn이 필요합니다: pip install 'stepgrad[tune]'"
    ),
    "there is nothing to search: every setting that is searched was chosen.": (
        "탐색할 것이 없습니다. 탐색하는 설정을 모두 직접 골랐습니다."
    ),
    "trials must be a whole number of at least 1, not {value}.": (
        "trials는 1 이상의 정수여야 합니다({value:은/는} 안 됩니다)."
    ),
    "timeout must be a number of seconds above 0, not {value}.": (
        "timeout은 0보다 큰 초여야 합니다({value:은/는} 안 됩니다)."
    ),
    "no rows are left for validation, by which the settings are chosen.": (
        "설정을 고를 검증 데이터의 행이 남지 않습니다."
    ),
    "no trial had a finite validation loss. Look at the table's numbers.": (
        "검증 손실이 유한한 시도가 없습니다. 표의 수를 살펴보십시오."
    ),
    "'{folder}' holds a search already; choose another folder, or resume that search.": (
        "'{folder}' 폴더에 이미 탐색이 있습니다. 다른 폴더를 고르거나 그 탐색을 이어서 하십시오."
    ),
    "'{folder}' is not the folder of a search: it has no {name}.": (
        "'{folder}'{folder:+은/는} 탐색의 폴더가 아닙니다. {name:이/가} 없습니다."
    ),
    "there is no search to resume in '{run}'.": "'{run}'에는 이어서 할 탐색이 없습니다.",
    (
        "the table is not the one that the search in '{folder}' was begun with (its checksum differs); begin "
        "a new search."
    ): "표가 '{folder}'의 탐색을 시작한 표와 다릅니다(체크섬이 다릅니다). 새로 탐색하십시오.",
    "the search in '{folder}' was begun with other settings; leave them as they were.": (
        "'{folder}'의 탐색은 다른 설정으로 시작했습니다. 설정을 그대로 두십시오."
    ),
    "the search in '{folder}' is finished, and its test rows are used; begin a new search.": (
        "'{folder}'의 탐색은 끝났고 테스트 데이터도 이미 썼습니다. 새로 탐색하십시오."
    ),
}

ERRORS: dict[str, str] = _COMMAND_LINE | _TABLES | _FILES | _SEARCH | NOT_FINITE

PHRASES: dict[str, str] = {
    "numbers": ("수"),
    "texts": ("글"),
    "booleans": ("참·거짓"),
    "dates": ("날짜"),
    "texts such as '{cell}'": ("'{cell}' 같은 글"),
    "1 cell": ("칸 1개"),
    "{count} cells": ("칸 {count}개"),
    "commas": ("쉼표"),
    "semicolons": ("쌍반점"),
    "tabs": ("탭"),
    "bars": ("세로줄"),
    "neither UTF-8 nor CP949": ("UTF-8도 CP949도 아닙니다"),
    "not UTF-8 as the lines before it": ("앞줄과 달리 UTF-8이 아닙니다"),
    "task": ("과제"),
    "activation": ("활성화 함수"),
    "optimizer": ("옵티마이저"),
    "a number of hidden units": ("은닉층의 뉴런 수"),
    "read": ("파일을 읽을"),
    "write": ("파일에 쓸"),
    "delete": ("파일을 지울"),
    "create the folder": ("폴더를 만들"),
    "permission denied; ask for the right to it or choose another place": (
        "권한이 없습니다. 권한을 얻거나 다른 곳을 고르십시오"
    ),
    "the disk is mounted read-only; choose another folder": (
        "디스크가 읽기 전용입니다. 다른 폴더를 고르십시오"
    ),
    "no space left on the disk; free some space or choose another folder": (
        "디스크에 남은 자리가 없습니다. 자리를 비우거나 다른 폴더를 고르십시오"
    ),
    "your disk quota is used up; free some space or choose another folder": (
        "디스크 할당량을 다 썼습니다. 자리를 비우거나 다른 폴더를 고르십시오"
    ),
    "the name is too long; choose a shorter one": ("이름이 너무 깁니다. 더 짧은 이름을 고르십시오"),
    "a part of the path is a file, not a folder": ("경로의 일부가 폴더가 아니라 파일입니다"),
    "it is a folder; name a file in it": ("폴더입니다. 그 안의 파일을 적으십시오"),
    "it is a pipe or a device, not an ordinary file": ("보통 파일이 아니라 파이프이거나 장치입니다"),
    "the file is write-protected; choose another name": ("쓰기 금지 파일입니다. 다른 이름을 고르십시오"),
    "it has no target or no fingerprint": ("target이나 fingerprint가 없습니다"),
    "{name} must be a list": ("{name:은/는} 목록이어야 합니다"),
    **NOT_FINITE_PARTS,
    "'{value}' is not a valid float.": ("'{value}'{value:+은/는} 수가 아닙니다."),
    "'{value}' is not a valid integer.": ("'{value}'{value:+은/는} 정수가 아닙니다."),
    "'{value}' is not one of {names}.": ("'{value}'{value:+은/는} 다음 가운데 하나가 아닙니다: {names}."),
    "'{value}' is no list of whole numbers such as 64,64, and not 'none' either": (
        "'{value}'{value:+은/는} 64,64 같은 정수의 목록도 'none'도 아닙니다"
    ),
}
"""Parts of sentences."""
