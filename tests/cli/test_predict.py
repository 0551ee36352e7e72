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
