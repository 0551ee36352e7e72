"""Results that go straight into memory of another layout: the eager numbers, and nothing beside them."""

import numpy
import pytest

import stepgrad as sg

SHAPE = (4, 3)
MADE = {
    "rand": lambda x: sg.rand(*SHAPE),
    "dropout": lambda x: sg.nn.functional.dropout(x, 0.5),
    "randn": lambda x: sg.randn(*SHAPE),
    "cat": lambda x: sg.cat([x[:1], x[1:] * 2]),
    "index": lambda x: x[sg.tensor([3, 0, 0, 1])],
    "index_put": lambda x: x.index_put((sg.tensor([1]),), sg.ones(3)),
    "index_add": lambda x: x.index_add(0, sg.tensor([2, 2]), sg.ones(2, 3)),
    "cumsum": lambda x: x.cumsum(0),
    "argmax": lambda x: x.expand(5, *SHAPE).argmax(0).float(),
    "pad": lambda x: sg.nn.functional.pad(x[1:], (0, 0, 1, 0)),
    "matmul": lambda x: x @ sg.arange(9.0).reshape(3, 3),
    "sum": lambda x: x.expand(5, *SHAPE).sum(0),
    "relu": lambda x: x.relu(),
}
LAYOUTS = {
    "transposed": lambda: numpy.zeros((3, 4), numpy.float32).T,
    "every other column": lambda: numpy.zeros((4, 6), numpy.float32)[:, ::2],
    "every other row": lambda: numpy.zeros((8, 3), numpy.float32)[::2],
    "part": lambda: numpy.zeros((6, 5), numpy.float32)[1:5, 1:4],
}


@pytest.mark.parametrize("is_returned", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("made", MADE)
def test_results_in_memory_of_another_layout(made, layout, is_returned):
    found = []
    for is_compiled in (False, True):
        sg.manual_seed(0)
        x, array = sg.randn(*SHAPE), LAYOUTS[layout]()
        target = sg.from_numpy(array)

        def step(x, target=target):
            y = MADE[made](x)
            target.copy_(y)
            return y if is_returned else None

        run = sg.compile(step) if is_compiled else step
        results = [run(x) for _ in range(2)]
        assert not is_compiled or not run.runs_eagerly
        whole = array if array.base is None else array.base
        found.append([whole.copy(), *(r.numpy() for r in results if r is not None)])
    for eager, native in zip(*found, strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-6, atol=1e-7)
