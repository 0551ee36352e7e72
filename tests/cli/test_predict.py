"""`stepgrad predict`: every row comes back as it was, with a prediction and its probability."""

import csv
import io
from pathlib import Path

import polars
import pytest


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_go_to_stdout_with_prediction_and_probability(stepgrad, flower_run):
    ran = stepgrad("predict", flower_run.run, flower_run.data)
    assert (ran.code, ran.err) == (0, "")
    before = rows_of(flower_run.data.read_text(encoding="utf-8"))
    after = rows_of(ran.out)
    assert [{name: row[name] for name in before[0]} for row in after] == before
    assert set(after[0]) - set(before[0]) == {"prediction", "probability"}
    assert sum(row["prediction"] == row["kind"] for row in after) > 60
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in after)


def test_cells_stay_as_they_were_written(stepgrad, house_run):
    # "007" stays "007", quoted line ends and commas stay quoted, numbers keep their digits.
    text = 'id;size;garden;note\n007;55.10;yes;"two\nlines; ""quoted"""\n008;120;no;\n'
    Path("new.csv").write_text(text, encoding="utf-8")
    ran = stepgrad("predict", house_run.run, "new.csv")
    assert ran.code == 0
    first, second = rows_of(ran.out)
    assert (first["id"], first["size"], first["note"]) == ("007", "55.10", 'two\nlines; "quoted"')
    assert float(first["prediction"]) < float(second["prediction"])
    assert "the network does not use" in ran.err


def test_a_csv_file_is_written_whole(stepgrad, flower_run):
    ran = stepgrad("predict", flower_run.run, flower_run.data, "-o", "out.csv")
    assert (ran.code, ran.out) == (0, "")
    assert "90 rows written to out.csv" in ran.err
    assert len(rows_of(Path("out.csv").read_text(encoding="utf-8"))) == 90
    assert [path.name for path in Path().iterdir()] == ["out.csv"]


def test_a_parquet_file_has_types(stepgrad, flower_run, house_run):
    assert stepgrad("predict", flower_run.run, flower_run.data, "-o", "out.parquet", "-q").code == 0
    frame = polars.read_parquet("out.parquet")
    types = dict(frame.schema)
    assert types["length"] == polars.Float64
    assert types["colour"] == polars.String
    assert types["probability"] == polars.Float64
    assert frame["width"].null_count() == 9  # every eleventh of 90 rows
    # And Parquet is read as it is.
    assert stepgrad("predict", flower_run.run, "out.parquet", "-o", "again.parquet", "-q").code == 0
    again = polars.read_parquet("again.parquet")
    assert again.columns == [*frame.columns, "prediction_2", "probability_2"]
    assert again["prediction"].to_list() == again["prediction_2"].to_list()


def test_numbers_booleans_and_dates_keep_their_types_in_parquet(stepgrad, house_run):
    text = "size,garden,seen,count\n50.5,yes,2024-02-29,3\n99,no,,\n70,,2024-03-01,5\n"
    Path("new.csv").write_text(text, encoding="utf-8")
    assert stepgrad("predict", house_run.run, "new.csv", "-o", "out.parquet", "-q").code == 0
    frame = polars.read_parquet("out.parquet")
    assert frame["garden"].to_list() == [True, False, None]
    assert frame["count"].to_list() == [3, None, 5]
    assert frame.schema["seen"] == polars.Date
    assert frame["seen"].to_list()[1] is None
    assert frame.schema["prediction"] == polars.Float64


def test_json(stepgrad, flower_run, house_run):
    said = stepgrad("predict", flower_run.run, flower_run.data, "--json").json
    assert (said["version"], said["task"], said["target"], said["rows"]) == (1, "multiclass", "kind", 90)
    assert set(said["predictions"][0]) == {"prediction", "probability"}
    assert len(said["predictions"]) == 90
    said = stepgrad("predict", house_run.run, house_run.data, "--json").json
    assert set(said["predictions"][0]) == {"prediction"}
    assert isinstance(said["predictions"][0]["prediction"], float)


def test_json_with_a_file(stepgrad, flower_run):
    said = stepgrad("predict", flower_run.run, flower_run.data, "--json", "-o", "out.csv").json
    assert said["output"] == "out.csv"
    assert "predictions" not in said
    assert len(rows_of(Path("out.csv").read_text(encoding="utf-8"))) == 90


def test_the_model_file_serves_as_the_run(stepgrad, flower_run):
    by_folder = stepgrad("predict", flower_run.run, flower_run.data).out
    assert stepgrad("predict", flower_run.run / "model.safetensors", flower_run.data).out == by_folder


