"""`stepgrad explain`: the example, and a person's own network on their own row."""

import dataclasses
import json
from pathlib import Path

import pytest

from stepgrad.data.table import read_table
from stepgrad.explain import evaluate
from stepgrad.train.table.model import load_table_model


def test_the_example(stepgrad):
    ran = stepgrad("explain", "--example")
    assert (ran.code, ran.err) == (0, "")
    text = " ".join(ran.out.split())
    assert "z⁽¹⁾₁ = w⁽¹⁾₁₁·x₁ + w⁽¹⁾₁₂·x₂ + b⁽¹⁾₁ = 0.4352·1 + 0.3545·1 + (−0.1419) = 0.6478" in text
    assert "With the new parameters the loss on the same data is 0.280421; it was 0.536884." in text


def test_the_example_as_a_textbook_has_it_in_korean(stepgrad):
    ran = stepgrad("explain", "--example", "--round-steps", 4, "--lang", "ko")
    text = " ".join(ran.out.split())
    assert "∂L/∂w⁽²⁾₁ = ∂L/∂ŷ·∂ŷ/∂z⁽²⁾·a⁽¹⁾₁ = 1.7106·0.2428·0.6565 = 0.2727" in text
    assert "모든 값은 다음에 쓰기 전에 소수점 아래 4자리로 반올림합니다." in text
    assert "역전파 2번째 계층: Linear(2, 1), Sigmoid()" in text


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("name, beginning", [("a.html", "<!doctype html>"), ("a.md", "# "), ("a.json", "{")])
def test_the_format_follows_from_the_name_of_the_file(stepgrad, name, beginning, lang):
    ran = stepgrad("explain", "--example", "-o", name, "--lang", lang)
    assert (ran.code, ran.out) == (0, "")
    assert Path(name).read_text(encoding="utf-8").startswith(beginning)
    assert ran.err == {"en": f"41 lines written to {name}\n", "ko": f"{name}에 41줄을 썼습니다\n"}[lang]


def test_a_row_of_a_run_with_its_columns(stepgrad, flower_run):
    ran = stepgrad("explain", flower_run.run, "--row", 3, "--layer", 1, "--neuron", 0, "--format", "json")
    assert ran.code == 0
    said = ran.json
    labels = {each["symbol"]: each.get("label", "") for each in said["given"]}
    assert labels["x₁"].startswith("length, ")
    assert {line["id"] for line in said["lines"] if line["kind"] == "forward"} == {
        "forward/0/z[0,0]", "forward/1/a[0,0]",
    }  # fmt: skip
    assert any(each["origin"] == "target" and each["value"] == 2 for each in said["given"])


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_row_comes_first_as_the_person_wrote_it(stepgrad, flower_run, lang):
    ran = stepgrad("explain", flower_run.run, "--row", 1, "--layout", "matrix", "--lang", lang)
    text = " ".join(ran.out.split())
    said = {
        "en": ("Row 1 of the table", "the cell is empty: the median", "What the network answers: kind"),
        "ko": ("표의 1행", "빈칸이라 중앙값", "신경망의 답: kind"),
    }[lang]
    places = [text.index(part) for part in said]
    assert places == sorted(places)
    assert "Y = " not in text
    assert "= [0] (daisy)" in text
    row = stepgrad("explain", flower_run.run, "--row", 2, "--format", "json").json["row"]
    assert [cell["column"] for cell in row["cells"]] == ["length", "width", "colour"]
    length = row["cells"][0]
    (became,) = length["inputs"]
    assert became["symbol"] == "x₁"
    assert became["formula"].startswith(f"({length['text']} − ")
    assert float(evaluate(became["formula"])) == pytest.approx(became["value"], rel=1e-5)
    assert [answer["label"] for answer in row["answers"]] == ["daisy", "rose", "tulip"]
    assert sum(answer["before"] for answer in row["answers"]) == pytest.approx(1)
    (wanted,) = [answer for answer in row["answers"] if answer["is_target"]]
    assert wanted["label"] == "rose"
    assert wanted["after"] > wanted["before"]
    assert float(evaluate(wanted["formula"])) == pytest.approx(wanted["before"], rel=1e-6)


def test_the_number_of_a_regression_is_in_the_units_of_its_column(stepgrad, house_run):
    row = stepgrad("explain", house_run.run, "--row", 2, "--format", "json").json["row"]
    predicted = load_table_model(house_run.run).predict(read_table(house_run.data)).values
    (answer,) = row["answers"]
    assert answer["label"] == "price"
    assert answer["before"] == pytest.approx(predicted[1], rel=1e-5)


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
def test_the_target_of_a_regression_says_how_it_became(stepgrad, house_run, layout):
    said = stepgrad("explain", house_run.run, "--row", 2, "--layout", layout, "--format", "json").json
    (target,) = [each for each in said["given"] if each["origin"] == "target"]
    name, formula = target["label"].split(": ")
    assert name == "price"
    cell = read_table(house_run.data).column("price").values[1]
    assert float(evaluate(formula.split(" − ")[0].removeprefix("("))) == pytest.approx(cell, rel=1e-6)
    value = target["value"] if layout == "scalar" else target["value"][0][0]
    assert float(evaluate(formula)) == pytest.approx(value, rel=1e-5)


