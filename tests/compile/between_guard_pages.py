"""A program for `test_bounds`: compiled steps whose memory lies between pages that may not be touched.

A read or write beyond the ends of an argument, a parameter, a state, a result, or of anything
that lies between kernels, ends the process.
"""

import ctypes
import mmap
import sys

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import assemble

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
KEPT = []


def guarded(shape, dtype, at_end):
    """Return zeros that begin after a page that may not be touched, or end before one."""
    dtype = numpy.dtype(dtype)
    count = int(numpy.prod(shape, dtype=int))
    size = count * dtype.itemsize
    whole = -(-max(size, 1) // PAGE) * PAGE
    memory = mmap.mmap(-1, whole + 2 * PAGE)
    KEPT.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (start, start + PAGE + whole):
        assert LIBC.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
    offset = PAGE + (whole - size if at_end else 0)
    return numpy.frombuffer(memory, dtype, count, offset).reshape(shape)


def placed(x, at_end):
    """Return a tensor with the numbers of x in guarded memory."""
    array = guarded(x.shape, x.detach().numpy().dtype, at_end)
    array[...] = x.detach().numpy()
    return sg.from_numpy(array)


def steps(rows, width):
    """Return networks of odd sizes, each with an input."""
    sequence = sg.randn(rows, 5, width)
    mlp = nn.Sequential(nn.Linear(width, 37), nn.GELU(), nn.LayerNorm(37), nn.Linear(37, 3))
    images = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    return [
        (mlp, sg.randn(rows, width)),
        (images, sg.randn(rows, 2, 7, 9)),
        (nn.RNN(width, 19, batch_first=True), sequence),
        (nn.GRU(width, 13, batch_first=True, bidirectional=True), sequence),
        (nn.LSTM(width, 33, num_layers=2, batch_first=True), sequence),
        (nn.LSTM(width, 70, batch_first=True), sequence),
    ]


def train(network, x, at_end, monkeypatch):
    """Run a step with all that it reads and writes at one end of its memory."""
    optimizer = optim.Adam(network.parameters())

    def step(x):
        optimizer.zero_grad()
        out = network(x)
        out = out[0] if isinstance(out, tuple) else out
        (out**2).mean().backward()
        optimizer.step()
        return out, (out * 3).to(sg.int8), out.argmax(-1)

    def address(native, storage):
        if storage.kind in ("scratch", "packing"):
            return guarded((storage.size,), storage.dtype, at_end).ctypes.data
        return found(native, storage)

    found = assemble.Native._fixed_address
    compiled = sg.compile(step)
    step(x)  # makes the state
    for p in network.parameters():
        p.data = placed(p, at_end)
    for state in optimizer.state.values():
        state.update({name: placed(value, at_end) for name, value in state.items() if value.dim()})
    inside = placed(x, at_end)
    with monkeypatch.context() as patch:
        patch.setattr(assemble.Native, "_fixed_address", address)
        compiled(inside)
        patch.setattr(numpy, "empty", lambda shape, dtype=float, *_, **__: guarded(shape, dtype, at_end))
        compiled(inside)
    assert not compiled.runs_eagerly
    assert len(compiled.programs) == 1


if __name__ == "__main__":
    sg.manual_seed(0)
    for at_end in (True, False):
        for rows, width in ((1, 5), (7, 18), (50, 33)):
            for network, x in steps(rows, width):
                train(network, x, at_end, pytest.MonkeyPatch)
    sys.stdout.write("done\n")
