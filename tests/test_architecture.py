"""Holds the sources to docs/ARCHITECTURE.md: imports point downwards, files stay readable, nothing is heavy.

The levels are read from the table in that document, so it cannot say one thing and the code another.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "src" / "stepgrad"
TABLE = REPOSITORY / "docs" / "ARCHITECTURE.md"

LONGEST_LINE = 110
LONGEST_FILE = 500
LIGHT_LEVELS = range(8)  # what `import stepgrad` loads: NumPy and the light part of the standard library
HEAVY_STANDARD = {
    "asyncio", "concurrent", "doctest", "email", "html", "http", "importlib.metadata", "importlib.resources",
    "multiprocessing", "pdb", "pydoc", "sqlite3", "ssl", "subprocess", "tkinter", "unittest", "urllib", "xml",
}  # fmt: skip
CODE_IN_FILES = {"pickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
# The package's own front door: it hands names on, and nothing inside the package goes through it.
FACE = ("__init__.py", "__main__.py")


@dataclass(frozen=True)
class Row:
    """One row of the table: its units, each a folder ``ops/`` or a file ``graph.py``, and their level."""

    level: int
    units: tuple[str, ...]
    may_import_up_to: int


@dataclass(frozen=True)
class Import:
    """An import statement's target, as written with dots made absolute, and where it stands."""

    target: str
    line: int
    at_top: bool


def read_table(document: Path) -> list[Row]:
    """The rows of the document's table of levels."""
    rows = []
    for line in document.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0].isdigit():
            units = tuple(re.findall(r"`([^`]+)`", cells[1]))
            below = [int(number) for number in re.findall(r"\d+", cells[3])]
            rows.append(Row(int(cells[0]), units, max(below, default=-1)))
    return rows


