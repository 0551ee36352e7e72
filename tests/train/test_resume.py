"""Checkpoints of a `Trainer`: when they are written, going on from them, and what does not fit."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.data import DataLoader
from stepgrad.errors import ArgumentError, FileError
from stepgrad.files import read_tensors
from stepgrad.train import LambdaCallback
from stepgrad.train.checkpoint import checkpoint_paths
from tests.train.runs import Noisy, bits, eager, losses, plain_net, rich_net, table

X, Y = table(rows=26)
VALIDATION = table(rows=10, seed=1)


def run(folder, epochs=4, data=(X, Y), **options):
    trainer = eager(rich_net, checkpoint=folder, **options)
    trainer.fit(data, VALIDATION, epochs=epochs, batch_size=8, resume=True, patience=3)
    return trainer


def test_a_run_of_more_epochs_goes_on_from_one_of_fewer(tmp_path):
    run(tmp_path / "one", 2)
    one = run(tmp_path / "one", 5)
    found = bits(one)
    two = run(tmp_path / "two", 5)
    assert found == bits(two)
    assert losses(one) == losses(two)
    assert (one.epoch, one.history.stopped) == (two.epoch, two.history.stopped)
    again = run(tmp_path / "one", 5)
    assert bits(again) == found
    assert again.step == two.step


def test_checkpoints_at_the_end_of_epochs_are_some_time_apart(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("stepgrad.train.trainer.time.monotonic", lambda: now[0])

    def tick(trainer):
        now[0] += 0.4

    trainer = eager(callbacks=[LambdaCallback(on_epoch_begin=tick)], checkpoint=tmp_path, keep=9)
    trainer.fit((X, Y), epochs=8, batch_size=8)
    epochs = [int(path.stem[5:]) // 4 for path in checkpoint_paths(tmp_path)]
    assert epochs == [8, 7, 4, 1]


def test_a_run_that_was_stopped_stays_stopped(tmp_path):
    def stop(trainer):
        if trainer.epoch == 2:
            trainer.stop("enough")

    run(tmp_path, callbacks=[LambdaCallback(on_epoch_end=stop)])
    again = run(tmp_path)
    assert (again.epoch, again.history.stopped) == (2, "enough")


def test_the_newest_checkpoints_are_kept(tmp_path):
    run(tmp_path, checkpoint_every=3, keep=3)
    assert [int(path.stem[5:]) for path in checkpoint_paths(tmp_path)] == [16, 15, 12]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_checkpoint_is_passed_over(tmp_path, caplog):
    whole = run(tmp_path / "whole")
    run(tmp_path, 3, checkpoint_every=5)
    newest, _ = checkpoint_paths(tmp_path)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    again = run(tmp_path)
    assert f"passing over a checkpoint: '{newest}'" in caplog.text.replace("cannot read ", "")
    assert bits(again) == bits(whole)
    for path in checkpoint_paths(tmp_path):
        path.write_bytes(path.read_bytes()[:-9])
    trainer = eager(rich_net, checkpoint=tmp_path)
    with pytest.raises(
        FileError, match=r"of the checkpoints in '.*' \(2\) none is undamaged. Delete them to begin"
    ):
        trainer.fit((X, Y), resume=True)


def test_the_checkpoints_of_another_run_are_not_mixed_in(tmp_path):
    first = run(tmp_path)
    trainer = eager(rich_net, checkpoint=tmp_path)
    with pytest.raises(
        ArgumentError, match=r"holds the checkpoints of an earlier run\. Go on with it by fit"
    ):
        trainer.fit((X, Y), epochs=1)
    first.fit((X, Y), VALIDATION, epochs=1, batch_size=8)
    assert checkpoint_paths(tmp_path)[0].stem == f"step-{first.step:012}"


def test_a_checkpoint_of_other_batches_or_another_model(tmp_path):
    run(tmp_path)
    trainer = eager(rich_net, checkpoint=tmp_path)
    before = bits(trainer)
    with pytest.raises(
        ArgumentError, match=r"a run with 4 batches in an epoch, this one has 3\. Resume with the same"
    ):
        trainer.fit((X, Y), epochs=5, batch_size=10, resume=True)
    assert bits(trainer) == before
    other = eager(plain_net, checkpoint=tmp_path)
    before = bits(other)
    with pytest.raises(FileError, match="does not fit"):
        other.fit((X, Y), VALIDATION, epochs=5, batch_size=8, resume=True)
    assert bits(other) == before


def test_parameters_that_the_optimizer_lacks_gather_no_gradients():
    norms = []
    net = plain_net()
    optimizer = optim.SGD(net[2].parameters(), lr=0.1)
    trainer = sg.Trainer(
        net, nn.CrossEntropyLoss(), optimizer, clip_norm=1e9, progress=False, compile=False,
        callbacks=[LambdaCallback(on_batch_end=lambda t: norms.append(net[0].weight.grad.norm().item()))],
    )  # fmt: skip
    trainer.fit((X, Y), epochs=20, batch_size=26)
    assert max(norms) < 2 * norms[0]


def test_a_validation_loader_that_shuffles_goes_on_where_it_was(tmp_path):
    def fit(folder, epochs):
        trainer = eager(checkpoint=folder)
        trainer.fit((X, Y), DataLoader(Noisy(X, Y), 4, shuffle=True, seed=2), epochs=epochs, resume=True)
        return trainer

    fit(tmp_path / "one", 2)
    one, two = fit(tmp_path / "one", 4), fit(tmp_path / "two", 4)
    assert losses(one) == losses(two)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_write_protected(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(FileError, match="permission denied"):
        eager(checkpoint=tmp_path / "closed" / "checkpoints").fit((X, Y), epochs=1)


def test_a_checkpoint_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "checkpoints"):
        trainer = eager(checkpoint=folder)
        with pytest.raises(FileError, match=r"cannot (read|create the folder) '.*': .*(file|directory)"):
            trainer.fit((X, Y), epochs=1)


FULL_DISK = textwrap.dedent(
    """
    import resource, sys
    import stepgrad as sg
    from tests.train.runs import bits, plain_net, table, trainer_of
    trainer = trainer_of(plain_net(), checkpoint=sys.argv[1], compile=False)
    trainer.fit(table(), epochs=1)
    before = bits(trainer)
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    seen = []
    trainer.callbacks.append(sg.train.LambdaCallback(on_epoch_end=lambda t: seen.append(bits(t))))
    try:
        trainer.fit(table(), epochs=1)
    except sg.errors.FileError as error:
        assert bits(trainer) == seen[0] != before
        print(error)
    """
)


@pytest.mark.skipif(os.name == "nt", reason="limits the size of files")
def test_a_full_disk_harms_neither_weights_nor_checkpoints(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "the file would be larger than the limit" in done.stdout
    (kept,) = tmp_path.iterdir()
    read_tensors(kept)
