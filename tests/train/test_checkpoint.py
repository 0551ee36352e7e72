"""Checkpoints bring everything back bit for bit, and the newest whole one is found."""

import errno
import logging
import math
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.data import DataLoader, TensorDataset
from stepgrad.errors import ArgumentError, FileError
from stepgrad.files import read_tensors, write_tensors
from stepgrad.files.values import pack
from stepgrad.train.checkpoint import (
    checkpoint_path,
    checkpoint_paths,
    delete_older,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)


class Run:
    """A small run with everything that has a state: dropout, running statistics, shuffling, a schedule."""

    def __init__(self, optimizer="Adam", dtype=sg.float32, seed=0):
        sg.manual_seed(seed)
        self.model = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 1, bias=False)
        ).to(dtype)
        layers = [self.model[0].parameters(), [*self.model[1].parameters(), *self.model[4].parameters()]]
        groups = [{"params": list(layers[1]), "lr": 0.02}, {"params": list(layers[0])}]
        options = {"momentum": 0.9} if optimizer == "SGD" else {}
        self.optimizer = getattr(sg.optim, optimizer)(groups, lr=0.01, **options)
        self.schedule = sg.optim.lr_scheduler.StepLR(self.optimizer, step_size=5, gamma=0.7)
        generator = np.random.default_rng(0)
        x, y = generator.normal(size=(20, 4)), generator.normal(size=(20, 1))
        data = TensorDataset(*(sg.from_numpy(a.astype(dtype.name)) for a in (x, y)))
        self.loader = DataLoader(data, batch_size=6, shuffle=True, seed=seed)
        self.losses = []

    def train(self, steps):
        while steps:
            for x, y in self.loader:
                loss = nn.functional.mse_loss(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.losses.append(loss.item())
                steps -= 1
                if not steps:
                    break
        return self

    def write(self, path):
        write_checkpoint(
            path, self.model, self.optimizer, extra=self.losses, schedule=self.schedule, loader=self.loader
        )

    def resume(self, path):
        found = read_checkpoint(path)
        found.restore(self.model, self.optimizer, schedule=self.schedule, loader=self.loader)
        self.losses = found.extra
        return self

    def bits(self):
        """Everything that the future of the run depends on, as bytes and values."""
        text, arrays = pack(
            [
                self.model.state_dict(),
                self.optimizer.state_dict(),
                self.schedule.state_dict(),
                sg.get_rng_state(),
            ]
        )
        values = {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}
        return text, values, self.loader.state_dict(), self.losses


@pytest.fixture
def path(tmp_path):
    return tmp_path / "step.safetensors"


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("steps", [0, 1, 4, 7])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(path, optimizer, steps):
    whole = Run(optimizer).train(15)
    Run(optimizer).train(steps).write(path)
    # The resuming run starts from other weights and elsewhere in the random streams.
    resumed = Run(optimizer, seed=5)
    sg.rand(3)
    resumed.resume(path)
    assert resumed.losses == whole.losses[:steps]
    resumed.train(15 - steps)
    assert resumed.losses == whole.losses
    expected = Run(optimizer).train(15)
    assert resumed.bits() == expected.bits()


def test_in_float64(path):
    Run(dtype=sg.float64).train(3).write(path)
    resumed = Run(dtype=sg.float64, seed=1).resume(path).train(3)
    assert resumed.bits() == Run(dtype=sg.float64).train(6).bits()


def test_writing_changes_nothing_and_gives_the_same_bytes(path, tmp_path):
    run = Run().train(3)
    before = run.bits()
    run.write(path)
    assert run.bits() == before
    run.write(tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_the_arrays_are_named_for_readers(path):
    Run().train(1).write(path)
    names = list(read_tensors(path)[0])
    assert "model.0.weight" in names
    assert "model.1.running_mean" in names
    assert "optimizer.state.0.weight.exp_avg" in names
    assert "optimizer.state.4.weight.exp_avg_sq" in names


def test_extra_values_and_arrays_come_back(path):
    extra = {
        "epoch": 3,
        "sums": (0.1, np.float32(0.1), math.inf, -0.0),
        "best": {
            "0.weight": np.eye(2, dtype="float16"),
            "count": np.array(3),
            "none": np.zeros((0, 2), bool),
        },
        "stop": None,
        7: [True, "텍스트"],
    }
    model = nn.Linear(1, 1)
    write_checkpoint(path, model, extra=extra)
    found = read_checkpoint(path)
    assert repr(found.extra) == repr(extra)
    assert found.extra["best"]["none"].dtype == bool
    assert type(found.extra["sums"][1]) is np.float32
    assert found.optimizer is None
    assert found.parts == {}
    found.restore(model)
    assert read_checkpoint(path).source == str(path)


def test_the_optimizer_follows_names_and_not_places(path):
    run = Run().train(3)
    run.write(path)
    other = Run(seed=1)
    for group in other.optimizer.param_groups:
        group["params"].reverse()
    other.resume(path)
    for group, other_group in zip(run.optimizer.param_groups, other.optimizer.param_groups):
        for parameter, other_parameter in zip(group["params"], reversed(other_group["params"])):
            state, other_state = run.optimizer.state[parameter], other.optimizer.state[other_parameter]
            assert (state["exp_avg"] == other_state["exp_avg"]).all()


def test_what_does_not_fit_is_named_and_nothing_is_changed(path):
    Run().train(3).write(path)
    found = read_checkpoint(path)

    def refused(message, change=lambda run: None, **parts):
        run = Run(seed=4)
        change(run)
        given = {"schedule": run.schedule, "loader": run.loader, **parts}
        given = {name: part for name, part in given.items() if part is not None}
        before = run.bits()
        with pytest.raises(FileError) as caught:
            found.restore(run.model, run.optimizer, **given)
        assert message in str(caught.value)
        assert f"'{path}'" in str(caught.value)
        assert run.bits() == before

    refused("it holds the states of schedule, loader, and loader were handed over", schedule=None)
    refused("and schedule, loader, more were handed over", more=Run().loader)
    refused("'4.weight' is (1, 8) in the file, (2, 8) in the model", lambda run: grow(run.model))
    refused("'0.weight' is float32 in the file, float64 in the model", lambda run: run.model.to(sg.float64))
    refused("The groups have other members.", lambda run: run.optimizer.param_groups.reverse())
    refused("Not in the optimizer: '4.weight'.", lambda run: run.optimizer.param_groups[0]["params"].pop())
    with pytest.raises(FileError, match="it holds an optimizer's state, and none was handed over"):
        found.restore(Run().model, schedule=Run().schedule, loader=Run().loader)
    write_checkpoint(path, Run().model)
    with pytest.raises(FileError, match="it holds no optimizer's state, and one was handed over"):
        read_checkpoint(path).restore(Run().model, Run().optimizer)


def grow(model):
    model[4].weight = nn.Parameter(sg.zeros(2, 8))


def test_an_optimizer_with_foreign_parameters_is_refused(path):
    optimizer = sg.optim.SGD([nn.Parameter(sg.zeros(3))], lr=0.1)
    with pytest.raises(ArgumentError, match=r"a parameter of shape \(3,\) that is not the model's"):
        write_checkpoint(path, nn.Linear(1, 1), optimizer)
    with pytest.raises(ArgumentError, match=r"'extra\.f' is a function, which a file cannot hold"):
        write_checkpoint(path, nn.Linear(1, 1), extra={"f": grow})
    assert not path.exists()


def test_files_that_are_no_checkpoints(path):
    sg.save(nn.Linear(1, 1), path)
    with pytest.raises(FileError, match=r"is no checkpoint of stepgrad; read it with stepgrad\.load\(path\)"):
        read_checkpoint(path)
    whole = '{"model":{},"optimizer":null,"parts":{},"random":{},"extra":null}'
    for text in (
        "3",
        '{"model":{}}',
        whole.replace('"model":{}', '"model":{"w":1}'),
        whole.replace("null", "{}"),
    ):
        write_tensors(path, {}, {"stepgrad.kind": "checkpoint", "stepgrad.value": text})
        with pytest.raises(FileError, match="holds another content than a checkpoint"):
            read_checkpoint(path)
    Run().write(path)
    with pytest.raises(
        FileError, match=r"is a checkpoint; read it with stepgrad\.train\.checkpoint\.read_checkpoint\(path\)"
    ):
        sg.load(path)


def test_other_random_streams_are_refused(path):
    model = nn.Linear(1, 1)
    write_checkpoint(path, model)
    arrays, metadata = read_tensors(path)
    metadata["stepgrad.value"] = metadata["stepgrad.value"].replace('"dropout":', '"other":')
    write_tensors(path, arrays, metadata)
    with pytest.raises(FileError, match="with other random streams"):
        read_checkpoint(path).restore(model)


# ---------------------------------------------------------------------------------- folders


def written(folder, *steps):
    for step in steps:
        write_checkpoint(checkpoint_path(folder, step), nn.Linear(1, 1), extra=step)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_is_the_one_of_the_highest_step(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "missing") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot read '.*file': a part of the path is a file, not a folder"):
        newest_checkpoint(tmp_path / "file")
    written(tmp_path, 9, 10, 2, 10**13)
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    assert newest_checkpoint(tmp_path) == checkpoint_path(tmp_path, 10**13)
    assert checkpoint_paths(tmp_path) == [checkpoint_path(tmp_path, step) for step in (10**13, 10, 9, 2)]
    assert read_checkpoint(newest_checkpoint(tmp_path)).extra == 10**13


def test_damaged_checkpoints_are_passed_over_with_a_warning(tmp_path, caplog):
    written(tmp_path, 1, 2, 3)
    cut, flipped = checkpoint_path(tmp_path, 3), checkpoint_path(tmp_path, 2)
    cut.write_bytes(cut.read_bytes()[:-1])
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    with caplog.at_level(logging.WARNING, "stepgrad"):
        assert newest_checkpoint(tmp_path) == checkpoint_path(tmp_path, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert str(cut) in caplog.messages[0]
    assert str(flipped) in caplog.messages[1]


def test_the_newest_are_kept(tmp_path):
    written(tmp_path, 1, 2, 3, 4)
    (tmp_path / ".step-000000000004.safetensors.12ab.part").write_bytes(b"left behind by a killed writer")
    (tmp_path / "step-1.safetensors").write_bytes(b"a file of somebody else")
    delete_older(tmp_path, 4, keep=2)
    assert names(tmp_path) == [
        "step-000000000003.safetensors",
        "step-000000000004.safetensors",
        "step-1.safetensors",
    ]
    # A run that went on from an earlier checkpoint keeps its own and leaves later ones alone.
    written(tmp_path, 2)
    delete_older(tmp_path, 2, keep=1)
    assert [path.name[-13] for path in checkpoint_paths(tmp_path)] == ["4", "3", "2"]
    written(tmp_path, 10**13)
    delete_older(tmp_path, 4, keep=1)
    assert checkpoint_paths(tmp_path) == [checkpoint_path(tmp_path, step) for step in (10**13, 4)]
    with pytest.raises(ArgumentError, match="at least one checkpoint must be kept, got keep=0"):
        delete_older(tmp_path, 4, keep=0)
    with pytest.raises(ArgumentError, match="a step number is 0 or more, got -1"):
        checkpoint_path(tmp_path, -1)


def test_what_cannot_be_deleted_stays_with_a_warning(tmp_path, caplog, monkeypatch):
    written(tmp_path, 1, 2)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    with caplog.at_level(logging.WARNING, "stepgrad"):
        delete_older(tmp_path, 2, keep=1)
    assert "cannot delete" in caplog.text
    assert len(checkpoint_paths(tmp_path)) == 2


def test_a_full_disk_keeps_the_earlier_checkpoint(path, monkeypatch):
    run = Run().train(2)
    run.write(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="no space left on the disk"):
        run.train(1).write(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_killed_while_writing_the_one_before_is_found(tmp_path):
    program = """
        import os, signal, sys
        from stepgrad import nn
        from stepgrad.train.checkpoint import checkpoint_path, write_checkpoint
        model = nn.Linear(1, 1)
        write_checkpoint(checkpoint_path(sys.argv[1], 1), model)
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        write_checkpoint(checkpoint_path(sys.argv[1], 2), model)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    assert newest_checkpoint(tmp_path) == checkpoint_path(tmp_path, 1)
    delete_older(tmp_path, 1, keep=1)
    assert names(tmp_path) == ["step-000000000001.safetensors"]
