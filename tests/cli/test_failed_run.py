"""A run that ends in NaN or infinity leaves a folder that says where, why, and what helps."""

import json
from pathlib import Path

import numpy as np
import pytest

import stepgrad
from stepgrad.train.table.model import TableModel

FAILS = ["-t", "price", "--optimizer", "sgd", "--lr", 1e9, "--out", "run"]
FILES = {"before_nan.safetensors", "config.toml", "health.json", "metrics.jsonl", "report.html"}


@pytest.fixture
def failed(stepgrad, houses):
    ran = stepgrad("train", houses, *FAILS, "-q")
    assert ran.code == 1
    return ran


def test_it_leaves_all_that_is_known(failed, stepgrad):
    assert failed.out == ""
    assert failed.err.splitlines()[1] == "What went wrong is in run: stepgrad doctor run"
    assert {path.name for path in Path("run").iterdir() if path.is_file()} == FILES
    said = stepgrad("doctor", "run", "--json").json
    first, second = said["findings"]
    assert (first["kind"], second["kind"]) == ("not_finite", "rate_too_high")
    assert (first["numbers"]["epoch"], first["numbers"]["batch"]) == (1, first["numbers"]["step"])
    assert (first["numbers"]["op"], first["numbers"]["phase"]) == ("mse_loss", "forward")
    assert first["numbers"]["inputs"][1].startswith("float32[")
    gains = [1 - trial["with_change"] / trial["start"] for trial in said["trials"]]
    assert max(gains) > 0.5
    assert {trial["without"] for trial in said["trials"]} == {"inf"}


def test_the_doctor_explains_it(failed, stepgrad):
    out = " ".join(stepgrad("doctor", "run").out.split())
    assert out.startswith("NaN or infinity The loss is inf in epoch 1, batch ")
    assert "the first such value comes from the operation mse_loss (its inputs: float32[" in out
    assert "learning rate too high At 1,000,000,000 the loss goes from " in out
    assert " a learning rate of 0.01: the validation loss is " in out
    assert " after 100 steps instead of infinite." in out
    korean = stepgrad("doctor", "run", "--lang", "ko").out
    assert korean.startswith("NaN 또는 무한대\n")
    assert "그런 값은 연산 mse_loss에서" in " ".join(korean.split())
    assert " the " not in korean


@pytest.mark.parametrize("language, heading", [("en", "What went wrong"), ("ko", "무엇이 잘못되었나")])
def test_it_has_a_report(stepgrad, houses, language, heading):
    stepgrad("train", houses, *FAILS, "-q", "--lang", language)
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert f"<h2>{heading}</h2>" in page
    assert "stepgrad train " in page
    assert "--lr 0.01<" in page
    assert "run/before_nan.safetensors" in page


def test_the_weights_are_those_before_the_step(failed):
    model = TableModel.load("run/before_nan.safetensors")
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.network.parameters())
    assert model.record["stopped"].startswith("the loss is inf in epoch 1")
    fresh = stepgrad.load("run/before_nan.safetensors")
    assert max(abs(p).max().item() for p in fresh.parameters()) > 1e3  # some steps were taken


def test_it_is_no_model_to_predict_with(failed, stepgrad, houses):
    ran = stepgrad("predict", "run", houses)
    assert ran.code == 2
    assert "the run in 'run' ended in NaN or infinity and left no model; see: stepgrad doctor run" in ran.err
    assert stepgrad("explain", "run/before_nan.safetensors", houses, "--row", "2").code == 0


def test_the_refit_may_fail_too(stepgrad, houses, monkeypatch):
    from stepgrad.train.table import fit

    make, made = fit._trainer, []

    def make_one(*arguments):
        trainer = make(*arguments)
        made.append(trainer)
        if len(made) == 2:
            trainer.optimizer.param_groups[0]["lr"] = 1e30
            trainer.schedule.base_lrs = [1e30, 1e30]
        return trainer

    monkeypatch.setattr(fit, "_trainer", make_one)
    ran = stepgrad("train", houses, "-t", "price", "--epochs", "6", "--out", "run", "-q")
    assert ran.code == 1
    said = json.loads(Path("run/health.json").read_text(encoding="utf-8"))
    assert said["findings"][0]["kind"] == "not_finite"
    assert len(Path("run/metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    assert "loss over the epochs" in Path("run/report.html").read_text(encoding="utf-8").lower()
