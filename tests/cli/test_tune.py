"""`stepgrad tune`: what it says and writes, and that Ctrl-C keeps the trials that are done."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len

from stepgrad.cli.output import Output
from stepgrad.cli.summary import print_search
from stepgrad.words.language import Words

pytest.importorskip("optuna")

QUICK = ("--trials", 3, "--epochs", 2, "--hidden", "4")


def test_the_best_trials_what_mattered_and_the_test_are_told(stepgrad, houses):
    ran = stepgrad("tune", houses, "--target", "price", *QUICK)
    assert ran.code == 0
    for text in (
        "The best of 3 trials by validation loss",
        "learning rate",
        "What mattered",
        "price from houses.csv",
        "  stepgrad predict runs/houses-1 new.csv -o predicted.csv",
    ):
        assert text in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "trial 3/3, validation " in ran.err
    page = Path("runs/houses-1/report.html").read_text(encoding="utf-8")
    assert "The search for settings" in page
    assert "The validation loss of each trial" in page
    assert "What mattered" in page
    assert stepgrad("predict", "runs/houses-1", houses).code == 0


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_setting_of_the_best_trials_is_shown_in_full(capsys, language):
    values = [
        {
            "layers": 3,
            "width": 497,
            "activation": "silu",
            "lr": 0.00302,
            "dropout": 0.0668,
            "weight_decay": 2.25e-4,
        },
        {
            "layers": 2,
            "width": 64,
            "activation": "leaky_relu",
            "lr": 1.19e-4,
            "dropout": 0.2,
            "weight_decay": 0.3,
        },
    ]
    trials = [SimpleNamespace(number=i, values=v, validation_loss=0.25 + i) for i, v in enumerate(values)]
    print_search(SimpleNamespace(best=trials[0], trials=trials, importance={}), Output(Words(language)))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    rows = [line.split() for line in lines if "silu" in line or "leaky_relu" in line]
    assert rows == [
        ["0", "0.25", "3", "497", "silu", "0.00302", "0.0668", "0.000225"],
        ["1", "1.25", "2", "64", "leaky_relu", "0.000119", "0.2", "0.3"],
    ]


def test_json_is_one_object_and_resuming_a_finished_search_is_refused(stepgrad, flowers):
    ran = stepgrad("tune", flowers, "--target", "kind", *QUICK, "--json", "--quiet", "--out", "search")
    assert (ran.code, ran.err) == (0, "")
    said = ran.json
    assert said["version"] == 1
    assert [trial["number"] for trial in said["trials"]] == [1, 2, 3]
    losses = [trial["validation_loss"] for trial in said["trials"]]
    assert said["best"] == said["trials"][losses.index(min(losses))]
    assert set(said["importance"]) == {"activation", "lr", "dropout", "weight_decay"}
    assert said["run"]["run"] == "search"
    again = stepgrad("tune", "--resume", "search")
    assert again.code == 2
    assert "is finished, and its test rows are used" in again.err


def test_in_korean(stepgrad, flowers):
    ran = stepgrad("tune", flowers, "-t", "kind", *QUICK, "--lang", "ko")
    assert ran.code == 0
    for text in ("3번 시도 가운데 검증 손실이 가장 낮은 것", "학습률", "활성화 함수", "중요했던 설정"):
        assert text in ran.out
    assert "시도 3/3" in ran.err
    assert "설정 탐색" in Path("runs/flowers-1/report.html").read_text(encoding="utf-8")


def test_ctrl_c_keeps_the_trials_and_says_how_to_go_on(stepgrad, flowers, monkeypatch):
    from stepgrad.train.table import tune

    honest, tries = tune._try, []

    def interrupted(*arguments):
        tries.append(1)
        if len(tries) == 2:
            raise KeyboardInterrupt
        return honest(*arguments)

    monkeypatch.setattr(tune, "_try", interrupted)
    ran = stepgrad("tune", flowers, "-t", "kind", *QUICK, "--quiet")
    assert ran.code == 130
    assert "Interrupted; the trials that are done are kept." in ran.err
    assert "Resume with: stepgrad tune --resume runs/flowers-1" in ran.err
    assert not Path("runs/flowers-1/model.safetensors").exists()
    said = stepgrad("tune", "--resume", "runs/flowers-1", "--json").json
    assert len(said["trials"]) == 3
    assert len(tries) == 4  # the first was not tried again


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--resume", "nowhere"], "there is no search to resume in 'nowhere'."),
        (["--trials", "0"], "0 is not in the range x>=1"),
        (["--target", "price"], "stepgrad tune DATA --target COLUMN"),
    ],
)
def test_wrong_usage(stepgrad, arguments, message):
    ran = stepgrad("tune", *arguments)
    assert ran.code == 2
    assert message in ran.err


@pytest.mark.parametrize("language", ["en", "ko"])
def test_headings_break_between_words(stepgrad, houses, monkeypatch, language):
    monkeypatch.setenv("STEPGRAD_LANG", language)
    ran = stepgrad("tune", houses, "--target", "price", "--trials", 2, "--epochs", 1)
    lines = ran.out.splitlines()
    words = {word for line in lines[1 : lines.index("", 2)] for word in line.split()}
    wanted = {
        "en": {"validation", "loss", "learning", "rate", "activation", "dropout"},
        "ko": {"검증", "손실", "학습률"},
    }[language]
    assert wanted <= words, ran.out
    assert max(map(cell_len, lines)) <= 80, ran.out
