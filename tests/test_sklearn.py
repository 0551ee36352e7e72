"""The estimators: what scikit-learn asks of them, and tables with more than numbers."""

import json
import pickle
import subprocess
import sys

import numpy
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from stepgrad.errors import ArgumentError, DataError
from stepgrad.sklearn import Classifier, Regressor

# Few epochs and units: what is asked is the behaviour, not the score.
SMALL = {
    "hidden": (16,),
    "epochs": 40,
    "lr": 5e-3,
    "weight_decay": 0.01,
    "refit": False,
    "dropout": 0.0,
    "random_state": 0,
}


@parametrize_with_checks([Classifier(**SMALL), Regressor(**SMALL)])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


def test_a_classifier_learns_iris_and_its_probabilities_add_up():
    flowers, species = load_iris(return_X_y=True)
    names = numpy.array(["setosa", "versicolor", "virginica"])[species]
    classifier = Classifier(random_state=0, epochs=40).fit(flowers, names)
    assert classifier.score(flowers, names) > 0.93
    probabilities = classifier.predict_proba(flowers)
    assert probabilities.shape == (150, 3)
    numpy.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert list(classifier.classes_) == ["setosa", "versicolor", "virginica"]
    assert (classifier.classes_[probabilities.argmax(axis=1)] == classifier.predict(flowers)).all()


def test_a_regressor_learns_diabetes_as_well_as_a_linear_model():
    patients, progression = load_diabetes(return_X_y=True)
    scores = cross_val_score(Regressor(random_state=0, epochs=60), patients, progression, cv=3)
    assert scores.mean() > 0.4


def test_the_same_random_state_gives_the_same_bits_and_fitting_leaves_numpy_alone():
    patients, progression = load_diabetes(return_X_y=True)
    numpy.random.seed(3)  # noqa: NPY002 - it is this state that must not change
    before = numpy.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (Regressor(**SMALL).fit(patients, progression).predict(patients) for _ in range(2))
    assert (first == second).all()
    assert (numpy.random.get_state()[1] == before).all()  # noqa: NPY002


def _people(rows: int = 120) -> tuple[pandas.DataFrame, numpy.ndarray]:
    random = numpy.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "age": random.uniform(20, 60, rows),
            "town": random.choice(["Seoul", "Busan", "Jeju"], rows),
            "member": random.integers(0, 2, rows).astype(bool),
        }
    )
    frame.loc[::9, "age"] = numpy.nan
    frame.loc[::11, "town"] = None
    bought = (frame["town"].to_numpy() == "Seoul") | (frame["age"].fillna(0).to_numpy() > 45)
    return frame, numpy.where(bought, "yes", "no")


def test_frames_with_texts_booleans_and_missing_cells_are_taken_as_they_are():
    frame, bought = _people()
    classifier = Classifier(random_state=0, epochs=60).fit(frame, bought)
    assert classifier.score(frame, bought) > 0.9
    assert list(classifier.feature_names_in_) == ["age", "town", "member"]
    unknown = frame.head(2).assign(town=["Paris", "Seoul"])
    assert set(classifier.predict(unknown)) <= {"yes", "no"}


def test_a_missing_column_is_named():
    frame, bought = _people()
    classifier = Classifier(**SMALL).fit(frame, bought)
    with pytest.raises(ValueError, match="town"):
        classifier.predict(frame.drop(columns="town"))


def test_it_works_in_pipelines_searches_copies_and_pickles():
    flowers, species = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), Classifier(**SMALL))
    search = GridSearchCV(pipeline, {"classifier__hidden": [(4,), (8,)]}, cv=2).fit(flowers, species)
    assert search.best_params_["classifier__hidden"] in [(4,), (8,)]
    fitted = search.best_estimator_
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own bytes
    assert (again.predict_proba(flowers) == fitted.predict_proba(flowers)).all()
    assert clone(Classifier(lr=0.1)).get_params()["lr"] == 0.1


def test_bad_parameters_and_targets_are_named():
    flowers, species = load_iris(return_X_y=True)
    with pytest.raises(ArgumentError, match=r"no activation 'rellu'\. Did you mean 'relu'"):
        Classifier(activation="rellu").fit(flowers, species)
    with pytest.raises(ArgumentError, match="validation_fraction must be at least 0 and below 1"):
        Regressor(validation_fraction=1.5).fit(flowers, species)
    with pytest.raises(DataError, match="only one class"):
        Classifier().fit(flowers, numpy.zeros(150))
    with pytest.raises(ValueError, match=r"(?i)infinity"):
        Classifier().fit(numpy.full((20, 2), numpy.inf), numpy.arange(20) % 2)


def test_without_scikit_learn_the_import_says_what_to_install():
    code = (
        "import sys, json; sys.modules['sklearn'] = sys.modules['sklearn.base'] = None\n"
        "try:\n    import stepgrad.sklearn\n"
        "except Exception as error:\n    print(json.dumps([isinstance(error, ImportError), str(error)]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    is_import_error, message = json.loads(out)
    assert is_import_error
    assert "pip install 'stepgrad[sklearn]'" in message


def test_one_number_of_hidden_units_is_one_layer() -> None:
    x = numpy.linspace(0, 1, 40)[:, None]
    regressor = Regressor(hidden=8, epochs=2, random_state=0).fit(x, x[:, 0])
    assert regressor.model_.network[0].out_features == 8
    for wrong in ("64", 0, (3, "x"), 2.5):
        with pytest.raises(
            ArgumentError, match="a number of hidden units must be a whole number of at least 1"
        ):
            Regressor(hidden=wrong).fit(x, x[:, 0])


def test_repeated_columns_and_missing_classes_are_refused() -> None:
    frame = pandas.DataFrame(numpy.zeros((20, 2)), columns=["a", "a"])
    with pytest.raises(DataError, match="X has two columns named 'a'; rename one of them"):
        Classifier().fit(frame, ["b", "c"] * 10)
    with pytest.raises(DataError, match=r"y\[3\] is missing; leave such rows out"):
        Classifier().fit(numpy.arange(20.0)[:, None], numpy.array(["b", "c", "b", None] * 5, dtype=object))
    with pytest.raises(DataError, match=r"y\[3\] is missing; leave such rows out"):
        Classifier().fit(frame.set_axis(["a", "b"], axis=1), ["b", "c", "b", None] * 5)


def test_a_linear_model_goes_on_along_its_line() -> None:
    x = numpy.linspace(0, 1, 60)[:, None]
    line = Regressor(hidden=(), lr=0.05, epochs=150, random_state=0).fit(x, 3 * x[:, 0])
    assert line.predict([[2.0]])[0] == pytest.approx(6, abs=0.4)
    bounded = Regressor(epochs=20, random_state=0).fit(x, 3 * x[:, 0])
    assert bounded.predict([[90.0]])[0] <= 3.3
