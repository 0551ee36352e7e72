"""What a person is told about compiled code, and the comparison with the eager step."""

import logging
import os
import re
import subprocess
import sys

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import check
from stepgrad.compile.lower import loops
from stepgrad.errors import DifferenceError

X = sg.from_numpy(numpy.random.default_rng(0).normal(size=(8, 3)).astype("float32"))


def step_of(model):
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def small():
    sg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 1))


def functions_in(layers):
    model = nn.Sequential(*(nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(layers)))
    step = sg.compile(step_of(model))
    for _ in range(2):
        step(sg.zeros(8, 6))
    native = step.programs[0].native
    return native.text.count("define internal void @k"), len(native.kernels)


def test_layers_of_one_kind_share_their_code():
    (few, kernels), (many, more) = functions_in(4), functions_in(12)
    assert more > 2 * kernels
    assert many == few < kernels


def test_explain_tells_slots_kernels_and_costs():
    step = sg.compile(step_of(small()))
    assert step.explain() == "Nothing is compiled yet: it is compiled when it is called."
    for _ in range(2):
        step(X)
    text = step.explain()
    assert re.search(r"\d+ values in \d+ kernels; \d+ bytes for what lies between them", text)
    assert re.search(r"compiled in [\d.]+ ms: capture [\d.]+, fusion [\d.]+, text [\d.]+, LLVM [\d.]+", text)
    for slot in ("0.weight: float32[4, 3]", "3.bias: float32[1]", "argument 0: float32[8, 3]"):
        assert f"  {slot}\n" in text
    # The first product, with bias and activation in the same kernel; and the update of its weight.
    kernels = {re.match(r"k\d+_(\w+)", part).group(0): part for part in text.split("\n\n")[2:]}
    forward = next(part for part in kernels.values() if "tanh" in part)
    assert forward.startswith("k")
    assert "(8 × 3) · (3 × 4)" in forward
    assert [re.search(r"= (\w+)\(", line).group(1) for line in forward.splitlines()[1:4]] == [
        "matmul", "add", "tanh",
    ]  # fmt: skip
    update = next(part for part in kernels.values() if "→ 0.weight" in part)
    assert "_contract: " in update
    assert "sqrt" in update


def test_the_log_holds_graph_kernels_and_text(caplog):
    with caplog.at_level(logging.DEBUG, "stepgrad.compile"):
        sg.compile(lambda x: (x * 2).sigmoid())(X)
    found = [record.getMessage() for record in caplog.records]
    assert [message.partition(":")[0] for message in found] == [
        "graph",
        "kernels",
        "LLVM",
        found[3].partition(":")[0],
    ]
    assert "= sigmoid(%" in found[0]
    assert "k0_map: 24, vectors of" in found[1]
    assert "define void @run(" in found[2]
    assert found[3].startswith("compiled in ")


@pytest.mark.parametrize("asked", ["compile", "other", "other,compile"])
def test_the_environment_asks_for_the_log(asked):
    code = "import stepgrad as sg; sg.compile(lambda x: x * 2)(sg.zeros(3))"
    environment = {**os.environ, "STEPGRAD_LOG": asked}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == ""
    assert ("stepgrad.compile: LLVM:" in done.stderr) is ("compile" in asked)
    assert ("STEPGRAD_LOG knows the word 'compile', not 'other'." in done.stderr) is ("other" in asked)


def test_a_checked_step_is_the_eager_step():
    ends = []
    for checked in (False, True):
        model = small()
        step = step_of(model)
        run = sg.compile(step, check=True) if checked else step
        losses = [run(X).item() for _ in range(5)]
        ends.append([losses, *(p.tolist() for p in model.parameters())])
    assert ends[0] == ends[1]


def test_a_fault_is_named(monkeypatch):
    """A wrong lowering of tanh is planted: the first operation that differs is the second layer."""
    original = loops.Evaluator.compute

    def wrong(self, value):
        found = original(self, value)
        return found + found if value.op is not None and value.op.name == "tanh" else found

    monkeypatch.setattr(loops.Evaluator, "compute", wrong)
    model = small()
    step = sg.compile(step_of(model), check=True)
    before = [p.tolist() for p in model.parameters()]
    with pytest.raises(DifferenceError) as caught:
        step(X)
    message = str(caught.value)
    assert "differs from the eager one in result 0: " in message
    assert re.search(
        r"The first operation that differs is tanh \(float32\[8, 4\], forward in 1\): "
        r"\S+ natively, \S+ eagerly at \[\d, \d\]",
        message,
    )
    assert [p.tolist() for p in model.parameters()] == before


def test_what_counts_as_a_difference(monkeypatch):
    monkeypatch.setattr(check, "has_amx", lambda: False)
    right = numpy.array([1.0, -2.0, numpy.inf, numpy.nan], "float32")
    near = right * numpy.float32(1 + 1e-6)
    assert not check.differ(right, near)
    assert check.differ(right, right.astype("float64"))
    assert check.differ(right, right[:3])
    for i, value in enumerate((1.01, -2.01, numpy.nan, 0.0)):
        other = right.copy()
        other[i] = value
        assert check.differ(right, other)
    assert check.differ(right[:2], right[2:])
    assert check.differ(right[:2], numpy.array([1.0, numpy.nan], "float32"))
    assert check.difference(right, numpy.array([1.0, -3.0, numpy.inf, numpy.nan], "float32")) == (
        "-3.0 natively, -2.0 eagerly at [1]"
    )
    assert check.difference(right, right[:3]) == "float32[3] natively, float32[4] eagerly"
    assert not check.differ(numpy.zeros(0), numpy.zeros(0))
    flags = numpy.zeros(200, bool)
    turned = flags.copy()
    turned[0] = True
    assert not check.differ(flags, turned)  # a comparison that turned over by rounding
    assert check.differ(flags, ~flags)


def test_on_amx_an_infinity_may_be_nan(monkeypatch):
    monkeypatch.setattr(check, "has_amx", lambda: True)
    infinite = numpy.array([numpy.inf, -numpy.inf, 1.0], "float32")
    not_numbers = numpy.array([numpy.nan, numpy.nan, 1.0], "float32")
    assert not check.differ(infinite, not_numbers)
    assert check.differ(not_numbers, infinite)
    assert check.differ(infinite, -infinite)
    assert check.differ(infinite, numpy.full(3, numpy.nan, "float32"))
    assert check.differ(infinite.astype("float64"), not_numbers.astype("float64"))
