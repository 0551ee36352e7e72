"""`stepgrad doctor`: what went wrong in a run."""

import json
import math
import re
from pathlib import Path

from stepgrad.train.health import Finding, Health
from stepgrad.train.health.changes import Change
from stepgrad.train.health.check import Trial

RATE = {"rate": 1e-7, "start": 1.1, "end": 1.1, "steps": 24, "update": 3e-8, "other": 1e-3, "better": 0.4}


def run_with(finding, *trials):
    health = Health([finding], [])
    health.trials += trials
    Path("run").mkdir()
    text = json.dumps({"version": 1, **health.to_json()}, allow_nan=False)
    Path("run/health.json").write_text(text, encoding="utf-8")


def test_a_healthy_run(stepgrad, flower_run):
    ran = stepgrad("doctor", flower_run.run)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "Nothing is wrong."
    heads = ["layer", "gradient, epoch 0", "gradient, epoch 12", "a typical step over the weights"]
    assert re.split(r"  +", lines[1]) == heads
    assert lines[2].startswith("0 Linear ")
    assert stepgrad("doctor", flower_run.run, "--quiet").out == "Nothing is wrong.\n"
    assert stepgrad("doctor", flower_run.run, "--lang", "ko").out.startswith("이상이 없습니다.\n계층 ")


def test_the_numbers_for_programs(stepgrad, flower_run):
    said = stepgrad("doctor", flower_run.run, "--json").json
    assert (said["version"], said["findings"], said["trials"]) == (1, [], [])
    assert [look["epoch"] for look in said["measurements"]][:3] == [0, 1, 2]
    assert said["measurements"][0]["layers"][0]["gradient"] > 0


def test_a_run_that_was_set_up_wrong_says_so_in_its_report_and_here(stepgrad, flowers):
    ran = stepgrad(
        "train", flowers, "--target", "kind", "--lr", "1e-8", "--epochs", "5", "--out", "run", "--json"
    )
    assert ran.code == 0
    ran = stepgrad("doctor", "run")
    assert ran.out.startswith("learning rate too low\n  At 1e-08 the loss goes from ")
    assert "The steps are so short" in " ".join(ran.out.split())
    assert "loss is " in ran.out
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "<h2>The health of training</h2>" in page
    assert "<b>learning rate too low</b>" in page
    korean = stepgrad("doctor", "run", "--lang", "ko").out
    assert korean.startswith("너무 낮은 학습률\n")


def test_what_was_tried_stands_in_place_of_the_advice(stepgrad):
    finding = Finding("rate_too_low", "", RATE, Change("rate", 1e-3))
    run_with(finding, Trial(finding, finding.change, 100, 1.1, math.inf, 0.2, "validation"))
    out = " ".join(stepgrad("doctor", "run").out.split())
    assert "a learning rate of 0.001: the validation loss is 0.2 after 100 steps instead of infinite." in out
    assert "Try" not in out
    Path("run/health.json").unlink()
    Path("run").rmdir()
    run_with(finding)
    assert "Try a learning rate of 0.001." in stepgrad("doctor", "run").out


def test_a_run_that_was_looked_at_once_has_one_column(stepgrad, flower_run):
    said = json.loads((Path(flower_run.run) / "health.json").read_text(encoding="utf-8"))
    Path("run").mkdir()
    text = json.dumps({**said, "measurements": said["measurements"][:1]})
    Path("run/health.json").write_text(text, encoding="utf-8")
    heads = stepgrad("doctor", "run").out.splitlines()[1]
    assert re.split(r"  +", heads) == ["layer", "gradient, epoch 0", "a typical step over the weights"]


def test_steps_longer_than_the_weights_are_shares_too(stepgrad):
    run_with(Finding("rate_too_high", "", {**RATE, "update": 239699.0}, Change("rate", 1e-3)))
    assert "가중치가 제 크기의 23,969,900%만큼" in " ".join(
        stepgrad("doctor", "run", "--lang", "ko").out.split()
    )


def test_mistakes(stepgrad):
    ran = stepgrad("doctor", "runs/none")
    assert ran.code == 2
    assert "there is no run 'runs/none'." in ran.err
    Path("run").mkdir()
    ran = stepgrad("doctor", "run")
    assert ran.code == 2
    assert "'run' is not the folder of a finished run: it has no health.json." in ran.err
    for text in ("{", "[1]", '{"version": 1}', '{"version": 2}'):
        Path("run/health.json").write_text(text, encoding="utf-8")
        ran = stepgrad("doctor", "run")
        assert ran.code == 1
        assert "is damaged" in ran.err
