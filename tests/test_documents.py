"""Runs the Python examples of README.md and docs/, and looks at their links."""

import doctest
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])


def document_name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_name)
def test_examples_give_what_they_show(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = document.read_text(encoding="utf-8")
    # One namespace for the whole document: a later example goes on from an earlier one.
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        line = text[: block.start()].count("\n") + 1
        example = doctest.DocTestParser().get_doctest(block[1], names, document.name, str(document), line)
        report: list[str] = []
        runner.run(example, out=report.append, clear_globs=False)
        assert not report, "".join(report)
        names.update(example.globs)


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
