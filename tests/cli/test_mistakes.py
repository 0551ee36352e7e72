"""What a person sees who makes a mistake: one message, the right exit code, and nothing half-written."""

import os
import re
from pathlib import Path

import pytest

ROWS = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(40))
TABLE = "size,rooms,kind\n" + ROWS


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


CONTENTS = {
    "empty": b"",
    "header": b"size,rooms,kind\n",
    "binary": bytes(range(256)) * 8,
    "encoding": b"size,kind\n" + b"1,\xff\xfe\x81\n" * 20,
    "constant": ("size,kind\n" + "".join(f"{i},7\n" for i in range(40))).encode(),
    "one class": ("size,kind\n" + "".join(f"{i},cat\n" for i in range(40))).encode(),
    "no answers": ("size,kind\n" + "".join(f"{i},\n" for i in range(40))).encode(),
    "few rows": b"size,kind\n1,a\n2,b\n3,a\n4,b\n",
    "infinite": TABLE.replace("\n5,5,", "\n5,inf,").encode(),
    "ragged": TABLE.replace("\n5,5,", "\n5,5,5,").encode(),
    "twice": TABLE.replace("size,rooms", "size,size").encode(),
    "workbook": b"PK\x03\x04" + bytes(100),
    "two rows": b"size,kind\n1,2.5\n2,3.5\n",
    "quote": TABLE.replace("\n5,5,", '\n5,"5,').encode(),
    "behind a quote": TABLE.replace("\n5,5,", '\n5,"5"5,').encode(),
    "names": ("size,kind\n" + "".join(f"{i},name {i}\n" for i in range(40))).encode(),
    "dates": ("size,kind\n" + "".join(f"{i},2024-01-{i % 28 + 1:02d}\n" for i in range(40))).encode(),
    "huge": ("size,kind\n" + "".join(f"{i},{i}.5e200\n" for i in range(40))).encode(),
    "tiny": ("size,kind\n" + "".join(f"{i},{i}.5e-200\n" for i in range(40))).encode(),
    "nothing to learn from": ("same,kind\n" + "".join(f"1,{'ab'[i % 2]}\n" for i in range(40))).encode(),
}


@pytest.mark.parametrize(
    "content, message",
    [
        ("empty", "'data.csv' is empty; it needs a line of column names and rows below it."),
        ("header", "'data.csv' has column names but no rows."),
        ("binary", "is not a text file"),
        ("encoding", "neither UTF-8 nor CP949"),
        ("constant", "the target 'kind' is always '7'"),
        ("one class", "the target 'kind' is always 'cat'"),
        ("no answers", "every cell of the target 'kind' is missing"),
        ("few rows", "training needs at least 10"),
        ("infinite", "column 'rooms' is inf in row 6"),
        ("ragged", "line 7 of 'data.csv' has 4 cells, the header has 3"),
        ("twice", "two columns named 'size'"),
        ("workbook", "Excel workbook; save the sheet as CSV"),
        ("two rows", "only 2 rows have 'kind'; training needs at least 10."),
        ("quote", "a quote that is opened in line 7 of 'data.csv' is never closed; close it."),
        ("behind a quote", "line 7 of 'data.csv' has something behind a closing quote"),
        ("names", "classes that hardly ever repeat cannot be learned. Choose another target."),
        ("dates", "the target 'kind' is a date, which cannot be predicted"),
        (
            "huge",
            "the target 'kind' is 5e+199 in row 1, of which the square is not finite; divide the column.",
        ),
        ("tiny", "and the squares of such numbers are 0; multiply the column."),
        ("nothing to learn from", "no column is left to predict 'kind' from."),
    ],
)
def test_data_that_cannot_be_learned_from(stepgrad, content, message):
    Path("data.csv").write_bytes(CONTENTS[content])
    ran = stepgrad("train", "data.csv", "--target", "kind")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith("Error: ")
    assert message in ran.err
    assert everything() == {"data.csv": CONTENTS[content]}
    assert not Path("runs").exists()


