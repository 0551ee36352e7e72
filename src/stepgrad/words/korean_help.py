"""The Korean texts of ``--help``, by the English ones."""

HELP: dict[str, str] = {
    "": "",
    "Usage": "사용법",
    "Arguments": "인수",
    "Options": "옵션",
    "Commands": "명령",
    "Examples": "예",
    "Show this message and exit.": "이 도움말을 보여 줍니다.",
    "Trains neural networks on your own tables, and uses them.": (
        "내 표로 신경망을 학습하고, 학습한 신경망을 씁니다."
    ),
    "Print the version.": "버전을 출력합니다.",
    "Language of what you read: en or ko.": "읽을 말: en 또는 ko.",
    "Print one JSON object for programs.": "프로그램이 읽을 JSON 객체 하나를 출력합니다.",
    "Say nothing but the result.": "결과만 말합니다.",
    "train on handwritten digits, which come along": "함께 들어 있는 손글씨 숫자로 학습합니다",
    "train on your own table": "내 표로 학습합니다",
    "predict new rows": "새 행을 예측합니다",
    "see all that training can do": "학습에서 할 수 있는 일을 모두 봅니다",
    # train
    "Trains a network on a table.": "표로 신경망을 학습합니다.",
    (
        "Trains a network that predicts one column of a table from the others, tests it on rows that it has "
        "not seen, and writes a folder with the model and a report. What you do not choose is chosen from "
        "the data."
    ): (
        "표의 한 열을 나머지 열로 예측하는 신경망을 학습하고, 학습에 쓰지 않은 행으로 시험한 다음, "
        "모델과 보고서를 폴더에 씁니다. 고르지 않은 설정은 데이터를 보고 정합니다."
    ),
    (
        "A CSV file (UTF-8 or CP949; commas, semicolons or tabs) or a Parquet file. Without it: handwritten "
        "digits, which come along."
    ): (
        "CSV 파일(UTF-8 또는 CP949, 쉼표·쌍반점·탭으로 나눔)이나 Parquet 파일. 없으면 함께 들어 있는 "
        "손글씨 숫자."
    ),
    "The column to predict.": "예측할 열.",
    "regression, binary or multiclass; found from the target by itself.": (
        "regression(회귀), binary(이진 분류), multiclass(다중 분류). 예측할 열을 보고 스스로 정합니다."
    ),
    "Units of the hidden layers; none: a linear model.": "은닉층의 뉴런 수. none이면 선형 모델.",
    "relu, silu, gelu, tanh, sigmoid, elu or leaky_relu.": (
        "활성화 함수: relu, silu, gelu, tanh, sigmoid, elu, leaky_relu."
    ),
    "adamw, adam or sgd.": "옵티마이저: adamw, adam, sgd.",
    "The learning rate.": "학습률.",
    "How fast weights shrink that nothing holds up.": "가중치 감소: 가중치를 줄이는 정도.",
    "Share of the hidden units that a step leaves out.": "드롭아웃: 한 스텝에서 빼는 은닉층 뉴런의 비율.",
    "Rows in one step.": "배치 크기: 한 스텝에 쓰는 행의 수.",
    "At most so many passes over the training rows.": "에포크의 최대 수.",
    "Stop after so many epochs without progress; 0: never.": (
        "나아지지 않는 에포크가 이만큼 이어지면 멈춥니다. 0이면 멈추지 않습니다."
    ),
    "The same seed gives the same result; 0 by default.": "시드가 같으면 결과도 같습니다. 기본값은 0.",
    "cpu or cuda.": "장치: cpu 또는 cuda.",
    "The run's folder; by default runs/NAME-NUMBER.": "결과를 담을 폴더. 기본값은 runs/이름-번호.",
    "Go on with an interrupted run, to the same result.": "중단한 학습을 이어서 같은 결과에 이릅니다.",
    "handwritten digits": "손글씨 숫자",
    "your own table": "내 표",
    "another network, another split": "다른 신경망, 다른 분할",
    "goes on after Ctrl-C or a power cut": "Ctrl-C나 정전 뒤에 이어서 학습합니다",
    # tune
    "Searches the best settings for a table.": "표에 가장 알맞은 설정을 찾습니다.",
    (
        "Tries many networks on a table, chooses the one with the lowest loss on the validation rows, and "
        "only then tests it, once. Searched are hidden layers, units, activation, learning rate, dropout and "
        "weight decay; what you choose yourself is not searched. The folder is a run's, as train writes it."
    ): (
        "표로 여러 신경망을 학습해 보고 검증 손실이 가장 낮은 것을 고른 다음, 그것만 한 번 시험합니다. "
        "은닉층, 뉴런 수, 활성화 함수, 학습률, 드롭아웃, 가중치 감소를 찾습니다. 직접 고른 설정은 그대로 "
        "둡니다. 결과 폴더는 train의 것과 같습니다."
    ),
    "A CSV or Parquet file. Without it: handwritten digits, which come along.": (
        "CSV 또는 Parquet 파일. 없으면 함께 들어 있는 손글씨 숫자."
    ),
    "30 trials": "30번 시도합니다",
    "at most an hour": "길어야 한 시간",
    "other settings for this network": "이 신경망의 나머지 설정",
    "How many networks to try.": "시도할 신경망의 수.",
    "Begin no trial after so many seconds.": "이만큼 초가 지나면 새로 시도하지 않습니다.",
    "Go on with an interrupted search.": "중단한 탐색을 이어서 합니다.",
    # predict, evaluate
    "Adds predictions to the rows of a table.": "표의 행마다 예측값을 더합니다.",
    (
        "Adds two columns to every row of a table: the prediction and, for classes, its probability. "
        "Without -o the rows go to standard output as CSV. Predicted numbers stay within the range that the "
        "target had in training and a tenth of it on either side, but for linear models."
    ): (
        "표의 행마다 예측값 열과, 분류이면 그 확률 열을 더합니다. -o가 없으면 표준 출력에 CSV로 씁니다. "
        "선형 모델이 아니면 예측하는 수는 훈련 데이터의 범위와 그 양쪽 10분의 1을 벗어나지 않습니다."
    ),
    "The folder of a run, or a model file.": "학습 결과 폴더 또는 모델 파일.",
    "A CSV or Parquet file with the columns that the network was trained on.": (
        "학습에 쓴 열이 있는 CSV 또는 Parquet 파일."
    ),
    "Write to this .csv or .parquet file.": "이 .csv 또는 .parquet 파일에 씁니다.",
    "writes a CSV file": "CSV 파일을 씁니다",
    "looks at the first rows": "처음 몇 행을 봅니다",
    "for programs": "프로그램을 위해",
    "Scores a network on rows with known answers.": "답을 아는 행으로 신경망을 채점합니다.",
    "Compares a network's predictions with the answers that a table has in its target column.": (
        "신경망의 예측값을 표에 있는 실젯값과 견줍니다."
    ),
    "A CSV or Parquet file with the columns that the network was trained on, and the target.": (
        "학습에 쓴 열과 예측한 열이 있는 CSV 또는 Parquet 파일."
    ),
    "a table of scores": "점수 표",
    # completion
    "Prints what makes your shell complete commands.": "셸의 자동 완성 설정을 출력합니다.",
    "Prints what makes your shell complete commands, options, columns and files.": (
        "명령, 옵션, 열, 파일을 셸이 자동 완성하게 하는 설정을 출력합니다."
    ),
    "bash, zsh or fish.": "bash, zsh 또는 fish.",
    "in ~/.bashrc": "~/.bashrc에",
    "in ~/.zshrc": "~/.zshrc에",
    "in ~/.config/fish/config.fish": "~/.config/fish/config.fish에",
}
