"""The Korean texts about hand calculations, by the English ones."""

from __future__ import annotations

_SLIPS = {
    "e^z was taken in place of e^(−z)": "e^(−z) 대신 e^z를 썼습니다",
    "the gradient was added; a step goes against it": (
        "기울기를 더했습니다. 스텝은 기울기의 반대쪽으로 갑니다"
    ),
    "the learning rate {right} is missing": "학습률 {right:이/가} 빠졌습니다",
    "the derivative of the activation, {right}, is missing": "활성화 함수의 미분 {right:이/가} 빠졌습니다",
    "the bias correction is missing: {right}": "편향 보정이 빠졌습니다: {right}",
    "a power is missing: {right}": "거듭제곱이 빠졌습니다: {right}",
    "a root is missing: {right}": "제곱근이 빠졌습니다: {right}",
    "{used} was taken in place of {right}": "{right} 대신 {used:을/를} 썼습니다",
    "the bias {right} is missing": "편향 {right:이/가} 빠졌습니다",
    "the activation function is missing; this is {used}": "활성화 함수를 거치지 않은 {used}의 값입니다",
    "{used} was used in place of {right}, which is computed from it": (
        "{right} 대신 그것을 계산하는 데 쓰는 {used:을/를} 썼습니다"
    ),
    "the derivative was computed from {used}; it is a function of {right}": (
        "미분을 {used:으로/로} 계산했습니다. {right:으로/로} 계산해야 합니다"
    ),
    "a sign was lost or turned round": "부호가 빠졌거나 바뀌었습니다",
    "a factor is missing: {right}": "곱하는 수가 빠졌습니다: {right}",
    "a term of the sum is missing: {right}": "더하는 항이 빠졌습니다: {right}",
    "the weights were used transposed": "가중치를 전치해서 썼습니다",
    "an index is wrong: {used} in place of {right}": "첨자가 틀렸습니다: {right} 대신 {used}",
    "{used} was used in place of {right}": "{right} 대신 {used:을/를} 썼습니다",
    "the mean was not taken: it is divided by {right}": (
        "평균을 내지 않았습니다. {right:으로/로} 나누어야 합니다"
    ),
    "it is off by a factor of 2": "2배 차이가 납니다",
    "the logarithm to base 10 was taken in place of ln": "자연로그 대신 상용로그를 썼습니다",
    "two digits are swapped": "두 숫자의 자리가 바뀌었습니다",
    "the decimal point is in another place": "소수점의 자리가 틀렸습니다",
    "{right} was rounded too early, to {used}": "{right:을/를} 너무 일찍 {used:으로/로} 반올림했습니다",
    "this is the value of {used}": "{used}의 값입니다",
    "the expression is right and gives {right}": "식은 맞고, 계산하면 {right}입니다",
}

