"""Modules that are compiled in parts: the same bits, whatever the number of threads."""

import re
import threading

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import machine
from stepgrad.compile.threads import each


@pytest.fixture
def threads(monkeypatch):
    return lambda number: monkeypatch.setattr("stepgrad.compile.threads._number", number)


def trained():
    """Return a compiled step after five runs, and what it has made of the weights."""
    sg.manual_seed(0)
    net = nn.Sequential(nn.Linear(9, 33), nn.Tanh(), nn.Linear(33, 5))
    optimizer, loss = optim.Adam(net.parameters()), nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step()
        return value

    compiled = sg.compile(step)
    x, y = sg.randn(20, 9), sg.arange(20) % 5
    values = [compiled(x, y).item() for _ in range(5)]
    return compiled, values, [p.detach().numpy().copy() for p in net.parameters()]


def test_parts_give_the_same_bits(threads, monkeypatch):
    monkeypatch.setattr(machine, "_LINES", 50)
    threads(1)
    _, values, weights = trained()
    threads(4)
    compiled, values_of_parts, weights_of_parts = trained()
    (program,) = compiled.programs
    assert len(machine._parts(program.native.text, 4)) == 4
    assert values == values_of_parts
    assert all(np.array_equal(a, b) for a, b in zip(weights, weights_of_parts, strict=True))


def test_every_function_is_in_one_part_and_known_in_all(monkeypatch):
    monkeypatch.setattr(machine, "_LINES", 50)
    (program,) = trained()[0].programs
    text = program.native.text
    parts = machine._parts(text, 3)
    assert len(parts) == 3
    names = re.findall(r"^define .*?@(\w+)\(", text, re.MULTILINE)
    written = [re.findall(r"^define .*?@(\w+)\(", part, re.MULTILINE) for part in parts]
    assert [name for inside in written for name in inside] == names
    for part, inside in zip(parts, written):
        declared = re.findall(r"^declare void @(\w+)\((?:ptr|i64)", part, re.MULTILINE)
        assert sorted([*inside, *declared]) == sorted(names)


def test_a_short_module_is_one_part():
    text = "define void @f() {\n  ret void\n}\n"
    assert machine._parts(text, 8) == [text]


def test_text_that_is_no_code_is_an_error():
    with pytest.raises(RuntimeError, match="LLVM IR parsing error"):
        machine.Module("define void @f() {\n  return nothing\n}\n")


def test_each_keeps_the_order_and_uses_threads(threads):
    threads(3)
    both_are_here = threading.Barrier(3, timeout=30)

    def square(x):
        both_are_here.wait()
        return x * x

    assert each(square, [3, 1, 2]) == [9, 1, 4]
    threads(1)
    assert each(lambda x: (x, threading.current_thread().name), [5, 6]) == [
        (5, threading.current_thread().name),
        (6, threading.current_thread().name),
    ]


def test_each_raises_what_one_raised(threads):
    threads(2)
    done = []

    def function(x):
        if x == 1:
            raise ValueError("one")
        done.append(x)

    with pytest.raises(ValueError, match="one"):
        each(function, [0, 1, 2, 3])
    assert sorted(done) == [0, 2, 3]


def test_a_cpu_that_llvm_does_not_know(monkeypatch):
    monkeypatch.setenv("STEPGRAD_CPU", "nonsense")
    machine.host.cache_clear()
    try:
        with pytest.raises(sg.errors.ArgumentError, match=r"STEPGRAD_CPU .*, not 'nonsense'"):
            sg.compile(lambda x: x * 2)(sg.ones(2))
    finally:
        machine.host.cache_clear()
