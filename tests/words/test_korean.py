"""The Korean catalogue has what is used, uses what it has, and fits the sentences that the library makes."""

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import stepgrad
from stepgrad.words.korean import TEXTS
from stepgrad.words.korean_sentences import FROM_CLICK, SENTENCES
from stepgrad.words.language import Words
from stepgrad.words.particles import PAIRS

PACKAGE = Path(stepgrad.__file__).parent
SOURCES = [path for path in PACKAGE.rglob("*.py") if not path.name.startswith("korean")]
TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
HANGUL = re.compile("[가-힣]")


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def particle_specs(text: str) -> list[str]:
    return [spec.removeprefix("+") for _, _, spec, _ in string.Formatter().parse(text) if spec]


def texts_asked_for() -> set[str]:
    """The constants that are handed to `words(…)`, as they stand in the sources."""
    found = set()
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in ("words", "_words"):
                    found.add(node.args[0].value)
    return found


@cache
def message_patterns() -> list[re.Pattern]:
    """A pattern for every text in the sources that has enough words of its own to be told from others."""
    patterns = []
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = [node.value]
            else:
                continue
            if sum(len(part) for part in parts if part) >= 12:
                pattern = "".join(".*" if part is None else re.escape(part) for part in parts)
                patterns.append(re.compile(pattern, re.DOTALL))
    return patterns


def test_every_text_has_a_translation():
    assert texts_asked_for() <= TEXTS.keys()


def test_every_translation_is_used():
    constants = {node.value for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    from_click = {"", "Show this message and exit."}
    assert TEXTS.keys() - from_click <= constants


@pytest.mark.parametrize("english, korean", [*TEXTS.items(), *SENTENCES.items()])
def test_a_translation_names_the_values_of_the_original(english, korean):
    assert fields(korean) <= fields(english)
    assert set(particle_specs(korean)) <= PAIRS


# Parts that other texts are put together with.
COMPOSED = {
    "column '{name}' is left out: it has no filled cell in the training rows.",
    "column '{name}' is left out: it has one value in the training rows.",
    "column '{name}' is left out: it has numbers that differ by less than 1e-290.",
    "column '{name}' is left out: it has a different text in every row, as a name has.",
    "column '{name}' is left out: it numbers the rows, each with a number of its own.",
}
# What the command line answers to a `NotFiniteError`; tests/cli has it whole.
COMPOSED_BY_COMMANDS = {english for english in SENTENCES if english.startswith("{problem} in epoch ")}


@pytest.mark.parametrize(
    "english", sorted(SENTENCES.keys() - COMPOSED - COMPOSED_BY_COMMANDS - FROM_CLICK.keys())
)
def test_the_library_still_says_the_sentences_that_are_translated(english):
    sample = english
    for field in fields(english):
        sample = sample.replace("{" + field + "}", "7")
    assert any(pattern.fullmatch(sample) for pattern in message_patterns()), english


TOLD = [
    *(path for folder in ("data/table", "train/table", "cli") for path in (PACKAGE / folder).glob("*.py")),
    *(
        PACKAGE / name
        for name in ("arrays/devices.py", "files/paths.py", "files/atomic.py", "train/resume.py")
    ),
]
ERRORS = {"ArgumentError", "BadInput", "DataError", "DeviceError", "FileError", "MissingPackageError"}
NOT_TOLD = {
    # In files or in Python alone.
    "# The settings of this run; `stepgrad train --resume` with this folder goes on with them.\n",
    "the checkpoint has the state of a callback 7, which this Trainer lacks; give it the callbacks of the "
    "run that it resumes, in their order.",
    "read_outputs: outputs of shape 7 do not fit 7 classes; give one row per sample and one logit per class "
    "(or a single one).",
    # Parts of other sentences, and sentences whose parts stand elsewhere.
    "Choose a lower learning rate, such as --lr 7.",
    "7 '7' is 7 in row 7; a network needs finite numbers: correct the cell or leave it empty.",
    "cannot 7 '7': 7",
    "column '7' is left out: it 7.",
    "the target '7' has 7 different values in 7 rows; classes that hardly ever repeat cannot be learned.",
    "there is no folder '7'; create it or correct the path.",
    "there is no such file.",
}


def told_sentences() -> set[str]:
    """Every sentence in the sources of tables and commands that a person may read, "7" for each value."""
    return {sentence for path in TOLD for sentence in _sentences(ast.parse(path.read_text(encoding="utf-8")))}


def _sentences(tree: ast.AST) -> Iterator[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope in (tree, *functions):
        texts = {
            node.targets[0].id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                yield from filter(None, [_sample(node.args[0], texts)])
            elif isinstance(node, ast.JoinedStr) and scope is not tree:
                sample = _sample(node, texts)
                if sample.endswith(".") and sample.count(" ") > 3 and not sample.startswith("7 "):
                    yield sample


def _sample(node: ast.AST, texts: dict[str, ast.AST]) -> str:
    """A text as it may come out; an empty one if it is put together elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_sample(part, texts) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        if isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") in (
            "suggest",
            "suggest_all",
            "suggest_file",
            "other_run",
        ):
            return ""
        inner = texts.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
        inner = inner.body if isinstance(inner, ast.IfExp) else inner
        is_text = isinstance(inner, (ast.JoinedStr, ast.Constant))
        return _sample(inner, texts) if is_text else "7"
    return ""


def test_there_are_sentences_to_look_at():
    told = told_sentences()
    assert len(told) > 90
    assert "'7' is empty; it needs a line of column names and rows below it." in told
    assert (
        "the target '7' has 7 different values in 7 rows; classes that hardly ever repeat cannot be learned. "
        "Ask for regression." in told
    )


@pytest.mark.parametrize("sentence", sorted(told_sentences() - NOT_TOLD))
def test_what_tables_and_commands_say_is_translated(sentence):
    assert HANGUL.search(Words("ko").sentence(sentence)), sentence


def test_the_library_still_has_the_reasons_for_leaving_a_column_out():
    constants = {node.value for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for english in COMPOSED:
        assert english.removeprefix("column '{name}' is left out: it ").removesuffix(".") in constants


def test_what_a_real_table_gives_is_translated():
    from stepgrad.data.table.frame import Table
    from stepgrad.data.table.prepare import Preparation
    from stepgrad.data.table.split import split_rows
    from stepgrad.data.table.task import find_task

    table = Table.from_arrays({
        "price": [float(i) if i else None for i in range(20)],
        "same": [1.0] * 20,
        "name": [f"person {i}" for i in range(20)],
    })  # fmt: skip
    task = find_task(table, "price")
    split = split_rows(table.column("price"), task, name="'price'")
    table = Table({**table.columns, "size": table.column("price")})
    notes = [task.reason, *split.notes, *Preparation.fit(table, "price", task, split.train).notes]
    assert len(notes) == 4
    translated = [Words("ko").sentence(note) for note in notes]
    assert translated[0] == "'price'는 서로 다른 값이 19가지인 수입니다"
    assert all(HANGUL.search(sentence) for sentence in translated)