_COMMAND = {
    "Line {line} was not read: {text}": "{line}번째 줄은 읽지 못했습니다: {text}",
    "Line {line}: the value was checked, but this was not read: {text}": (
        "{line}번째 줄: 값은 확인했지만 이것은 읽지 못했습니다: {text}"
    ),
    "Line {line}: {text} is no quantity of the step; only the arithmetic was checked": (
        "{line}번째 줄: {text:은/는} 이 스텝의 값이 아니어서 계산만 확인했습니다"
    ),
    "Line {line}: {text} has no significant digit, and was not checked": (
        "{line}번째 줄: {text}에는 유효 숫자가 없어 확인하지 못했습니다"
    ),
    "Line {line} is of the next step and was not checked: {text}": (
        "{line}번째 줄은 다음 스텝의 것이어서 확인하지 않았습니다: {text}"
    ),
    "Line {line}: {text} was taken for the output, not for the target": (
        "{line}번째 줄: {text:을/를} 실젯값이 아니라 출력으로 읽었습니다"
    ),
    "Line {line}: {text} was taken for the gradient with its sign turned": (
        "{line}번째 줄: {text:을/를} 부호를 뒤집은 기울기로 읽었습니다"
    ),
    "Lines that state nothing to check: {lines}": "확인할 것이 없는 줄: {lines}",
    "No mistake found: {count:line/lines} checked, {left:line/lines} not or not wholly read.": (
        "틀린 곳을 찾지 못했습니다. {count}줄을 확인했고, {left}줄은 못 읽었거나 일부만 읽었습니다."
    ),
    "  (Before it {count:line/lines} checked and right, {left:line/lines} not or not wholly read.)": (
        "  (그 앞의 {count}줄은 맞고, {left}줄은 못 읽었거나 일부만 읽었습니다.)"
    ),
    "  (Before it {left:line/lines} not or not wholly read.)": (
        "  (그 앞의 {left}줄은 못 읽었거나 일부만 읽었습니다.)"
    ),
    "All is right: {count:line/lines} checked.": "모두 맞습니다. {count}줄을 확인했습니다.",
    "Line {line} is wrong: {text}": "{line}번째 줄이 틀렸습니다: {text}",
    "  Its expression gives {said}; {symbol} is {right}.": (
        "  식을 계산하면 {said}입니다. {symbol:은/는} {right}입니다."
    ),
    "  {symbol} is {right}, not {said}.": "  {symbol:은/는} {said:이/가} 아니라 {right}입니다.",
    "  The likely slip: {slip}.": "  아마도: {slip}.",
    "  No common slip gives this number.": "  흔한 실수로는 나오지 않는 수입니다.",
    "  ({count:line/lines} before it are right.)": "  (그 앞의 {count}줄은 맞습니다.)",
    "Checks a hand calculation of a training step.": "손으로 계산한 학습 스텝을 채점합니다.",
    (
        "Reads a training step that was worked out by hand, and names the first wrong line, what it should "
        "be, and the likely slip. Without --model it is the step of the 2-2-1 example network. Exit code 0: "
        "all lines are right; 1: one is wrong; 2: the work cannot be read; 3: none is wrong, but not all "
        "that is stated could be checked."
    ): (
        "손으로 계산한 학습 스텝을 읽고, 처음 틀린 줄과 옳은 값, 짐작되는 실수를 말합니다. --model이 없으면 "
        "2-2-1 예제 신경망의 스텝입니다. 종료 코드 0: 모두 맞음, 1: 틀린 줄이 있음, 2: 읽을 수 없음, "
        "3: 틀린 줄은 없지만 확인하지 못한 것이 있음."
    ),
    (
        "A file with lines name = expression = value (text, Markdown, LaTeX) or a table of quantity, "
        "formula, value (CSV, JSON, Markdown); - reads standard input."
    ): (
        "이름 = 식 = 값 꼴의 줄(글, 마크다운, LaTeX)이나 양, 식, 값의 표(CSV, JSON, 마크다운)가 있는 파일. "
        "-는 표준 입력."
    ),
    "the example network": "예제 신경망",
    "your own": "내 신경망",
    "The step of a run's network on a row of its table.": "학습 결과의 신경망이 표의 한 행에서 하는 스텝.",
    "Another table with the row.": "행이 있는 다른 표.",
    "A model that stepgrad.save wrote.": "stepgrad.save로 저장한 모델.",
    "The input, as 1,0.5; rows are parted by semicolons.": "입력. 예: 1,0.5. 행은 쌍반점으로 나눕니다.",
    "The target, in the same form.": "실젯값. 같은 꼴로 적습니다.",
    "The loss; bce by default.": "손실 함수. 기본값은 bce.",
    "The optimizer; sgd by default.": "옵티마이저. 기본값은 sgd.",
    "The learning rate; 1 by default.": "학습률. 기본값은 1.",
}

HAND: dict[str, str] = _SLIPS | _COMMAND

HAND_ERRORS = {
    (
        "there is no line such as z1 = 0.4352·1 + 0.3545·1 − 0.1419 = 0.6478 in it, and no table with "
        "columns quantity, formula, value."
    ): ("z1 = 0.4352·1 + 0.3545·1 − 0.1419 = 0.6478 같은 줄도, 기호·식·값 열이 있는 표도 없습니다."),
    "it is empty.": "비어 있습니다.",
    "'{path}' is a folder; name the file with the work.": (
        "'{path}'{path:+은/는} 폴더입니다. 풀이가 있는 파일을 적으십시오."
    ),
    "'{path}' is no text file.": "'{path}' 파일은 글이 아닙니다.",
    "name either --run or {option}, not both.": "--run과 {option} 중 하나만 적으십시오.",
    (
        "this step has {count} numbers, too many for work by hand; say which part of it was worked out by "
        "--layer, --neuron or --path."
    ): (
        "이 스텝에는 수가 {count}개 있어 손으로 풀기에 너무 많습니다. 푼 부분을 --layer, --neuron, --path로 "
        "알리십시오."
    ),
    "{option} goes with --run.": "{option:은/는} --run과 함께 씁니다.",
    "{option} goes with --model.": "{option:은/는} --model과 함께 씁니다.",
    "it is no JSON: {reason}.": "JSON이 아닙니다: {reason}.",
    "no line names a quantity of this step; its quantities are {names}, ….": (
        "이 스텝의 값을 적은 줄이 없습니다. 이 스텝의 값: {names}, …."
    ),
    "'{path}' cannot be checked: {reason}": "'{path}' 파일을 채점할 수 없습니다. {reason}",
    "name both --input and --target of the step.": "스텝의 --input과 --target을 둘 다 적으십시오.",
    "{option} is no list of numbers such as 1,0.5: '{text}'.": (
        "{option:이/가} 1,0.5 같은 수의 목록이 아닙니다: '{text}'."
    ),
    "name the --model that --input and --target belong to.": (
        "--input과 --target이 어느 모델의 것인지 --model로 적으십시오."
    ),
    "the rows of {option} have different numbers of columns: '{text}'.": (
        "{option}의 행마다 열의 수가 다릅니다: '{text}'."
    ),
}
