"""`stepgrad train`: what it says, what it writes, and that it goes on after Ctrl-C to the same bits."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import polars
import pytest

PROGRAM = [sys.executable, "-c", "import sys; from stepgrad.cli import main; sys.exit(main())"]
FILES = {"model.safetensors", "metrics.jsonl", "config.toml", "report.html"}


def test_json_is_one_object_with_everything_that_programs_need(stepgrad, flowers):
    ran = stepgrad("train", flowers, "--target", "kind", "--epochs", 15, "--json")
    assert ran.code == 0
    said = ran.json
    assert said["version"] == 1
    assert (said["task"], said["target"]) == ("multiclass", "kind")
    assert sum(said["rows"].values()) == 90
    assert set(said["rows"]) == {"train", "validation", "test"}
    assert 1 <= said["best_epoch"] <= said["epochs"] <= 15
    assert said["test"]["accuracy"] > 0.6
    low, high = said["test"]["accuracy_interval"]
    assert low <= said["test"]["accuracy"] <= high
    assert said["baseline"]["accuracy"] < 0.6
    assert said["run"] == "runs/flowers-1"
    assert said["model"] == "runs/flowers-1/model.safetensors"
    assert said["parameters"] > 0
    assert said["seconds"] > 0


def test_the_run_folder_is_numbered_and_complete(stepgrad, flowers):
    for number in (1, 2):
        ran = stepgrad("train", flowers, "-t", "kind", "--epochs", 2, "--hidden", "4", "--quiet")
        assert (ran.code, ran.out, ran.err) == (0, f"runs/flowers-{number}\n", "")
        run = Path(f"runs/flowers-{number}")
        assert {path.name for path in run.iterdir()} >= FILES
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
        settings = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
        assert settings["hidden"] == [4]
        assert settings["data"] == str(flowers)
    same = [Path(f"runs/flowers-{i}/model.safetensors").read_bytes() for i in (1, 2)]
    assert same[0] == same[1]  # the same seed


def test_the_summary_tells_data_network_curve_score_files_and_what_next(stepgrad, houses):
    ran = stepgrad("train", houses, "--target", "price", "--epochs", 20, "--hidden", "8,8")
    assert ran.code == 0
    for text in (
        "price from houses.csv",
        "80 rows: 56 for training, 12 for validation, 12 for the test",
        "regression, because 'price' is a number with 80 different values",
        "· column 'id' is left out",
        "Linear(8, 8)",
        "⠒⠒ validation   ⠂⠂ training",
        "root mean squared error",
        "95% interval",
        "always answering the mean",
        "runs/houses-1/report.html",
        "  stepgrad predict runs/houses-1 new.csv -o predicted.csv",
    ):
        assert text in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "\x1b" not in ran.out  # no colours where there is no terminal


def test_the_summary_in_korean(stepgrad, flowers):
    ran = stepgrad("train", flowers, "--target", "kind", "--epochs", 3, "--lang", "ko")
    assert ran.code == 0
    for text in (
        "flowers.csv의 kind",
        "90행: 훈련",
        "다중 분류",
        "매개변수",
        "정확도",
        "95% 신뢰 구간",
        "단순 예측",
    ):
        assert text in ran.out
    assert 'lang="ko"' in Path("runs/flowers-1/report.html").read_text(encoding="utf-8")
    assert "에포크 1/3" in ran.err


def test_progress_is_plain_lines_on_stderr_and_not_one_per_batch(stepgrad, flowers):
    ran = stepgrad("train", flowers, "--target", "kind", "--epochs", 6, "--batch-size", 4, "--json")
    lines = ran.err.splitlines()
    assert 2 <= len(lines) <= 6
    assert lines[0].startswith("epoch 1/6, loss ")
    assert "\r" not in ran.err


def test_digits_come_along(stepgrad):
    ran = stepgrad("train", "--epochs", 2, "--hidden", 16, "--json", "--quiet")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.json["target"] == "digit"
    assert sum(ran.json["rows"].values()) == 1797
    assert ran.json["run"] == "runs/digits-1"
    report = Path("runs/digits-1/report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png;base64,") >= 6


def test_every_choice_reaches_the_run(stepgrad, flowers):
    choices = {
        "hidden": ("3,5", [3, 5]),
        "activation": ("tanh", "tanh"),
        "optimizer": ("sgd", "sgd"),
        "lr": ("0.01", 0.01),
        "batch_size": ("16", 16),
        "weight_decay": ("0.2", 0.2),
        "dropout": ("0.25", 0.25),
        "epochs": ("1", 1),
        "patience": ("2", 2),
        "seed": ("11", 11),
        "task": ("multiclass", "multiclass"),
        "device": ("cpu", "cpu"),
    }
    options = [
        word for name, (value, _) in choices.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    ran = stepgrad("train", flowers, "--target", "kind", *options, "--quiet", "--out", "run")
    assert ran.code == 0, ran.err
    settings = tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))
    assert {name: settings[name] for name in choices} == {name: value for name, (_, value) in choices.items()}


def test_the_python_lines_of_the_report_work(flower_run):
    page = (flower_run.run / "report.html").read_text(encoding="utf-8")
    code = html.unescape(re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)[1])
    *lines, last = code.replace('"new.csv"', repr(str(flower_run.data))).splitlines()
    program = "\n".join([*lines, f"print(*{last})"])
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.split()) == 5
    assert set(ran.stdout.split()) <= {"daisy", "rose", "tulip"}


def test_the_report_says_how_the_columns_were_read(flower_run):
    page = (flower_run.run / "report.html").read_text(encoding="utf-8")
    table = re.findall(r'<table class="columns">(.*?)</table>', page, re.DOTALL)[0]
    rows = dict(re.findall(r"<th scope=\"row\">(.*?)</th><td>(.*?)</td>", table))
    assert rows == {
        "numbers": "length, width <small>(10.0% missing)</small>",
        "categories, each an input of its own": "colour <small>(2 values)</small>",
    }


def test_nothing_is_overwritten(stepgrad, flower_run, flowers):
    before = {path: path.read_bytes() for path in flower_run.run.iterdir() if path.is_file()}
    ran = stepgrad("train", flowers, "--target", "kind", "--out", flower_run.run)
    assert ran.code == 2
    assert "is not empty, and a run never overwrites anything" in ran.err
    assert {path: path.read_bytes() for path in flower_run.run.iterdir() if path.is_file()} == before


def test_an_empty_folder_is_taken_and_no_hidden_layer_is_a_linear_model(stepgrad, flowers):
    Path("here").mkdir()
    choices = ["--target", "kind", "--epochs", 1, "--hidden", "none", "--out", "here"]
    ran = stepgrad("train", flowers, *choices, "--quiet")
    assert (ran.code, ran.out) == (0, "here\n")
    assert tomllib.loads(Path("here/config.toml").read_text(encoding="utf-8"))["hidden"] == []


def _program(*arguments: object) -> subprocess.Popen:
    command = [*PROGRAM, *(str(argument) for argument in arguments)]
    # As in a shell with job control, so that a signal goes to this program alone.
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_saves_a_checkpoint_and_the_run_goes_on_to_the_same_bits(stepgrad, flowers, number, code):
    choices = ["--target", "kind", "--epochs", 60, "--patience", 0, "--batch-size", 8, "--hidden", 8]
    program = _program("train", flowers, *choices, "--out", "cut")
    metrics = Path("cut/metrics.jsonl")
    while not (metrics.exists() and metrics.stat().st_size):
        assert program.poll() is None, program.communicate()
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert program.returncode == code, err
    assert out == ""
    *_, saved, resume = err.splitlines()
    assert saved == "Interrupted; the checkpoint is saved."
    assert resume == "Resume with: stepgrad train --resume cut"
    assert not Path("cut/model.safetensors").exists()

    ran = stepgrad("predict", "cut", flowers)
    assert ran.code == 2
    assert "the run in 'cut' is not finished; finish it with: stepgrad train --resume cut" in ran.err

    assert stepgrad("train", "--resume", "cut", "--quiet").code == 0
    assert stepgrad("train", flowers, *choices, "--out", "whole", "--quiet").code == 0
    assert Path("cut/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_ctrl_c_while_the_table_is_read_leaves_nothing(stepgrad, monkeypatch, flowers):
    import stepgrad.data.table.read as reading

    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read_table", interrupt)
    ran = stepgrad("train", flowers, "--target", "kind")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.split() == ["Interrupted."]
    assert [path.name for path in Path().iterdir()] == ["flowers.csv"]


def test_ctrl_c_before_the_first_checkpoint_leaves_nothing(stepgrad, monkeypatch, flowers):
    from stepgrad.train.table import job

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "fit_network", interrupt)
    ran = stepgrad("train", flowers, "--target", "kind", "--out", "some/where")
    assert ran.code == 130
    assert "Resume" not in ran.err
    assert [path.name for path in Path().iterdir()] == ["flowers.csv"]


def test_sigterm_before_the_first_checkpoint_leaves_nothing(stepgrad, monkeypatch, flowers):
    from stepgrad.train.table import job

    monkeypatch.setattr(job, "fit_network", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    ran = stepgrad("train", flowers, "--target", "kind", "--out", "some/where")
    assert (ran.code, ran.err.strip()) == (143, "Interrupted.")
    assert [path.name for path in Path().iterdir()] == ["flowers.csv"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_disk_that_gets_full_keeps_the_last_checkpoint_and_the_message_says_how_to_go_on(
    stepgrad, monkeypatch, flowers
):
    from stepgrad.errors import FileError
    from stepgrad.train.table.model import TableModel

    def fail(self, path, record=None):
        raise FileError(f"cannot write '{path}': no space left on the disk.")

    choices = ["--target", "kind", "--epochs", 3, "--hidden", 4]
    with monkeypatch.context() as patched:
        patched.setattr(TableModel, "save", fail)
        ran = stepgrad("train", flowers, *choices, "--out", "full", "--quiet")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "Error: cannot write 'full/model.safetensors': no space left on the disk.",
        "The last checkpoint is unharmed.",
        "Resume with: stepgrad train --resume full",
    ]
    assert stepgrad("train", "--resume", "full", "--quiet").code == 0
    assert stepgrad("train", flowers, *choices, "--out", "whole", "--quiet").code == 0
    assert Path("full/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_a_rate_too_high_is_answered_with_the_option(stepgrad, houses):
    ran = stepgrad("train", houses, "-t", "price", "--optimizer", "sgd", "--lr", 1e9, "-q")
    assert ran.code == 1
    line, _ = ran.err.splitlines()
    assert line.startswith("Error: the loss is inf in epoch 1, batch ")
    assert line.endswith("Choose a lower learning rate, such as --lr 0.01.")  # which was tried on a copy
    assert "clip_norm" not in line


def test_hidden_layers_that_fit_in_no_memory_are_named(stepgrad, houses, monkeypatch):
    from stepgrad.train.table import fit

    def make(*_):
        raise MemoryError

    monkeypatch.setattr(fit, "make_network", make)
    ran = stepgrad("train", houses, "-t", "price", "--hidden", "1000000,1000000", "-q")
    assert (ran.code, ran.err) == (
        2,
        "Error: there is not enough memory for a network with hidden layers of 1,000,000, 1,000,000 units, "
        "which has 1,000,003,000,000 weights; choose fewer.\n",
    )
    ran = stepgrad("train", houses, "-t", "price", "--hidden", "2", "-q")
    assert "use fewer rows" in ran.err


def test_two_rows_are_too_few_whatever_the_target(stepgrad):
    Path("two.csv").write_text("x,y\n1,2.5\n2,3.5\n", encoding="utf-8")
    ran = stepgrad("train", "two.csv", "-t", "y")
    assert (ran.code, ran.err) == (1, "Error: only 2 rows have 'y'; training needs at least 10.\n")


def test_a_target_of_a_type_that_cannot_be_learned(stepgrad):
    polars.DataFrame({"x": [1.0] * 20, "y": [[1.0, 2.0]] * 20}).write_parquet("lists.parquet")
    ran = stepgrad("train", "lists.parquet", "-t", "y")
    assert ran.code == 2
    assert "column 'y' has the type List(Float64), which a network cannot use; make it numbers" in ran.err


@pytest.mark.parametrize("size", [1e308, 1e300, 1e-280])
def test_numbers_of_any_size_are_learned_from_without_a_warning(stepgrad, size):
    """Warnings are errors here, NumPy's of an overflow among them."""
    rows = [f"{size * ((i % 7 - 3) / 3)!r},{i % 5},{i}.5" for i in range(60)]
    Path("far.csv").write_text("\n".join(["a,b,y", *rows, ""]), encoding="utf-8")
    ran = stepgrad("train", "far.csv", "-t", "y", "--epochs", 2, "--hidden", 4, "--out", "run", "-q")
    assert (ran.code, ran.err) == (0, "")
    assert stepgrad("predict", "run", "far.csv", "-q").code == 0
