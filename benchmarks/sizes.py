"""What an installation takes on the disk: a distribution's own files, and those of everything that it needs.

Read from the metadata of what is installed here. Compiled bytecode is left out. For stepgrad the sources and
the dependencies of this checkout count, so that it need not be installed.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
DISTRIBUTIONS = ("stepgrad", "numpy", "torch", "jax", "scikit-learn")


def needed(requirements: list[str]) -> list[str]:
    """The names of the distributions that requirement lines ask for here, extras left out."""
    from packaging.requirements import Requirement

    parsed = [Requirement(line) for line in requirements]
    return [item.name for item in parsed if item.marker is None or item.marker.evaluate({"extra": ""})]


def own_files(name: str) -> tuple[int, list[str]]:
    """The bytes of a distribution's own files, and the names of the distributions that it needs."""
    if name == "stepgrad":
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        paths = [path for path in (REPOSITORY / "src").rglob("*") if path.is_file()]
        requirements = project["dependencies"]
    else:
        installed = distribution(name)
        paths = [Path(str(path.locate())) for path in installed.files or []]
        requirements = installed.requires or []
    size = sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
    return size, needed(requirements)


def installed_size(name: str) -> dict[str, float]:
    """Megabytes (10⁶ bytes) of a distribution alone and of it with all it needs, and how many those are."""
    sizes: dict[str, int] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        key = current.lower().replace("_", "-")
        if key not in sizes:
            sizes[key], more = own_files(current)
            waiting += more
    return {
        "own": sizes[name] / 1e6,
        "with_dependencies": sum(sizes.values()) / 1e6,
        "distributions": len(sizes),
    }


def installed_sizes() -> dict[str, dict[str, float]]:
    """The sizes of all of `DISTRIBUTIONS` that are installed here."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = installed_size(name)
        except PackageNotFoundError:
            continue
    return found
