"""The command as a whole: help, version, languages, errors, pipes."""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepgrad.cli import main
from stepgrad.version import __version__

COMMANDS = ("train", "tune", "predict", "evaluate", "completion")
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
        "--target --task --hidden --activation --optimizer --lr --weight-decay --dropout --batch-size "
        "--epochs --patience --seed --device --out --resume --json --quiet --lang"
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
        (["train", "--lr", "x"], "오류: '--lr' 값이 알맞지 않습니다: 'x'는 수가 아닙니다.\n"),
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


def without_warning(said: str) -> str:
    """What was said, but for the warning that `evaluate` gives for the run's own table."""
    lines = said.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Warning: rows of the run's test"))


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_closed_pipe_ends_quietly(command, house_run):
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [*PROGRAM, command, house_run.run, house_run.data, "--quiet"]
    ran = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    said = without_warning(ran.stderr.decode())
    assert (ran.returncode, said) == (141, "")  # 128 + 13, as of a program that SIGPIPE ends


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_into_a_closed_pipe_ends_quietly(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_an_unexpected_error_of_the_system_is_one_line(stepgrad, monkeypatch, house_run):
    import stepgrad.cli.predict as command

    def fail(*_):
        raise OSError(5, "Input/output error", "disk.csv")

    monkeypatch.setattr(command, "read_data", fail)
    ran = stepgrad("predict", house_run.run, house_run.data)
    assert (ran.code, ran.err) == (1, "Error: cannot read or write 'disk.csv': Input/output error.\n")


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


def shell(line: str, **variables: object) -> subprocess.CompletedProcess:
    """Run a line of bash in which $stepgrad is the program."""
    program = shlex.join(PROGRAM)
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    command = ["bash", "-c", f'stepgrad() {{ {program} "$@"; }}; {line}']
    return subprocess.run(command, capture_output=True, text=True, env=environment)


needs_bash = pytest.mark.skipif(os.name == "nt", reason="no bash")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
FAST = "--epochs 2 --hidden 4"


@needs_bash
@needs_full
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_results_that_cannot_be_written_are_an_error_that_names_their_place(command, house_run):
    ran = shell(f"stepgrad {command} $run $data -q > /dev/full", run=house_run.run, data=house_run.data)
    message = "Error: cannot write to standard output: No space left on device.\n"
    assert (ran.returncode, without_warning(ran.stderr)) == (1, message)


@needs_bash
@needs_full
@pytest.mark.parametrize("said", ["", "-q", "--json"])
def test_the_result_of_a_run_that_cannot_be_written(said, flowers):
    ran = shell(f"stepgrad train $data -t kind {FAST} --out run {said} > /dev/full", data=flowers)
    assert ran.returncode == 1
    assert ran.stderr.endswith("Error: cannot write to standard output: No space left on device.\n")
    assert Path("run/report.html").exists()


@needs_bash
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", pytest.param("2>/dev/full", marks=needs_full)])
def test_a_run_goes_on_where_what_it_tells_is_lost(closed, flowers):
    ran = shell(f"stepgrad train $data -t kind {FAST} --out run {closed}", data=flowers)
    assert (ran.returncode, ran.stderr) == (0, "" if "2>" in closed else ran.stderr)
    assert Path("run/report.html").exists()
    assert "Traceback" not in ran.stderr


@needs_bash
@pytest.mark.parametrize(
    "encoding, language", [("cp949", "ko"), ("cp949", "en"), ("cp1252", "en"), ("ascii", "en")]
)
def test_signs_that_an_encoding_lacks_are_written_as_others(encoding, language, flowers):
    program = f"LC_ALL=C.UTF-8 {shlex.join(PROGRAM)}"
    line = f"{program} train {flowers} -t kind {FAST} --lang {language} && {program} explain --example"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    ran = subprocess.run(["bash", "-c", line], capture_output=True, env=environment)
    # Where Python itself cannot write more than ASCII, click writes UTF-8.
    out = ran.stdout.decode("utf-8" if encoding == "ascii" else encoding)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr.decode(encoding)
    assert ("테스트" if language == "ko" else "Test ") in out
    assert "?" not in out
    assert ("% - " if encoding == "cp949" else "% – ") in out  # the interval


@needs_bash
def test_objects_for_programs_are_whole_in_any_encoding(flowers):
    line = f"{shlex.join(PROGRAM)} train {flowers} -t kind {FAST} --json --out 똠방–각하"
    ran = subprocess.run(
        ["bash", "-c", line], capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp949"}
    )
    assert json.loads(ran.stdout.decode("cp949"))["run"] == "똠방–각하"


@needs_bash
def test_the_end_of_a_pipe_is_no_error_of_the_run(flowers):
    ran = shell(f"set -o pipefail; stepgrad train $data -t kind {FAST} --out run 2>&1 | true", data=flowers)
    assert (ran.returncode, ran.stderr) == (141, "")
    assert Path("run/report.html").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_during_the_imports_is_quiet():
    """At each of several moments while the program starts."""
    code = "import sys; from stepgrad_command import main; sys.exit(main())"
    for moment in (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4):
        program = subprocess.Popen(
            [sys.executable, "-c", f"import stepgrad_command; print(flush=True); {code}", "train"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
        )  # fmt: skip
        program.stdout.readline()  # Python itself has started
        time.sleep(moment)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
        assert program.returncode in (-signal.SIGINT, 130), err
        assert "Traceback" not in err
        assert "KeyboardInterrupt" not in err
    assert not Path("runs").exists() or not any(Path("runs").iterdir())


def test_the_program_and_the_command_are_one(stepgrad, monkeypatch, capsys):
    import stepgrad_command

    monkeypatch.setattr(sys, "argv", ["stepgrad", "--version"])
    assert stepgrad_command.main() == 0
    assert capsys.readouterr().out == f"stepgrad {__version__}\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_python_runs_the_package_as_the_program(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stepgrad", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("stepgrad", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"stepgrad {__version__}\n")


def test_messages_have_one_line_without_tabs(stepgrad):
    ran = stepgrad("completion")
    message = "Error: Missing argument 'SHELL'. Choose from: bash, zsh, fish\n"
    assert ran.err == message + "Help: stepgrad completion --help\n"
