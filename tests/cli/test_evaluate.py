"""`stepgrad evaluate`: the scores on rows with known answers."""

from pathlib import Path

import pytest


def test_classes(stepgrad, flower_run):
    said = stepgrad("evaluate", flower_run.run, flower_run.data, "--json").json
    assert (said["version"], said["task"], said["target"], said["rows"]) == (1, "multiclass", "kind", 90)
    low, high = said["scores"]["accuracy_interval"]
    assert low <= said["scores"]["accuracy"] <= high
    counts = said["confusion"]["counts"]
    assert said["confusion"]["classes"] == ["daisy", "rose", "tulip"]
    assert sum(map(sum, counts)) == 90
    assert sum(counts[i][i] for i in range(3)) / 90 == said["scores"]["accuracy"]


def test_numbers(stepgrad, house_run):
    said = stepgrad("evaluate", house_run.run, house_run.data, "--json").json
    assert said["task"] == "regression"
    assert said["scores"]["rmse"] > 0
    assert len(said["scores"]["r2_interval"]) == 2
    assert "confusion" not in said


def test_the_readable_scores_stand_beside_those_of_the_run(stepgrad, flower_run):
    ran = stepgrad("evaluate", flower_run.run, flower_run.data)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "90 rows with a known answer"
    assert lines[1].split() == ["score", "95%", "interval", "test", "of", "the", "run"]
    assert lines[2].startswith("accuracy ")
    assert stepgrad("evaluate", flower_run.run, flower_run.data, "--lang", "ko").out.startswith(
        "답을 아는 90행\n"
    )


def test_rows_without_an_answer_are_left_out_and_counted(stepgrad, flower_run):
    text = flower_run.data.read_text(encoding="utf-8").replace(",rose\n", ",\n", 4)
    Path("some.csv").write_text(text, encoding="utf-8")
    ran = stepgrad("evaluate", flower_run.run, "some.csv", "--json")
    assert ran.json["rows"] == 86
    assert "Note: 4 of 90 rows are left out because 'kind' is missing." in ran.err


def test_a_table_without_the_target_is_wrong_usage(stepgrad, flower_run):
    text = flower_run.data.read_text(encoding="utf-8").replace("colour,kind", "colour,sort", 1)
    Path("other.csv").write_text(text, encoding="utf-8")
    ran = stepgrad("evaluate", flower_run.run, "other.csv")
    assert ran.code == 2
    assert "there is no column 'kind'." in ran.err


def test_the_table_of_the_run_is_told_apart_from_new_rows(stepgrad, flower_run):
    note = "is the table of the run, and the network was trained on most of its rows"
    assert note in stepgrad("evaluate", flower_run.run, flower_run.data).err
    # Also where the model file was taken out of its folder, and where the table has another name.
    Path("model.safetensors").write_bytes((flower_run.run / "model.safetensors").read_bytes())
    Path("copy.csv").write_bytes(flower_run.data.read_bytes())
    assert f"Note: 'copy.csv' {note}" in stepgrad("evaluate", "model.safetensors", "copy.csv").err
    assert (
        "rows of the run's test are scored a second time"
        in stepgrad("evaluate", flower_run.run, flower_run.data).err
    )
    Path("new.csv").write_text(_other_rows(flower_run.data), encoding="utf-8")
    assert stepgrad("evaluate", flower_run.run, "new.csv").err == ""


def _other_rows(data: Path) -> str:
    """60 rows like those of `data`, of other lengths."""
    head, *rows = data.read_text(encoding="utf-8").splitlines()[:61]
    cells = [row.split(",") for row in rows]
    return "\n".join([head, *(",".join([f"{float(first):.2f}1", *rest]) for first, *rest in cells)]) + "\n"


def test_one_row_has_scores_but_no_interval(stepgrad, house_run):
    Path("one.csv").write_text("id,size,garden,price\n1,100,yes,230000\n", encoding="utf-8")
    scores = stepgrad("evaluate", house_run.run, "one.csv", "--json").json["scores"]
    assert scores["rmse"] == scores["mae"] > 0
    assert scores["r2"] is scores["r2_interval"] is scores["rmse_interval"] is None
    assert "loss_interval" not in scores
    lines = stepgrad("evaluate", house_run.run, "one.csv").out.splitlines()
    by_name = {line.split("  ")[0]: line.split()[-3:] for line in lines}
    assert by_name["R²"][:2] == ["–", "–"]
    assert by_name["root mean squared error"][1] == "–"


@pytest.mark.parametrize("width", [30, 40, 57, 58, 80])
def test_a_narrow_terminal_loses_nothing(stepgrad, house_run, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    ran = stepgrad("evaluate", house_run.run, house_run.data, "-q")
    words = ran.out.split()
    for name in ("root", "mean", "squared", "absolute", "R²", "loss", "95%", "interval", "test"):
        assert name in words
    assert "…" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= width
