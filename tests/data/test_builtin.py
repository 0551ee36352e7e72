import numpy
import pytest

from stepgrad.data import builtin
from stepgrad.errors import ArgumentError


def test_digits_are_images_and_labels():
    images, labels = builtin.digits()
    assert images.shape == (1797, 8, 8)
    assert images.dtype == numpy.float32
    assert (images.min(), images.max()) == (0, 16)
    assert labels.dtype == numpy.int64
    assert numpy.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_iris_are_measurements_and_species():
    measures, species = builtin.iris()
    assert measures.shape == (150, 4)
    assert measures.dtype == numpy.float32
    assert species.dtype == numpy.int64
    assert numpy.bincount(species).tolist() == [50, 50, 50]
    # The means that every description of the data gives.
    assert measures.mean(axis=0, dtype=float) == pytest.approx(
        [5.843333, 3.057333, 3.758, 1.199333], abs=1e-5
    )
    assert measures[species == 0, 2].max() < measures[species != 0, 2].min()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ArgumentError, match=r"'digit'; there are digits, iris. Did you mean 'digits'"):
        builtin.builtin_path("digit")


def test_the_files_come_with_their_licence():
    text = (builtin.builtin_path("iris").parent / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text
    for file in ("digits", "iris"):
        assert builtin.builtin_path(file).name in text
