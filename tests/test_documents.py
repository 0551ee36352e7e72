"""Runs the Python examples of README.md and docs/, and looks at their links."""

import doctest
import inspect
import re
import shlex
from pathlib import Path

import pytest

import stepgrad as sg
from stepgrad.cli import main

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
EXAMPLES = REPOSITORY / "docs" / "examples"
# A Korean page has the code of the English one (a test holds it), which is run once.
RUN = [path for path in DOCUMENTS if path.parent != EXAMPLES / "ko"]


def document_name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def run_commands(block: str) -> None:
    for command in block.splitlines():
        program, *arguments = shlex.split(command, comments=True)
        assert program == "stepgrad"
        assert main(arguments) == 0, command


@pytest.mark.parametrize("document", RUN, ids=document_name)
def test_examples_give_what_they_show(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = document.read_text(encoding="utf-8")
    # One namespace for the whole document: a later example goes on from an earlier one.
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for block in re.finditer(r"^```(python|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if block[1] == "bash":
            # The files that commands of other documents name are the reader's own.
            if document.parent == EXAMPLES:
                run_commands(block[2])
            continue
        line = text[: block.start()].count("\n") + 1
        example = doctest.DocTestParser().get_doctest(block[2], names, document.name, str(document), line)
        example.globs = names  # and not a copy: functions see what later blocks define anew
        report: list[str] = []
        runner.run(example, out=report.append, clear_globs=False)
        assert not report, "".join(report)


def test_every_example_is_in_both_languages_and_in_both_lists():
    english, korean = ({path.name for path in folder.glob("*.md")} for folder in (EXAMPLES, EXAMPLES / "ko"))
    assert english == korean
    assert len(english) > 3
    for folder in (EXAMPLES, EXAMPLES / "ko"):
        listed = re.findall(
            r"^\d+\. \[.+?\]\(([\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"), re.M
        )
        assert sorted([*listed, "README.md"]) == sorted(english)


@pytest.mark.parametrize("english", sorted(EXAMPLES.glob("*.md")), ids=document_name)
def test_both_languages_have_the_same_code(english):
    korean = EXAMPLES / "ko" / english.name
    blocks = [
        re.findall(r"^```.*?^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        for page in (english, korean)
    ]
    assert blocks[0] == blocks[1]
    # Each page begins with the way to the other one.
    for page, other in ((english, korean), (korean, english)):
        heading = page.read_text(encoding="utf-8").split("\n\n")[1]
        targets = re.findall(r"\]\((.+?)\)", heading)
        assert (page.parent / targets[0]).resolve() == other


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_name)
def test_links_to_files_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing = [name for name in targets if "://" not in name and not (document.parent / name).exists()]
    assert not missing


def test_the_readme_gives_the_two_commands_that_ci_runs():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name in ("install and train", "test"):
        assert len(re.findall(rf"<!-- command: {name} -->\n```bash\n(.+)\n```", text)) == 1


def test_every_capability_names_tests_that_are_there_or_says_that_it_is_open():
    document = REPOSITORY / "docs" / "capabilities.md"
    rows = re.findall(r"^\| C(\d+) \|(.*)\|$", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 62))
    for number, row in rows:
        *_, shown_by, left = row.split(" |")
        tests = re.findall(r"\]\(([^)#]+)#(\w+)\)", shown_by)
        assert tests or left.strip().startswith("open"), (
            f"C{number} has no test and does not say that it is open"
        )
        for path, name in tests:
            source = (document.parent / path).read_text(encoding="utf-8")
            assert f"def {name}(" in source, f"C{number}: there is no {name} in {path}"


def public_classes(module) -> list[type]:
    """The classes that a user finds in a module and makes things of: those of no other package, no bases."""
    found = [getattr(module, name) for name in dir(module) if not name.startswith("_")]
    without_use = {"DataParallel", "DistributedDataParallel", "RNNBase", "RNNCellBase"}
    return [c for c in found if inspect.isclass(c) and c.__name__ not in without_use]


@pytest.mark.parametrize("module", [sg.nn, sg.optim, sg.optim.lr_scheduler], ids=lambda m: m.__name__)
def test_help_of_every_layer_loss_optimizer_and_schedule_shows_an_example(module):
    classes = [c for c in public_classes(module) if not issubclass(c, tuple)]
    assert len(classes) > 10
    assert [c.__name__ for c in classes if ">>> " not in (c.__doc__ or "")] == []


def test_the_times_in_the_readme_are_those_of_the_benchmarks():
    """Each column of the README's table is a row of the page."""

    def cells(text, first):
        rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
        return [row for row in rows if row[0].startswith(first)]

    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    names = "stepgrad compiled", "JAX, lax.scan", "PyTorch eager, fused", "scikit-learn MLP"
    rows = cells(readme.partition("## Speed")[2], tuple("0123456789"))
    for name, *times in zip(names, *(row[1:] for row in rows), strict=True):
        measured = [cell.partition(" (")[0] for cell in cells(page, name)[0][1:]]
        assert times == measured, name
