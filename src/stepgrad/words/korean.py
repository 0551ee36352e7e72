"""The Korean texts of the command line and the report, by the English ones, which stand where they are used.

The words are those of the project's glossary: 훈련 is the training part of the data, 학습 what a network does
with it. A field names the pair of particles behind it: ``{name:을/를}``.
"""

from __future__ import annotations

from stepgrad.words.korean_explain import EXPLAIN
from stepgrad.words.korean_hand import HAND
from stepgrad.words.korean_health import HEALTH
from stepgrad.words.korean_help import HELP

_SCORES = {
    "accuracy": "정확도",
    "F1, mean over the classes": "F1(클래스 평균)",
    "area under the ROC curve": "ROC 곡선 아래 넓이(AUC)",
    "root mean squared error": "평균 제곱근 오차(RMSE)",
    "mean absolute error": "평균 절대 오차(MAE)",
    "R²": "결정계수(R²)",
    "loss": "손실",
    "score": "점수",
    "95% interval": "95% 신뢰 구간",
    "95% interval: {low} to {high}": "95% 신뢰 구간: {low} ~ {high}",
    "trivial answer": "단순 예측",
    "always answering '{answer}': {value}": "언제나 '{answer}'{answer:+이라/라}고 답하면: {value}",
    "always answering the mean, {answer}: {value}": "언제나 평균 {answer:으로/로} 답하면: {value}",
    "{name} on the test rows": "테스트 데이터의 {name}",
    (
        "The network gives the right answer for {right} of {count:test row/test rows}, none of which it was "
        "trained on."
    ): ("학습에 쓰지 않은 테스트 데이터 {count}행 가운데 {right}행을 맞혔습니다."),
    (
        "On {count:test row/test rows}, none of which it was trained on, the network's predictions are off "
        "by {error} (root mean squared error)."
    ): "학습에 쓰지 않은 테스트 데이터 {count}행에서 예측값은 {error}만큼 빗나갑니다(평균 제곱근 오차).",
    "They explain {share} of the variance (R²).": "분산의 {share:을/를} 설명합니다(R²).",
    "{seconds} s": "{seconds}초",
    "{minutes} min {seconds} s": "{minutes}분 {seconds}초",
    "{hours} h {minutes} min": "{hours}시간 {minutes}분",
    "regression": "회귀",
    "binary classification": "이진 분류",
    "multi-class classification": "다중 분류",
}

_REPORT = {
    "{target} from {data}": "{data}의 {target}",
    "{count:row/rows}": "{count}행",
    "rows": "행",
    "inputs of the network": "신경망의 입력",
    "parameters": "매개변수",
    "{best} of {epochs}": "{epochs} 중 {best}",
    "best epoch": "최선의 에포크",
    "of training": "학습 시간",
    "How it learned": "학습 과정",
    "training": "훈련",
    "validation": "검증",
    "test": "테스트",
    "epoch": "에포크",
    "epoch {epoch}: {value}": "에포크 {epoch}: {value}",
    "{name} over the epochs": "에포크에 따른 {name}",
    "{name}, logarithmic": "{name}, 로그 눈금",
    "There are no finite values to draw.": "그릴 수 있는 유한한 값이 없습니다.",
    "Training ended after epoch {epoch}: {reason}.": "학습은 에포크 {epoch} 뒤에 끝났습니다({reason}).",
    "The weights of epoch {epoch} were kept.": "에포크 {epoch}의 가중치를 남겼습니다.",
    (
        "Then the network was trained anew for {epochs:epoch/epochs}, on the {rows} training and validation "
        "rows together."
    ): ("그런 다음 훈련 데이터와 검증 데이터를 합친 {rows}행으로 {epochs}에포크 동안 새로 학습했습니다."),
    "What it gets right and wrong": "맞힌 것과 틀린 것",
    "On the test rows": "테스트 데이터",
    "network": "신경망",
    "actual": "실젯값",
    "predicted": "예측값",
    "right": "맞힌 비율",
    "Every test row was recognised.": "테스트 데이터를 모두 맞혔습니다.",
    "None was right.": "맞힌 것이 없습니다.",
    "The most frequent mistakes among {count} classes": "{count}개 클래스에서 가장 잦은 실수",
    "test rows": "테스트 행",
    "Farthest from the answer": "실젯값에서 가장 먼 예측",
    "Near the answer": "실젯값에 가까운 예측",
    "Wrong answers": "틀린 답",
    "Right answers": "맞힌 답",
    "row": "행",
    "row {row}": "{row}행",
    "row {row}: answer {actual}": "{row}행: 정답 {actual}",
    "not {actual}": "정답 {actual}",
    "off by": "오차",
    "probability": "확률",
    "and {count:more row/more rows}": "그 밖에 {count}행",
    "The {shown} most important of {count} columns.": "열 {count}개 가운데 가장 중요한 {shown}개입니다.",
    "Predicted against actual {name}": "{name}의 실젯값과 예측값",
    "actual {name}": "{name} 실젯값",
    "predicted {name}": "{name} 예측값",
    "Predictions stay within the range of the training rows and a tenth of it on either side.": (
        "예측값은 훈련 데이터의 범위와 그 양쪽 10분의 1을 벗어나지 않습니다."
    ),
    "prediction = answer": "예측값 = 실젯값",
    "The most important inputs": "가장 중요한 입력",
    "validation rows": "검증 데이터",
    "training rows": "훈련 데이터",
    (
        "Each column's cells were shuffled among the {rows} (permutation importance). The worse the "
        "predictions get, the more the network relies on the column; around zero, it does without."
    ): (
        "{rows}에서 열마다 칸을 뒤섞어 보았습니다(순열 중요도). 예측이 나빠질수록 신경망이 그 열에 "
        "기대는 것이고, 0에 가까우면 없어도 되는 열입니다."
    ),
    "column": "열",
    "rise of the loss": "손실의 증가",
    "rise of the root mean squared error": "평균 제곱근 오차의 증가",
    "fall of the accuracy": "정확도의 감소",
    "{points} points": "{points}%p",
    "and {count:other column/other columns}": "그 밖의 열 {count}개",
    "The pixels that the network looks at: the stronger the colour, the more important": (
        "신경망이 보는 화소: 색이 짙을수록 중요합니다"
    ),
    "The data": "데이터",
    "{name}: {count:row/rows}": "{name}: {count}행",
    "How the columns were read": "열을 읽은 방식",
    "numbers": "수",
    "numbers with a long tail; those far out are drawn in": "꼬리가 긴 수(멀리 떨어진 값은 당겨 놓음)",
    "yes or no": "예/아니오",
    "categories, each an input of its own": "범주(값마다 입력 하나)",
    "categories, learned as vectors": "범주(벡터로 학습)",
    "dates": "날짜",
    "only whether a cell is filled": "칸이 채워졌는지만",
    "left out": "뺀 열",
    "{count} values": "값 {count}가지",
    "{share} missing": "빈칸 {share}",
    "Task": "과제",
    "{task}, because {reason}.": "{task}. {reason}.",
    "The network and its settings": "신경망과 설정",
    "layer": "계층",
    "output": "출력",
    "together": "합계",
    "How to go on": "이어서 할 일",
    "Predict rows whose answer is not known, and score rows whose answer is known:": (
        "답을 모르는 행은 예측하고, 답을 아는 행은 채점합니다."
    ),
    "The model in Python:": "파이썬에서 모델을 쓰려면:",
    "This run was not written to a folder.": "이 실행은 폴더에 저장하지 않았습니다.",
    "Written by stepgrad {version}.": "stepgrad {version:이/가} 작성했습니다.",
}