def test_a_text_file_holds_all_that_the_terminal_shows(stepgrad, flower_run):
    stepgrad("explain", flower_run.run, "--row", 2, "-o", "a.txt")
    text = Path("a.txt").read_text(encoding="utf-8")
    shown = stepgrad("explain", flower_run.run, "--row", 2).out
    assert text.startswith("A training step, worked out\n")
    assert text.split() == shown.split()


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_network_of_a_table_is_drawn_and_folded(stepgrad, flower_run, lang):
    stepgrad("explain", flower_run.run, "--layout", "matrix", "-o", "a.html", "--lang", lang)
    text = Path("a.html").read_text(encoding="utf-8")
    assert 'class="drawing"' in text
    for label in ("length", "rose"):
        assert f">{label}</text>" in text
    assert {"en": "units more", "ko": "외 뉴런"}[lang] in text
    assert len(text) < 600_000


def test_what_a_row_says_is_checked(flower_run):
    from stepgrad.cli.explain import explain_row

    class Quiet:
        def notes(self, notes):
            pass

    worked = explain_row(Quiet(), str(flower_run.run), None, 2, None, {})
    checked = worked.check()
    assert checked.ok
    assert not [id for id in checked.left_out if not worked[id].formula]
    cell, *others = worked.row.cells
    wrong = dataclasses.replace(cell.inputs[0], value=cell.inputs[0].value + 0.01)
    worked.row = dataclasses.replace(worked.row, cells=(dataclasses.replace(cell, inputs=(wrong,)), *others))
    assert [(fault.id, fault.what) for fault in worked.check().faults] == [("x₁", "row")]


def test_another_answer_changes_the_loss(stepgrad, flower_run):
    options = ("--layer", 1, "--neuron", 0, "--format", "json")
    losses = {}
    for kind in ("daisy", "tulip"):
        said = stepgrad("explain", flower_run.run, flower_run.data, "--target-class", kind, *options).json
        losses[kind] = next(line["value"] for line in said["lines"] if line["id"] == "loss")
    assert losses["daisy"] < losses["tulip"]


def test_a_path_of_a_regression(stepgrad, house_run):
    ran = stepgrad("explain", house_run.run, "--path", "0.weight[1,0]", "--lang", "ko")
    assert ran.code == 0
    assert "학습률" in ran.out
    wanted = stepgrad("explain", house_run.run, "--path", "0.weight[1,0]", "--format", "json").json
    chain = [line["id"] for line in wanted["lines"] if line["kind"] == "chain"]
    assert chain[-1] == "grad/0.weight[1,0]"


@pytest.mark.parametrize(
    "arguments, message, korean",
    [
        ((), "name a run, or ask for the example with --example.", "--example로 예제를 고르십시오"),
        (("RUN", "--example"), "name a run, or ask for the example", "--example로 예제를 고르십시오"),
        (("RUN", "--row", 91), "there is no row 91; ", "91행이 없습니다"),
        (("RUN", "--path", "0.weight[900,0]"), "there is no [900, 0] in it", "[900, 0]이 없습니다"),
        (("RUN", "--path", "w"), "path is one weight by its name and indices", "가중치 하나입니다"),
        (
            ("RUN", "--layer", 9, "--neuron", 0),
            "there is no layer 9; layers are numbered 1 to",
            "계층 9가 없습니다",
        ),
        (("RUN", "--layer", 1, "--neuron", 999), "there is no neuron 999", "뉴런 999가 없습니다"),
        (
            ("RUN", "--target-class", "tulp"),
            "'kind' has no class 'tulp'. Did you mean 'tulip'? The classes are daisy, rose, tulip.",
            "'kind'에는 'tulp' 클래스가 없습니다. 있는 클래스: daisy, rose, tulip. 혹시 'tulip'을",
        ),
        (("HOUSES", "--target-class", "dear"), "'dear' is no number, which 'price' is.", "'dear'는 수가"),
        (("HOUSES", "--target-class", "inf"), "'inf' is no finite number, which 'price' is.", "유한한 수가"),
    ],
)
def test_what_is_not_there(stepgrad, flower_run, house_run, arguments, message, korean):
    runs = {"RUN": flower_run.run, "HOUSES": house_run.run}
    given = [runs.get(part, part) for part in arguments]
    ran = stepgrad("explain", *given)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert korean in stepgrad("explain", *given, "--lang", "ko").err


def test_a_model_file_needs_a_table(stepgrad, flower_run):
    ran = stepgrad("explain", flower_run.run / "model.safetensors")
    assert ran.code == 2
    assert "name the table with the row after" in ran.err


def test_json_is_one_versioned_object(stepgrad):
    said = json.loads(stepgrad("explain", "--example", "--format", "json").out)
    assert (said["version"], said["layout"], len(said["lines"])) == (1, "scalar", 41)
    assert said["after"]["loss"] == pytest.approx(0.2804214083479139, abs=1e-12)


def test_options_of_a_table_are_refused_where_there_is_none(stepgrad):
    for option in ("--row 3", "--row 1", "--target-class a"):
        ran = stepgrad("explain", "--example", *option.split())
        message = f"Error: {option.split()[0]} is of a run's table; --example has none.\n"
        assert (ran.code, ran.out, ran.err) == (2, "", message)


def test_it_is_said_where_the_step_starts(stepgrad, flowers):
    said = "Note: the step starts from the trained weights with a fresh optimizer (t = 0)"
    options = ("--target", "kind", "--epochs", 1, "--hidden", 3, "--json")
    for dropout, more in ((0, ""), (0.5, ", and Dropout is turned off")):
        run = f"run-{dropout}"
        assert stepgrad("train", flowers, *options, "--dropout", dropout, "--out", run).code == 0
        assert f"{said}{more}.\n" in stepgrad("explain", run).err
        assert ("Dropout을 끈 채" in stepgrad("explain", run, "--lang", "ko").err) == bool(dropout)
