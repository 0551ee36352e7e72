"""The Korean texts, by the English ones. `TEXTS` are written where they are used, `SENTENCES` arrive complete."""

TEXTS: dict[str, str] = {
    "Resume with: {command}": "이어서 학습하려면: {command}",
    "{seconds} s": "{seconds}초",
    "{minutes} min {seconds} s": "{minutes}분 {seconds}초",
    "{hours} h {minutes} min": "{hours}시간 {minutes}분",
    "accuracy": "정확도",
    "F1, mean over the classes": "F1(범주 평균)",
    "area under the ROC curve": "ROC 곡선 아래 넓이",
    "root mean squared error": "평균 제곱근 오차",
    "mean absolute error": "평균 절대 오차",
    "R²": "R²",
    "loss": "손실",
}

SENTENCES: dict[str, str] = {
    "there is no column '{name}'. The columns are {names}.": "'{name}' 열이 없습니다. 있는 열: {names}.",
}