def module_name(package: Path, path: Path) -> str:
    """``stepgrad.ops.record`` for src/stepgrad/ops/record.py, ``stepgrad.ops`` for its ``__init__.py``."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(package: Path, path: Path) -> str:
    """``ops/`` for a file in that folder, ``graph.py`` for a file at the top."""
    parts = path.relative_to(package).parts
    return parts[0] if len(parts) == 1 else parts[0] + "/"


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imports_of(tree: ast.AST, home: str, at_top: bool = True) -> Iterator[Import]:
    """Every import below `tree` but those under ``if TYPE_CHECKING``; `home` is the package it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and is_type_checking(node.test):
            for other in node.orelse:
                yield from imports_of(ast.Module([other], []), home, at_top)
        elif isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = home.split(".")[: len(home.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield from (Import(f"{base}.{alias.name}", node.lineno, at_top) for alias in node.names)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports_of(node, home, at_top and not inside)


def module_meant(target: str, modules: dict[str, Path]) -> str:
    """The module that an import loads: ``a.b.name`` is ``a.b`` unless there is a module ``a.b.name``."""
    while target not in modules and "." in target:
        target = target.rpartition(".")[0]
    return target


def forbidden_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Places that would run code from text or from a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                yield node.lineno, f"calls {node.func.id}()"
            for keyword in node.keywords:
                allowed = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg == "allow_pickle" and not allowed:
                    yield node.lineno, "allows pickle"


def is_heavy(target: str) -> bool:
    """Whether importing `target` costs more than NumPy and the light standard library."""
    top = target.split(".")[0]
    if top == "numpy":
        return False
    return top not in sys.stdlib_module_names or any(
        target == name or target.startswith(name + ".") for name in HEAVY_STANDARD
    )


def text_violations(text: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What is wrong with a file by itself: its length, its lines, calls that run code."""
    lines = text.splitlines()
    if len(lines) > LONGEST_FILE:
        yield LONGEST_FILE, f"the file has {len(lines)} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            yield number, f"{len(line)} columns"
    yield from forbidden_calls(tree)


def outside_violation(unit: str, level: int, imported: Import) -> str | None:
    """What is wrong with an import of something that is not the package's own, if anything is."""
    top = imported.target.split(".")[0]
    if top in CODE_IN_FILES:
        return f"imports {top}"
    light = unit in FACE or level in LIGHT_LEVELS
    if light and imported.at_top and is_heavy(imported.target):
        return f"imports {imported.target} on loading"
    if unit == "ops/" and top != "numpy" and top not in sys.stdlib_module_names:
        return f"ops/ imports {top}"
    return None


def inside_violation(unit: str, other: str, rows: dict[str, Row], at_top: bool) -> str | None:
    """What is wrong with a file of `unit` importing one of the unit `other`, if anything is."""
    if other in FACE:
        return "imports the package's own face"
    if other not in rows:
        return None  # said once, where that file itself is looked at
    if unit in FACE:
        heavy = at_top and unit == "__init__.py" and rows[other].level not in LIGHT_LEVELS
        return f"loads {other}, which is not light" if heavy else None
    if rows[other] != rows[unit] and rows[other].level > rows[unit].may_import_up_to:
        return f"{unit} (level {rows[unit].level}) imports {other} (level {rows[other].level})"
    return None


def violations(package: Path, table: Path) -> list[str]:
    """Everything in `package` that breaks the rules, each as ``file:line: what``; empty if all is well."""
    rows = {unit: row for row in read_table(table) for unit in row.units}
    modules = {module_name(package, path): path for path in sorted(package.rglob("*.py"))}
    graph: dict[str, set[str]] = {}
    found: list[str] = []
    for name, path in modules.items():
        unit, where = unit_of(package, path), path.relative_to(package).as_posix()
        if unit not in FACE and unit not in rows:
            found.append(f"{where}:1: {unit} has no row in {table.name}")
            continue
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=where)
        found += [f"{where}:{line}: {wrong}" for line, wrong in text_violations(text, tree)]
        home = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in imports_of(tree, home):
            if imported.target.split(".")[0] != package.name:
                wrong = outside_violation(unit, rows[unit].level if unit in rows else -1, imported)
            else:
                meant = module_meant(imported.target, modules)
                if meant == name:
                    continue
                graph.setdefault(name, set()).add(meant)
                wrong = inside_violation(unit, unit_of(package, modules[meant]), rows, imported.at_top)
            if wrong:
                found.append(f"{where}:{imported.line}: {wrong}")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("import cycle: " + " → ".join(reversed(error.args[1])))
    return found


def test_the_sources_keep_the_order_of_the_architecture():
    found = violations(PACKAGE, TABLE)
    assert not found, "\n" + "\n".join(found)


def test_every_unit_of_the_table_exists():
    missing = [unit for row in read_table(TABLE) for unit in row.units if not (PACKAGE / unit).exists()]
    assert not missing, f"{TABLE.name} has rows for what is not there: {missing}"


def test_nothing_in_the_table_may_import_its_own_level_or_above():
    for row in read_table(TABLE):
        assert row.may_import_up_to < row.level, row


# What the tests below plant into, a package that keeps every rule.
CLEAN = {
    "__init__.py": "from .graph import Node\n\n\ndef __getattr__(name):\n    from .train import fit\n",
    "errors.py": "class Bad(Exception):\n    pass\n",
    "ops/__init__.py": "from . import relu\n",
    "ops/relu.py": "import numpy as np\nfrom ..errors import Bad\n",
    "graph.py": "from .ops import relu\n\nif TYPE_CHECKING:\n    from .train import fit\n",
    "nn.py": "from .graph import Node\n",
    "train.py": "import rich\nfrom .nn import Module\n\n\ndef fit(model):\n    return model.eval()\n",
}
LEVELS = """
| level | what | about | may import |
|---|---|---|---|
| 0 | `errors.py` | the exceptions | nothing |
| 2 | `ops/` | the records | 0-1 |
| 3 | `graph.py` | nodes | 0-2 |
| 6 | `nn.py` | layers | 0-5 |
| 8 | `train.py` | training | 0–7 |
"""


def violations_of(folder: Path, **changed: str) -> list[str]:
    """The violations of the clean package with some files replaced (``ops__relu`` stands for ops/relu.py)."""
    files = CLEAN | {name.replace("__", "/") + ".py": text for name, text in changed.items()}
    if "face" in changed:
        files["__init__.py"] = files.pop("face.py")
    for name, text in files.items():
        path = folder / "little" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    table = folder / "LEVELS.md"
    table.write_text(LEVELS, encoding="utf-8")
    return violations(folder / "little", table)


def test_a_clean_package_has_no_violations(tmp_path):
    assert violations_of(tmp_path) == []


PLANTED = [
    ({"ops__relu": "from ..nn import Linear\n"}, "ops/relu.py:1: ops/ (level 2) imports nn.py (level 6)"),
    ({"ops__relu": "from .. import nn\n"}, "ops/relu.py:1: ops/ (level 2) imports nn.py (level 6)"),
    ({"ops__relu": "\n\nimport little.nn\n"}, "ops/relu.py:3: ops/ (level 2) imports nn.py (level 6)"),
    ({"ops__relu": "def f():\n import little.nn\n"}, "ops/relu.py:2: ops/ (level 2) imports nn.py (level 6)"),
    ({"ops__relu": "def f():\n    import llvmlite\n"}, "ops/relu.py:2: ops/ imports llvmlite"),
    ({"nn": "import little\n"}, "nn.py:1: imports the package's own face"),
    ({"nn": "import polars as pl\n"}, "nn.py:1: imports polars on loading"),
    ({"nn": "class A:\n    import ssl\n"}, "nn.py:2: imports ssl on loading"),
    ({"nn": "from importlib import metadata\n"}, "nn.py:1: imports importlib.metadata on loading"),
    ({"face": "from .train import f\n"}, "__init__.py:1: loads train.py, which is not light"),
    ({"train": "import pickle\n"}, "train.py:1: imports pickle"),
    ({"train": "def f(text):\n    return eval(text)\n"}, "train.py:2: calls eval()"),
    ({"train": "import numpy as np\n\nnp.load('a', allow_pickle=True)\n"}, "train.py:3: allows pickle"),
    ({"train": "#" * 111 + "\n"}, "train.py:1: 111 columns"),
    ({"train": "x = 1\n" * 501}, "train.py:500: the file has 501 lines"),
    ({"loose": "x = 1\n"}, "loose.py:1: loose.py has no row in LEVELS.md"),
]  # fmt: skip


@pytest.mark.parametrize("changed, message", PLANTED)
def test_a_planted_violation_is_found(tmp_path, changed, message):
    assert message in violations_of(tmp_path, **changed)


def test_a_planted_cycle_is_found_also_inside_functions(tmp_path):
    tanh = "def g():\n    from .relu import f\n"
    found = violations_of(tmp_path, ops__relu="from . import tanh\n", ops__tanh=tanh)
    assert len(found) == 1
    assert set(found[0].removeprefix("import cycle: ").split(" → ")) == {"little.ops.relu", "little.ops.tanh"}


def test_the_road_through_the_compiler_names_all_that_is_there():
    text = TABLE.read_text(encoding="utf-8").partition("## The compiler")[2].partition("| asked for |")[2]
    named = {name.rstrip("/") for name in re.findall(r"`(\w+(?:\.py|/))`", text)}
    folder = PACKAGE / "compile"
    there = {
        path.name for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - named == {"__init__.py"}
    assert named - there <= {path.name for path in (folder / "lower").iterdir()}


def test_importing_stepgrad_loads_nothing_heavy():
    heavy = {
        "asyncio", "click", "concurrent.futures", "cupy", "importlib.metadata", "jax", "llvmlite",
        "matplotlib", "multiprocessing", "numpy.f2py", "numpy.testing", "onnx", "pandas", "polars", "rich",
        "safetensors", "scipy", "sklearn", "torch", "unittest",
        "stepgrad.cli", "stepgrad.files", "stepgrad.sklearn", "stepgrad.train",
    }  # fmt: skip
    code = "import stepgrad, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "numpy" in loaded
    assert not heavy & loaded
