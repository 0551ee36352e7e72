"""Steps on one thread and on several: the same bits; and steps too small for several."""

import ctypes
import sys
from threading import Thread

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import assemble, threads
from stepgrad.compile.lower import kernel
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.machine import Module
from tests.compile.compiled import vectors_of


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads are used however little there is to do."""
    monkeypatch.setattr(assemble, "WORK_FOR_THREADS", 0)
    monkeypatch.setattr(kernel, "SHARED_WORK", 0)
    before = sg.get_num_threads()
    yield
    sg.set_num_threads(before)


# Batch, widths: one shallow update of many rows, a deep one, odd sizes, a batch of one.
SHAPES = [(5, (70, 130, 3)), (96, (40, 72, 10)), (33, (17, 90, 1)), (1, (64, 65, 2))]


def trained(shape, threads, compile=True):
    sg.set_num_threads(threads)
    sg.manual_seed(0)
    batch, (inputs, hidden, outputs) = shape
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Dropout(0.2), nn.Linear(hidden, outputs))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x, y = sg.randn(4, batch, inputs), sg.randn(4, batch, outputs)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step) if compile else step
    losses = run.scan(x, y).numpy() if compile else numpy.array([step(*pair).item() for pair in zip(x, y)])
    if compile:
        native = run.programs[0].native
        assert native._is_shared
        assert sum(k.is_shared for k in native.kernels) >= 3
    return [losses, *(p.detach().numpy() for p in model.parameters())]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", [16, 64])
def test_threads_do_not_change_a_bit(eager_threads, shape, width):
    with vectors_of(width):
        alone = trained(shape, 1)
        for threads in (2, 3):
            for a, b in zip(alone, trained(shape, threads)):
                assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_they_are_the_eager_numbers(eager_threads, shape):
    for native, eager in zip(trained(shape, 2), trained(shape, 2, compile=False)):
        numpy.testing.assert_allclose(native, eager, rtol=2e-4, atol=2e-5)


def test_a_small_step_stays_on_one_thread():
    run = sg.compile(lambda x: (x @ x).relu())
    run(sg.ones(64, 64))
    assert not run.programs[0].native._is_shared
    run = sg.compile(lambda x: (x @ x).relu())
    run(sg.ones(400, 400))
    assert run.programs[0].native._is_shared


@pytest.mark.parametrize("units, grain", [(1, 1), (2, 1), (7, 1), (100, 1), (43, 4), (17, 22), (64, 8)])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_unit_is_done_once(units, grain, count):
    """By `count` threads that come when they come; and by the first ones alone, if the others come late."""
    w = Writer()
    threads.write_barrier(w)
    with w.function("share", ["ptr", "i64", "i64", "ptr"], public=True, plain=True) as (done, *given):

        def body(begin, end):
            def unit(i, _):
                at = w.pointer(done, i, "i64")
                w.emit_here(f"atomicrmw add ptr {at.text}, i64 1 monotonic", "i64")

            w.loop(begin, end, 1, unit)

        threads.write_sharing(w, units, grain, *given, body)
    with w.function("come", ["ptr", "i64"], public=True) as arguments:
        w.call("meet", arguments)
    module = Module(w.module_text())
    share = module.function("share", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    meet = module.function("come", ctypes.c_void_p, ctypes.c_int64)
    done, meeting = numpy.zeros(units, "int64"), numpy.zeros(threads.MEETING, "int64")

    def work(thread):
        for _ in range(50):
            share(done.ctypes.data, thread, count, meeting.ctypes.data)
            meet(meeting.ctypes.data, count)

    workers = [Thread(target=work, args=(i,)) for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (done == 50).all()
    # The last thread does what is left of all shares; those who come after it find nothing.
    for thread in reversed(range(count)):
        share(done.ctypes.data, thread, count, meeting.ctypes.data)
        assert (done == 51).all()


def test_an_interrupt_leaves_no_thread_waiting_for_the_others():
    """Wherever it comes while a run is begun, all threads do their part, or none does."""
    came = []

    def part(table, steps, number, count, meeting):
        came.append(number)

    def interrupt_after(instructions):
        def trace(frame, event, _):
            nonlocal instructions
            if frame.f_globals["__name__"] != threads.__name__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                instructions -= 1
                if instructions == 0:
                    raise KeyboardInterrupt
            return trace

        return trace

    threads.run_together(part, None, 1, 3, 0)
    was_interrupted, instructions, before = True, 0, sys.gettrace()
    while was_interrupted:
        came.clear()
        instructions += 1
        sys.settrace(interrupt_after(instructions))
        try:
            threads.run_together(part, None, 1, 3, 0)
            was_interrupted = False
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        # Left locked, it costs speed alone.
        if threads._in_use.locked():
            threads._in_use.release()
        # Helpers do one thing after the other, so they have done theirs when this is done.
        begun = list(came)
        threads.run_together(part, None, 1, 3, 0)
        assert sorted(came) in ([0, 1, 2], [0, 0, 1, 1, 2, 2]), (instructions, begun)
    assert instructions > 20
