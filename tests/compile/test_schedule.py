"""Schedules: each value once, before it is used, and what is overwritten is read before."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile.capture import Capture
from stepgrad.compile.program.value import base_of
from stepgrad.compile.schedule import Schedule, live_values, writes_without_conflict
from stepgrad.tensor import Tensor
from tests.compile.changes import CHANGES
from tests.compile.compiled import assert_close, compiled_and_eager


def captured(step: Callable[..., Any], tensors: list[Tensor]) -> Any:
    """The program of a step, and its schedule."""
    capture = Capture(step, tuple(tensors), {}, again=True)
    assert capture.reason is None
    assert not capture.is_first
    program = capture.program
    capture.undo()
    program.writes = writes_without_conflict(program.outputs, program.writes)
    schedule = Schedule([*program.outputs, *(v for _, v in program.writes)], program.writes)
    return program, schedule


def check_schedule(program: Any, schedule: Schedule) -> None:
    """Each value is computed once and before it is used; the old value of a slot is read before it is
    overwritten.
    """
    computed = [v for cluster in schedule.clusters for v in cluster.members]
    assert len(set(computed)) == len(computed)
    live = live_values([*program.outputs, *(v for _, v in program.writes)])
    assert set(computed) == {v for v in live if v.kind not in ("leaf", "number", "view")}
    when = {v: i for i, cluster in enumerate(schedule.clusters) for v in cluster.members}
    for value in computed:
        for x in value.inputs:
            source = base_of(x)
            # A view shows memory, which only an earlier kernel has filled.
            assert source not in when or when[source] < when[value] + (x is source)
    for cluster in schedule.clusters:
        assert cluster.members == sorted(cluster.members, key=lambda v: v.key)
    for slot, value in program.writes:
        for reader in computed:
            read = [x for x in reader.inputs if base_of(x) is slot]
            if read and reader is not value:
                assert when[reader] <= when[value]
            if read and when[reader] == when[value]:
                assert reader.kind == "map"
                assert all(x is slot for x in read)


NET = sg.nn.Sequential(
    sg.nn.Linear(4, 8), sg.nn.BatchNorm1d(8), sg.nn.GELU(), sg.nn.Linear(8, 4), sg.nn.LayerNorm(4)
)


def training_step(x: Tensor, y: Tensor) -> Tensor:
    for p in NET.parameters():
        p.grad = None
    loss = ((NET(x) - y) ** 2).mean() + (NET[0].weight @ NET[3].weight).square().sum()
    loss.backward()
    sg.nn.utils.clip_grad_norm_(NET.parameters(), 1.0)
    with sg.no_grad():
        for p in NET.parameters():
            p -= 0.1 * p.grad
    return loss


def test_the_schedule_of_a_training_step():
    random = numpy.random.default_rng(0)
    program, schedule = captured(
        training_step, [sg.tensor(random.standard_normal((5, 4)), dtype=sg.float32)] * 2
    )
    check_schedule(program, schedule)
    assert len(program.writes) >= len(list(NET.parameters()))
    # The update of each weight is part of the kernel of its gradient or of one that follows: far fewer
    # kernels than values.
    assert len(schedule.clusters) < len([v for c in schedule.clusters for v in c.members]) / 2


def test_updates_need_no_copies():
    """Where every parameter is overwritten by the last value computed of it, all is done in place."""
    capture = Capture(training_step, tuple([sg.ones(5, 4)] * 2), {}, again=True)
    program = capture.program
    capture.undo()
    assert writes_without_conflict(program.outputs, program.writes) == program.writes


@pytest.mark.parametrize("name", CHANGES)
def test_schedules_of_changes_in_place(name: str):
    step, shapes = CHANGES[name]
    tensors = [sg.ones(*shape) for shape in shapes]
    check_schedule(*captured(sg.no_grad()(step), tensors))


@pytest.mark.parametrize("n, first", [(4, "matmul"), (200, "sum")])
def test_a_small_step_begins_with_what_most_waits_for(n: int, first: str):
    def step(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sum(), (x @ x).exp() @ x

    program, schedule = captured(step, [sg.ones(n, n)])
    check_schedule(program, schedule)
    assert first in [v.op.name for v in schedule.clusters[0].members]


def test_a_small_step_updates_first_what_the_next_step_reads_first():
    first, second = sg.ones(3, 3, requires_grad=True), sg.ones(3, 3, requires_grad=True)

    def step(x: Tensor) -> Tensor:
        loss = ((x @ first).tanh() @ second).square().sum()
        gradients = sg.autograd.grad(loss, [second, first])
        with sg.no_grad():
            for p, gradient in zip((second, first), gradients):
                p -= 0.1 * gradient
        return loss

    program, schedule = captured(step, [sg.ones(2, 3)])
    check_schedule(program, schedule)
    slots = [slot.attrs["leaf"].tensor for c in schedule.clusters for slot in c.writes]
    assert [t is first for t in slots] == [True, False]


def test_what_comes_before_and_after_a_reduction():
    """A value of the result's shape that is also added to each element is computed before; several others
    join the reduction.
    """

    def step(x: Tensor, y: Tensor) -> Any:
        negative = -y
        total = (x + negative.abs()).sum()
        return total * negative, total * (negative > 0), total * y.exp(), total * y.cos()

    tensors = [sg.ones(5), sg.tensor(3.0)]
    check_schedule(*captured(step, tensors))
    for native, eager in zip(*compiled_and_eager(step, tensors)):
        assert_close(native, eager, 1e-6)
