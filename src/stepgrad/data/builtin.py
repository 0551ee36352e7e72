"""Small data sets that come with the package, as files in `builtin/`; their README names authors and
licence."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy

from stepgrad.errors import ArgumentError, suggest

_FILES = {"digits": "digits.csv.gz", "iris": "iris.csv"}

IRIS_FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
IRIS_SPECIES = ("setosa", "versicolor", "virginica")


def builtin_path(name: str) -> Path:
    """Return the CSV file of a built-in data set, "digits" or "iris". Raises `ArgumentError` for another
    name.

    >>> builtin_path("iris").name
    'iris.csv'
    """
    if name not in _FILES:
        known = ", ".join(_FILES)
        raise ArgumentError(
            f"there is no built-in data set {name!r}; there are {known}.{suggest(name, _FILES)}"
        )
    return Path(__file__).with_name("builtin") / _FILES[name]


def digits() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return 1,797 handwritten digits: images, float32 of shape (1797, 8, 8) from 0 to 16, and labels 0–9,
    int64.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998.

    >>> images, labels = digits()
    >>> images.shape, float(images.max()), labels[:5].tolist()
    ((1797, 8, 8), 16.0, [0, 1, 2, 3, 4])
    """
    with gzip.open(builtin_path("digits"), "rt", encoding="utf-8") as file:
        table = numpy.loadtxt(file, delimiter=",", skiprows=1, dtype=numpy.float32)
    return table[:, :64].reshape(-1, 8, 8).copy(), table[:, 64].astype(numpy.int64)


def iris() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return 150 iris flowers: measurements in cm, float32 of shape (150, 4), and species 0–2, int64.

    The columns are `IRIS_FEATURES`, the species `IRIS_SPECIES`. Source: Fisher, "Iris", UCI Machine Learning
    Repository, 1936.

    >>> measures, species = iris()
    >>> measures.shape, IRIS_SPECIES[species[0]]
    ((150, 4), 'setosa')
    """
    with open(builtin_path("iris"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    measures = [[float(row[name]) for name in IRIS_FEATURES] for row in rows]
    species = [IRIS_SPECIES.index(row["species"]) for row in rows]
    return numpy.array(measures, dtype=numpy.float32), numpy.array(species, dtype=numpy.int64)
