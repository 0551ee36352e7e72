"""The Korean catalogue has what is used, uses what it has, and fits the sentences that the library makes."""

import ast
import re
import string
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
    "column '{name}' is left out: it has a different text in every row, as a name has.",
    "column '{name}' is left out: it numbers the rows, each with a number of its own.",
}


@pytest.mark.parametrize("english", SENTENCES.keys() - COMPOSED - FROM_CLICK.keys())
def test_the_library_still_says_the_sentences_that_are_translated(english):
    sample = english
    for field in fields(english):
        sample = sample.replace("{" + field + "}", "7")
    assert any(pattern.fullmatch(sample) for pattern in message_patterns()), english


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
