"""`config.toml` keeps every setting, and refuses what is no setting."""

import tomllib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stepgrad.errors import ArgumentError, FileError
from stepgrad.train.table.config import read_config, write_config
from stepgrad.train.table.settings import TableSettings

FULL = TableSettings(
    "집값 (₩)", data='/a "b"\\c\n\x7f.csv', task="regression", hidden=(3, 5), activation="elu", lr=1e-3,
    batch_size=7, epochs=9, optimizer="sgd", weight_decay=0.0, dropout=0.25, patience=0, refit=False,
    fractions=(0.5, 0.25, 0.25), seed=3, device="cpu",
)  # fmt: skip


def test_every_setting_comes_back(tmp_path) -> None:
    unset = [field.name for field in fields(FULL) if getattr(FULL, field.name) is None]
    assert not unset  # or this test says nothing about them
    write_config(tmp_path, FULL, "abc")
    assert read_config(tmp_path) == (FULL, "abc")


@pytest.mark.parametrize("settings", [TableSettings("y"), TableSettings("y", hidden=())])
def test_what_was_not_chosen_stays_open(tmp_path, settings) -> None:
    write_config(tmp_path, settings, "abc")
    assert read_config(tmp_path)[0] == settings


@given(name=some.text(some.characters(exclude_categories=["Cs"]), min_size=1), lr=some.floats(1e-300, 1e300))
def test_any_name_and_number_comes_back(tmp_path_factory, name, lr) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_config(folder, TableSettings(name, data=name, lr=lr), "abc")
    assert read_config(folder)[0] == TableSettings(name, data=name, lr=lr)


def test_a_name_that_is_no_text_is_refused(tmp_path) -> None:
    with pytest.raises(ArgumentError, match="is not Unicode text; rename the file"):
        write_config(tmp_path, TableSettings("y", data="\udcff.csv"), "abc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("version = 1\ntarget = ", "is damaged"),
        ("version = 9\ntarget = 'y'\nfingerprint = 'a'", "is of version 9; this stepgrad reads version 1"),
        ("target = 'y'\nfingerprint = 'a'", "is of version None"),
        ("version = 1\ntarget = 'y'\nfingerprint = 'a'\nhiden = [1]", "'hiden'. Did you mean 'hidden'?"),
        ("version = 1\ntarget = 'y'", "has no target or no fingerprint"),
        ("version = 1\nfingerprint = 'a'", "has no target or no fingerprint"),
        ("version = 1\ntarget = 'y'\nfingerprint = 'a'\nhidden = 3", "hidden must be a list"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(FileError) as error:
        read_config(tmp_path)
    assert message in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path) -> None:
    (tmp_path / "config.toml").write_bytes(b"version = '\xff'")
    with pytest.raises(FileError, match="is damaged"):
        read_config(tmp_path)


def test_settings_out_of_their_range_are_named(tmp_path) -> None:
    write_config(tmp_path, TableSettings("y", epochs=5), "abc")
    path = tmp_path / "config.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("epochs = 5", "epochs = 0"), encoding="utf-8")
    with pytest.raises(ArgumentError, match="epochs must be a whole number of at least 1, not 0"):
        read_config(tmp_path)


def test_a_folder_without_it_is_no_run(tmp_path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileError, match=r"is not the folder of a run: it has no config\.toml"):
            read_config(place)


def test_it_is_readable_toml(tmp_path) -> None:
    write_config(tmp_path, FULL, "abc")
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert text.startswith("# The settings of this run")
    assert tomllib.loads(text)["hidden"] == [3, 5]
    assert 'target = "집값 (₩)"' in text
