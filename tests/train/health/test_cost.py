"""What `HealthCheck` costs where it is not used, and between its looks: nothing."""

import sys
import tracemalloc
from pathlib import Path

import pytest

import stepgrad as sg
import stepgrad.train.health
from stepgrad.train import Callback, HealthCheck
from tests.train.runs import plain_net, table, trainer_of

FOLDER = str(Path(stepgrad.train.health.__file__).parent)


def codes_run(work):
    """The functions of the folder of health that run meanwhile."""
    seen = []

    def look(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(FOLDER):
            seen.append(frame.f_code.co_name)

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


def is_unhooked(net):
    return not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize("compiled", [True, False], ids=["native", "eager"])
def test_none_of_it_runs_in_training_that_does_not_use_it(compiled):
    trainer = trainer_of(plain_net(), compile=compiled)
    assert codes_run(lambda: trainer.fit(table(), epochs=3, batch_size=8)) == []
    assert trainer.callbacks == []
    assert is_unhooked(trainer.model)


def test_it_holds_no_memory_in_training_that_does_not_use_it():
    trainer = trainer_of(plain_net(), compile=False)
    tracemalloc.start()
    try:
        trainer.fit(table(), epochs=2, batch_size=8)
        taken = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    assert taken.filter_traces([tracemalloc.Filter(True, f"{FOLDER}/*")]).statistics("lineno") == []


@pytest.mark.parametrize("compiled", [True, False], ids=["native", "eager"])
def test_where_it_is_used_nothing_of_it_runs_within_a_step(compiled):
    trainer = trainer_of(plain_net(), callbacks=HealthCheck(looks=2), compile=compiled)
    assert not trainer.callbacks[0].wants_each_batch()
    steps, hooked = [], []

    class Watch(Callback):
        def on_epoch_begin(self, trainer):
            hooked.append(not is_unhooked(trainer.model))
            sys.setprofile(lambda frame, event, _: steps.append(frame.f_code.co_filename))

        def on_epoch_end(self, trainer):
            sys.setprofile(None)

    trainer.callbacks.insert(0, Watch())  # it ends before the check looks
    try:
        trainer.fit(table(), epochs=5, batch_size=8)
    finally:
        sys.setprofile(None)
    assert len(steps) > 100
    assert not any(name.startswith(FOLDER) for name in steps)
    assert hooked == [False] * 5


def test_import_stepgrad_does_not_import_it():
    import subprocess

    code = "import sys, stepgrad; sys.exit(any(m.startswith('stepgrad.train') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_look_takes_all_its_hooks_away():
    net = plain_net()
    x, y = table()
    sg.health(net, sg.nn.CrossEntropyLoss(), sg.optim.SGD(net.parameters(), lr=0.1), x, y)
    assert is_unhooked(net)