def test_other_encodings_and_compression(stepgrad, flower_run):
    import gzip

    plain = stepgrad("predict", flower_run.run, flower_run.data).out
    text = flower_run.data.read_text(encoding="utf-8")
    Path("zipped.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert stepgrad("predict", flower_run.run, "zipped.csv.gz").out == plain
    Path("korean.csv").write_bytes(text.replace("red", "빨강").encode("cp949"))
    ran = stepgrad("predict", flower_run.run, "korean.csv")
    assert ran.out.count("빨강") == text.count("red")
    assert "was read as CP949" in ran.err


@pytest.mark.parametrize(
    "out, message",
    [
        ("out.xlsx", "'out.xlsx' ends in neither .csv nor .parquet"),
        ("out.parqet", "Did you mean '.parquet'?"),
    ],
)
def test_other_endings_are_refused(stepgrad, flower_run, out, message):
    ran = stepgrad("predict", flower_run.run, flower_run.data, "-o", out)
    assert ran.code == 2
    assert message in ran.err
    assert not Path(out).exists()


def test_the_data_are_not_overwritten(stepgrad, flower_run):
    text = flower_run.data.read_text(encoding="utf-8")
    Path("new.csv").write_text(text, encoding="utf-8")
    ran = stepgrad("predict", flower_run.run, "new.csv", "-o", "./new.csv")
    assert ran.code == 2
    assert "is the file that is read" in ran.err
    assert Path("new.csv").read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_written(stepgrad, flower_run):
    ran = stepgrad("predict", flower_run.run, flower_run.data, "-o", "none/out.csv")
    assert (ran.code, ran.out) == (1, "")
    assert "cannot write 'none/out.csv': there is no folder" in ran.err
    assert list(Path().iterdir()) == []


def test_no_digit_of_a_prediction_is_cut(stepgrad):
    rows = [f"{i},{10**12 + 0.25 * i}" for i in range(40)]
    Path("far.csv").write_text("\n".join(["x,y", *rows, ""]), encoding="utf-8")
    choices = ["--hidden", "none", "--epochs", 60, "--lr", 0.05, "--out", "run", "-q"]
    assert stepgrad("train", "far.csv", "-t", "y", *choices).code == 0
    said = stepgrad("predict", "run", "far.csv", "--json", "-q").json["predictions"]
    values = [each["prediction"] for each in said]
    assert len(set(values)) == 40  # and not 1000000000000.0 in every row
    assert [
        float(row["prediction"]) for row in rows_of(stepgrad("predict", "run", "far.csv", "-q").out)
    ] == values
    assert stepgrad("predict", "run", "far.csv", "-o", "out.parquet", "-q").code == 0
    column = polars.read_parquet("out.parquet")["prediction"]
    assert column.dtype == polars.Float64
    assert column.to_list() == values


def test_predictions_at_the_limit_are_told_of_and_a_linear_model_has_none(stepgrad, house_run):
    Path("big.csv").write_text("id,size,garden\n1,100000,yes\n2,90000,no\n3,90,no\n", encoding="utf-8")
    ran = stepgrad("predict", house_run.run, "big.csv")
    note = next(line for line in ran.err.splitlines() if "limit" in line)
    assert note.startswith("Note: 2 predictions lie at the limit of what the network predicts, ")
    assert note.endswith("the range of 'price' in training and a tenth of it on either side.")
    one, two, three = (float(row["prediction"]) for row in rows_of(ran.out))
    assert one == two > three
    assert "한계" in stepgrad("predict", house_run.run, "big.csv", "--lang", "ko").err

    choices = ["-t", "price", "--hidden", "none", "--epochs", 60, "--lr", 0.05, "--out", "line", "-q"]
    assert stepgrad("train", house_run.data, *choices).code == 0
    Path("big.csv").write_text("id,size,garden\n1,400,yes\n2,300,no\n", encoding="utf-8")
    ran = stepgrad("predict", "line", "big.csv")
    assert "limit" not in ran.err
    assert float(rows_of(ran.out)[0]["prediction"]) > 500_000  # 430,000 is the highest price of the table


def test_texts_that_training_did_not_have_are_told_of(stepgrad, flower_run):
    text = "length,width,colour\n1,0.5,red\n2,0.5,mauve\n3,0.5,\n4,0.5,green\n"
    Path("new.csv").write_text(text, encoding="utf-8")
    ran = stepgrad("predict", flower_run.run, "new.csv")
    assert ran.code == 0
    note = "column 'colour': 2 of 3 cells hold what the network does not know, such as 'mauve' (row 2)"
    assert note in ran.err
    assert "신경망이 모르는" in stepgrad("predict", flower_run.run, "new.csv", "--lang", "ko").err


def test_numbers_far_beyond_training_are_told_of(stepgrad, flower_run):
    Path("new.csv").write_text("length,width,colour\n1,0.5,red\n2,0.5,red\n1e300,0.5,red\n", encoding="utf-8")
    ran = stepgrad("predict", flower_run.run, "new.csv")
    assert (ran.code, len(ran.err.splitlines())) == (0, 1)
    assert (
        "column 'length': 1 of 3 cells are far beyond the numbers in training, such as 1e+300 (row 3)"
        in ran.err
    )


def test_a_text_among_numbers_is_named_with_its_row(stepgrad, flower_run):
    rows = [f"{0.1 * i - 3:.3f},0.5,red" for i in range(40)]
    rows[30] = "foo,0.5,red"
    Path("new.csv").write_text("\n".join(["length,width,colour", *rows, ""]), encoding="utf-8")
    ran = stepgrad("predict", flower_run.run, "new.csv")
    assert ran.code == 1
    assert "'length' held numbers in training, but holds texts such as 'foo' (row 31) here" in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(stepgrad, flower_run, name, monkeypatch):
    import builtins

    opened = builtins.open

    def full(path, mode="r", *rest, **named):
        return opened("/dev/full" if "x" in mode else path, mode.replace("x", "w"), *rest, **named)

    monkeypatch.setattr(builtins, "open", full)
    ran = stepgrad("predict", flower_run.run, flower_run.data, "-o", name)
    monkeypatch.undo()
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert f"cannot write '{name}': no space left on the disk" in ran.err
    assert not Path(name).exists()
