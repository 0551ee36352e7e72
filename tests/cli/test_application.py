"""The command as a whole: help, version, languages, errors, pipes."""

import os
import subprocess
import sys

import pytest

from stepgrad.cli import main
from stepgrad.version import __version__

COMMANDS = ("train", "predict", "evaluate", "completion")
PROGRAM = [sys.executable, "-c", "import sys; from stepgrad.cli import main; sys.exit(main())"]


def test_version(stepgrad):
    ran = stepgrad("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"stepgrad {__version__}\n", "")


def test_help_names_the_commands_and_gives_examples(stepgrad):
    ran = stepgrad("--help")
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)
    assert "stepgrad train houses.csv --target price" in ran.out
    without = stepgrad()
    assert (without.code, without.out, without.err) == (2, "", ran.out)  # there is nothing to do


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("language, word", [("en", "Examples:"), ("ko", "예:")])
def test_every_command_has_help_with_examples_in_both_languages(stepgrad, command, language, word):
    ran = stepgrad(command, "--help", "--lang", language)
    assert ran.code == 0
    assert word in ran.out
    assert f"\n  stepgrad {command}" in ran.out or f"(stepgrad {command}" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_train_help_explains_every_option(stepgrad):
    options = (
        "--target --task --hidden --activation --optimizer --lr --batch-size --epochs --patience --seed "
        "--device --out --resume --json --quiet --lang"
    )
    text = stepgrad("train", "--help").out
    for option in options.split():
        assert f"{option} " in text


def test_help_loads_nothing_that_reads_tables_or_trains():
    code = (
        "import sys; from stepgrad.cli import main; main(['train', '--help']); print(*sys.modules, "
        "file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stderr.split())
    assert "click" in loaded
    heavy = {"polars", "rich.console", "matplotlib", "stepgrad.train.trainer", "stepgrad.data.table.read"}
    assert not heavy & loaded


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["trian"], "there is no command 'trian'. Did you mean 'train'?"),
        (["train", "--hiden", "3"], "there is no option '--hiden'. Did you mean '--hidden'?"),
        (["train", "--epochs", "many"], "'many' is not a valid integer"),
        (["train", "--lang", "fr"], "--lang is 'fr', but the languages are en and ko."),
        (["predict"], "Missing argument 'RUN'"),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_wrong_usage_is_said_in_one_line_with_exit_code_2(stepgrad, arguments, message):
    ran = stepgrad(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    first, *rest = ran.err.splitlines()
    assert first.startswith("Error: ")
    assert message in first
    assert all(line.startswith("Help: ") for line in rest)


def test_korean_is_found_in_the_environment_and_in_the_option(stepgrad, monkeypatch):
    expected = "오류: 'nope.csv' 파일이 없습니다.\n"
    assert stepgrad("train", "nope.csv", "--lang", "ko").err == expected
    assert stepgrad("--lang=ko", "train", "nope.csv").err == expected
    monkeypatch.setenv("STEPGRAD_LANG", "ko")
    assert stepgrad("train", "nope.csv").err == expected
    assert stepgrad("train", "nope.csv", "--lang", "en").err == "Error: there is no file 'nope.csv'.\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["predict"], "오류: 'RUN' 인수가 빠졌습니다.\n도움말: stepgrad predict --help\n"),
        (["train", "--target"], "오류: '--target' 옵션에 값이 없습니다.\n"),
        (["train", "--lr", "x"], "오류: '--lr' 값이 알맞지 않습니다: 'x' is not a valid float.\n"),
        (["train", "a", "b"], "오류: 남는 인수가 있습니다: b\n"),
        (["train", "--hiden", "8"], "오류: '--hiden' 옵션은 없습니다. 혹시 '--hidden'을 뜻하셨습니까?\n"),
    ],
)
def test_mistakes_on_the_command_line_are_said_in_korean(stepgrad, arguments, message):
    ran = stepgrad("--lang=ko", *arguments)
    assert ran.code == 2
    assert ran.err.startswith(message)


@pytest.mark.parametrize("package", ["click", "polars"])
def test_a_missing_package_is_named_with_what_to_install(package, flowers):
    code = f"import sys; sys.modules['{package}'] = None; {PROGRAM[2]}"
    command = [sys.executable, "-c", code, "train", flowers, "--target", "kind"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == (
        f"Error: the command line needs the package '{package}'; install it with: "
        "pip install 'stepgrad[app]'\n"
    )


def test_a_missing_module_of_our_own_is_no_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "stepgrad.cli.application", None)
    with pytest.raises(ModuleNotFoundError):
        main(["--help"])


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_closed_pipe_ends_quietly(command, house_run):
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [*PROGRAM, command, house_run.run, house_run.data, "--quiet"]
    ran = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_an_unexpected_error_of_the_system_is_one_line(stepgrad, monkeypatch, house_run):
    import stepgrad.cli.predict as command

    def fail(*_):
        raise OSError(28, "No space left on device", "/dev/full")

    monkeypatch.setattr(command, "write_csv", fail)
    ran = stepgrad("predict", house_run.run, house_run.data)
    assert ran.code == 1
    assert "Error: cannot read or write '/dev/full': No space left on device." in ran.err


def test_too_little_memory_is_one_line(stepgrad, monkeypatch, house_run):
    import stepgrad.cli.predict as command

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(command, "write_csv", fail)
    ran = stepgrad("predict", house_run.run, house_run.data)
    assert ran.code == 1
    assert "Error: there is not enough memory for this; free some, or use fewer rows." in ran.err


def test_warnings_of_the_library_are_shown_and_the_logger_is_left_as_it_was(stepgrad, monkeypatch, house_run):
    import logging

    import stepgrad.cli.predict as command

    logger = logging.getLogger("stepgrad")
    before = list(logger.handlers)
    monkeypatch.setattr(command, "write_csv", lambda *_: logger.warning("a %s is odd", "file"))
    ran = stepgrad("predict", house_run.run, house_run.data)
    assert "Warning: a file is odd\n" in ran.err
    assert logger.handlers == before
