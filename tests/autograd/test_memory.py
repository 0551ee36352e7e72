"""What is kept for the backward pass, and when it is let go: looked at, and measured."""

import gc
import tracemalloc
import weakref

import numpy
import pytest

import stepgrad as sg
from stepgrad.ops.record import Absent

MEBIBYTE = 1 << 20


def kept(y: sg.Tensor) -> list[str]:
    """The names of what the node of a result keeps."""
    node = y.grad_fn
    names = node.op.input_names()
    found = [name for name, a in zip(names, node.saved, strict=True) if isinstance(a, numpy.ndarray)]
    return found + (["y"] if node.result is not None else [])


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: x.sigmoid(), ["y"]),
        (lambda x: x.tanh(), ["y"]),
        (lambda x: x.exp(), ["y"]),
        (lambda x: x.relu(), ["y"]),
        (lambda x: x.softmax(0), ["y"]),
        (lambda x: x.log(), ["x"]),
        (lambda x: x + 1, []),
        (lambda x: -x, []),
        (lambda x: x.sum(), []),
        (lambda x: x.mean(), []),
        (lambda x: x.reshape(-1), []),
        (lambda x: x[:2], []),
        (lambda x: x @ x, ["a", "b"]),
        # Of a product, each factor is there for the derivative by the other.
        (lambda x: x @ sg.ones(2, 2), ["b"]),
        (lambda x: sg.ones(2, 2) @ x, ["a"]),
        (lambda x: x * sg.ones(2, 2), ["b"]),
        (lambda x: x * 2, []),
    ],
)
def test_only_what_the_derivative_reads_is_kept(function, expected):
    assert kept(function(sg.ones(2, 2, requires_grad=True))) == expected


def test_what_is_not_kept_still_has_a_shape_and_a_dtype():
    node = sg.ones(2, 3, requires_grad=True).sigmoid().grad_fn
    (x,) = node.saved
    assert isinstance(x, Absent)
    assert (x.shape, x.ndim, x.dtype) == ((2, 3), 2, numpy.float32)


def test_a_sigmoid_lets_its_input_go():
    x = sg.ones(4, requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden._array)
    y = hidden.sigmoid()
    del hidden
    assert array() is None
    y.sum().backward()
    assert x.grad is not None


def test_nothing_is_kept_without_gradients():
    x = sg.ones(4, requires_grad=True)
    with sg.no_grad():
        assert (x * 2)._node is None
    assert (sg.ones(4) * 2)._node is None


def peak(function) -> float:
    """The highest memory, in MiB, that a call needs beyond what was there before."""
    gc.collect()
    tracemalloc.start()
    function()
    high = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return high / MEBIBYTE


def test_memory_falls_under_no_grad():
    x = sg.ones(MEBIBYTE // 4, requires_grad=True)  # 1 MiB
    steps = 24

    def chain() -> sg.Tensor:
        y = x
        for _ in range(steps):
            y = y.tanh()
        return y

    def without() -> None:
        with sg.no_grad():
            chain()

    assert peak(chain) > steps
    assert peak(without) < 5


def test_backward_frees_what_was_kept_as_it_walks():
    x = sg.ones(8, requires_grad=True)
    hidden = x.exp()
    array = weakref.ref(hidden._array)
    y = hidden.tanh().sum()
    del hidden
    assert array() is not None
    y.backward()
    assert array() is None  # although y, and with it the graph, is still there
    assert y.grad_fn.saved is None
    assert y.grad_fn.result is None


def test_a_graph_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = sg.ones(8, requires_grad=True)
        hidden = x.exp()
        hidden.retain_grad()
        array = weakref.ref(hidden._array)
        y = hidden.sum()
        del hidden, y
        assert array() is None
    finally:
        gc.enable()


def test_a_recorded_step_is_let_go_when_its_record_is():
    w = sg.ones(8, requires_grad=True)
    with sg.autograd.recording.record() as nodes:
        y = (w * 2).exp().sum()
        y.backward()
        with sg.no_grad():
            w.sub_(w.grad * 0.1)
    array = weakref.ref(nodes[1].result)
    assert array() is not None
    w.grad = None
    del nodes, y
    gc.collect()
    assert array() is None