ENGLISH = re.compile(r"\\b(the|is|are|has|have|of|and|in|to|it|not|must|needs?|no|there)\\b")


def assert_korean(ran):
    """The one error, but for what stands in quotes, is Korean."""
    first = ran.err.splitlines()[0]
    assert first.startswith("오류: ")
    assert re.search("[가-힣]", first.removeprefix("오류: "))
    assert not ENGLISH.search(re.sub("'.*?'", "", first)), first


@pytest.mark.parametrize("content", CONTENTS)
def test_data_that_cannot_be_learned_from_are_named_in_korean(stepgrad, content):
    Path("data.csv").write_bytes(CONTENTS[content])
    ran = stepgrad("train", "data.csv", "--target", "kind", "--lang", "ko")
    assert ran.code == 1
    assert_korean(ran)


@pytest.mark.parametrize(
    "arguments",
    [
        "--lr 0", "--lr x", "--epochs 1.5", "--hidden a", "--hidden 0", "--dropout 1", "--weight-decay -1",
        "--batch-size 0", "--task binery", "--activation rellu", "--optimizer adan", "--device cdua",
        "--device cuda:9", "--task regression", "--task", "--quiet=1", "--out data.csv",
        "more.csv and more.csv",
    ],
)  # fmt: skip
def test_wrong_words_on_the_command_line_are_named_in_korean(stepgrad, arguments):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", "data.csv", "--target", "kind", *arguments.split(), "--lang=ko")
    assert ran.code in (1, 2)
    assert_korean(ran)


def test_a_rate_too_high_is_named_in_korean(stepgrad):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    choices = ["--target", "size", "--optimizer", "sgd", "--lr", 1e9, "-q", "--lang", "ko"]
    ran = stepgrad("train", "data.csv", *choices)
    assert ran.code == 1
    assert ran.err.startswith(
        "오류: 에포크 2, 배치 1(스텝 2): 손실이 inf입니다. 그런 값은 연산 mse_loss에서 처음"
    )
    assert ran.err.endswith(
        "학습률을 낮추십시오. 예: --lr 0.01.\n"
        "무엇이 잘못되었는지는 runs/data-1에 있습니다: stepgrad doctor runs/data-1\n"
    )


def test_a_run_that_does_not_fit_its_data_is_named_in_korean(stepgrad, flower_run):
    Path("out.xlsx").write_text("", encoding="utf-8")
    Path("cells.csv").write_text("length,width,colour,kind\n" + "long,1,red,rose\n" * 5, encoding="utf-8")
    Path("columns.csv").write_text("length,width\n1,1\n2,2\n", encoding="utf-8")
    for line in (
        "none-1 cells.csv", "cells.csv cells.csv", f"{flower_run.run} none.csv",
        f"{flower_run.run} cells.csv", f"{flower_run.run} columns.csv",
        f"{flower_run.run} {flower_run.data} -o out.xlsx",
        f"{flower_run.run} {flower_run.data} -o none/out.csv",
    ):  # fmt: skip
        ran = stepgrad("predict", *line.split(), "--lang", "ko")
        assert ran.code in (1, 2)
        assert_korean(ran)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["date.csv", "--target", "kind"], "there is no file 'date.csv'. Did you mean 'data.csv'?"),
        (["no/data.csv", "--target", "kind"], "there is no file 'no/data.csv': the folder"),
        ([".", "--target", "kind"], "'.' is a folder; name the CSV or Parquet file in it."),
        (
            ["data.csv"],
            "name the column to predict: --target COLUMN. The columns of 'data.csv' are 'size', 'rooms'",
        ),
        (["data.csv", "--target", "kidn"], "there is no column 'kidn'. Did you mean 'kind'?"),
        (["--target", "kind"], "which file has the column 'kind'?"),
        (
            ["data.csv", "--target", "kind", "--task", "binery"],
            "there is no task 'binery'. Did you mean 'binary'?",
        ),
        (["data.csv", "--target", "kind", "--activation", "rellu"], "Did you mean 'relu'?"),
        (
            ["data.csv", "--target", "kind", "--optimizer", "adan"],
            "there is no optimizer 'adan'. Did you mean",
        ),
        (["data.csv", "--target", "kind", "--lr", "-1"], "lr must be a number above 0, not -1.0."),
        (
            ["data.csv", "--target", "kind", "--epochs", "0"],
            "epochs must be a whole number of at least 1, not 0.",
        ),
        (
            ["data.csv", "--target", "kind", "--hidden", "3,x"],
            "'3,x' is no list of whole numbers such as 64,64",
        ),
        (
            ["data.csv", "--target", "kind", "--out", "data.csv"],
            "'data.csv' is a file; name a folder for the run.",
        ),
        (["--resume", "runs/x-1"], "there is no run to resume in 'runs/x-1'."),
        (["--resume", "runs/x-1", "--epochs", "9"], "leave out --epochs."),
        (["data.csv", "--resume", "runs/x-1"], "leave out DATA."),
    ],
)
def test_wrong_words_on_the_command_line(stepgrad, arguments, message):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert everything() == {"data.csv": TABLE.encode()}
    assert not Path("runs").exists()