_TUNING = {
    "The search for settings": "설정 탐색",
    (
        "{count:trial/trials}: each was trained on the training rows and judged by its loss on the "
        "validation rows alone. The test rows were used once, at the end, for the best."
    ): (
        "{count}번의 시도: 저마다 훈련 데이터로 학습하고 검증 손실로만 견주었습니다. 테스트 데이터는 "
        "마지막에 가장 좋은 것에 한 번만 썼습니다."
    ),
    "hidden layers": "은닉층",
    "activation": "활성화 함수",
    "units in each": "층마다 뉴런 수",
    "learning rate": "학습률",
    "dropout": "드롭아웃",
    "weight decay": "가중치 감소",
    "trial": "시도",
    "trial {trial}: {value}": "시도 {trial}: {value}",
    "trial {number}/{trials}": "시도 {number}/{trials}",
    "validation loss": "검증 손실",
    "The validation loss of each trial": "시도마다의 검증 손실",
    "lowest so far": "그때까지의 최저",
    "What mattered": "중요했던 설정",
    "The share of the differences between the trials that a setting explains (functional ANOVA).": (
        "시도들의 차이 가운데 그 설정으로 설명되는 몫입니다(함수 분산 분석)."
    ),
    "The best of {count:trial/trials} by validation loss": "{count}번 시도 가운데 검증 손실이 가장 낮은 것",
    "diverged": "발산",
    "Interrupted; the trials that are done are kept.": "중단했습니다. 끝난 시도는 남아 있습니다.",
}

_COMMANDS = {
    "Data": "데이터",
    "Network": "신경망",
    "Training": "학습",
    "Test": "테스트",
    "Files": "파일",
    "{total:row/rows}: {train} for training, {validation} for validation, {test} for the test": (
        "{total}행: 훈련 {train}, 검증 {validation}, 테스트 {test}"
    ),
    "{task}, because {reason}": "{task} ({reason})",
    "{count:more note/more notes} in the report": "나머지 {count}개는 보고서에 있습니다",
    "{epochs:epoch/epochs} in {time}, best after epoch {best}; {reason}": (
        "{time} 동안 {epochs}에포크, 에포크 {best}에서 가장 좋음; {reason}"
    ),
    "then trained anew for {epochs:epoch/epochs} on the {rows} training and validation rows together": (
        "그런 다음 훈련과 검증을 합친 {rows}행으로 {epochs}에포크 새로 학습"
    ),
    "({baseline})": "({baseline})",
    "the whole story; open it in a browser": "모든 결과를 담은 보고서(브라우저로 엽니다)",
    "Predict rows whose answer is not known:": "답을 모르는 행을 예측하려면:",
    "{count:row/rows} with a known answer": "답을 아는 {count}행",
    "test of the run": "학습 때의 테스트",
    "{count:row/rows} written to {path}": "{path}에 {count}행을 썼습니다",
    "epoch {epoch}/{epochs}": "에포크 {epoch}/{epochs}",
    "again on all rows, epoch {epoch}/{epochs}": "모든 행으로 다시, 에포크 {epoch}/{epochs}",
    "loss {value}": "손실 {value}",
    "validation {value}": "검증 {value}",
    "best {value}": "최선 {value}",
    "The last checkpoint is unharmed.": "마지막 체크포인트는 그대로 있습니다.",
    "Interrupted.": "중단했습니다.",
    "Interrupted; the checkpoint is saved.": "중단했습니다. 체크포인트를 저장했습니다.",
    "Resume with: {command}": "이어서 학습하려면: {command}",
    "Error: {text}": "오류: {text}",
    "Warning: {text}": "주의: {text}",
    "Note: {text}": "참고: {text}",
    "Help: {command}": "도움말: {command}",
}

TEXTS: dict[str, str] = _SCORES | _REPORT | _TUNING | _COMMANDS | HELP | HEALTH | EXPLAIN | HAND
