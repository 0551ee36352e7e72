"""`stepgrad evaluate`: the scores on rows with known answers."""

from pathlib import Path


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