def test_regression_of_texts_is_refused(stepgrad):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", "data.csv", "--target", "kind", "--task", "regression")
    assert ran.code == 1
    assert "holds texts such as 'a'" in ran.err
    assert not Path("runs").exists()


def test_a_device_that_is_not_there(stepgrad):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", "data.csv", "--target", "kind", "--device", "cdua")
    assert ran.code in (1, 2)
    assert "there is no device 'cdua'" in ran.err
    assert not Path("runs").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind the administrator")
def test_a_folder_that_cannot_be_written(stepgrad):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    Path("locked").mkdir(mode=0o500)
    ran = stepgrad("train", "data.csv", "--target", "kind", "--out", "locked/run")
    assert ran.code == 1
    assert "permission denied" in ran.err


def test_a_folder_that_cannot_be_made(stepgrad):
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", "data.csv", "--target", "kind", "--out", "data.csv/run")
    assert ran.code == 1
    assert "cannot create the folder 'data.csv/run'" in ran.err
    assert everything() == {"data.csv": TABLE.encode()}


def test_a_run_that_diverges_leaves_no_folder(stepgrad, monkeypatch):
    from stepgrad.errors import NotFiniteError
    from stepgrad.train.table import job

    def diverge(*_, **__):
        raise NotFiniteError("the loss is nan.")

    monkeypatch.setattr(job, "fit_network", diverge)
    Path("data.csv").write_text(TABLE, encoding="utf-8")
    ran = stepgrad("train", "data.csv", "--target", "kind")
    assert (ran.code, ran.err) == (
        1,
        "Error: the loss is nan. Choose a lower learning rate, such as --lr 0.001.\n",
    )
    assert everything() == {"data.csv": TABLE.encode()}
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
class TestWithARun:
    def test_no_such_run(self, stepgrad, command, flower_run):
        ran = stepgrad(command, "runs/none-1", flower_run.data)
        assert ran.code == 2
        assert "there is no run 'runs/none-1'." in ran.err

    def test_a_mistyped_run(self, stepgrad, command, flower_run):
        Path("runs/flowers-1").mkdir(parents=True)
        ran = stepgrad(command, "runs/flower-1", flower_run.data)
        assert ran.code == 2
        assert "Did you mean 'runs/flowers-1'?" in ran.err

    def test_a_folder_without_a_run(self, stepgrad, command, flower_run):
        Path("folder").mkdir()
        ran = stepgrad(command, "folder", flower_run.data)
        assert ran.code == 2
        assert "'folder' is not the folder of a finished run: it has no model.safetensors." in ran.err

    def test_a_damaged_model(self, stepgrad, command, flower_run):
        content = bytearray((flower_run.run / "model.safetensors").read_bytes())
        content[-9] ^= 1
        Path("model.safetensors").write_bytes(content)
        ran = stepgrad(command, "model.safetensors", flower_run.data)
        assert (ran.code, ran.out) == (1, "")
        assert "'model.safetensors' is damaged" in ran.err
        assert len(ran.err.splitlines()) == 1

    def test_a_cut_model(self, stepgrad, command, flower_run):
        content = (flower_run.run / "model.safetensors").read_bytes()
        Path("model.safetensors").write_bytes(content[: len(content) // 2])
        ran = stepgrad(command, "model.safetensors", flower_run.data)
        assert ran.code == 1
        assert "damaged" in ran.err

    def test_another_kind_of_model(self, stepgrad, command, flower_run):
        import stepgrad as sg

        sg.save(sg.nn.Linear(2, 3), "other.safetensors")
        ran = stepgrad(command, "other.safetensors", flower_run.data)
        assert ran.code == 1
        assert "'other.safetensors' holds no model of a table" in ran.err

    @pytest.mark.parametrize(
        "entry, value, message",
        [
            ("training", {"test": {"accuracy": "high"}}, "its record cannot have"),
            ("training", {"test_rows": "x"}, "holds no usable model"),
            ("training", {"settings": {"target": "kind", "lr": -1}}, "lr must be a number above 0"),
            ("training", 3, "holds no usable model"),
            ("table", {"version": 1, "preparation": 1}, "the description of the preparation is damaged"),
        ],
    )
    def test_a_model_made_by_anyone(self, stepgrad, command, flower_run, entry, value, message):
        from stepgrad.files.model import load, read_record, save

        path = flower_run.run / "model.safetensors"
        save(load(path), "other.safetensors", read_record(path) | {entry: value})
        ran = stepgrad(command, "other.safetensors", flower_run.data)
        assert ran.code == 1
        assert ran.err.count("\n") == 1
        assert message in ran.err

    def test_a_network_beside_another_preparation(self, stepgrad, command, flower_run, house_run):
        from stepgrad.files.model import load, read_record, save

        path = flower_run.run / "model.safetensors"
        save(load(house_run.run / "model.safetensors"), "other.safetensors", read_record(path))
        ran = stepgrad(command, "other.safetensors", flower_run.data)
        assert ran.code == 1
        assert ran.err.startswith("Error: 'other.safetensors' holds no usable model of a table: ")

    def test_the_table_in_place_of_the_run(self, stepgrad, command, flower_run):
        ran = stepgrad(command, flower_run.data, flower_run.run)
        assert ran.code == 2
        assert ran.err == f"Error: '{flower_run.data}' is a table; the run stands before it: RUN DATA.\n"

    def test_missing_columns(self, stepgrad, command, flower_run):
        text = flower_run.data.read_text(encoding="utf-8").replace("length,", "lenght,", 1)
        Path("new.csv").write_text(text, encoding="utf-8")
        ran = stepgrad(command, flower_run.run, "new.csv")
        assert (ran.code, ran.out) == (1, "")
        assert "the table lacks 'length', which the network needs. Did you mean 'lenght'?" in ran.err

    def test_another_kind_of_cells(self, stepgrad, command, flower_run):
        Path("new.csv").write_text("length,width,colour,kind\n" + "long,1,red,rose\n" * 5, encoding="utf-8")
        ran = stepgrad(command, flower_run.run, "new.csv")
        assert ran.code == 1
        assert (
            "column 'length' held numbers in training, but holds texts such as 'long' (row 1) here" in ran.err
        )

    def test_no_such_table(self, stepgrad, command, flower_run):
        ran = stepgrad(command, flower_run.run, "none.csv")
        assert (ran.code, ran.out) == (2, "")
        assert "there is no file 'none.csv'" in ran.err
