"""Devices: their names, and what is said where there is no GPU."""

import contextlib
import sys
import types

import numpy
import pytest

import stepgrad as sg
from stepgrad.arrays import devices
from stepgrad.errors import DeviceError


def test_names():
    assert str(sg.device("cpu")) == "cpu"
    assert repr(sg.device("cuda")) == "device(type='cuda', index=0)"
    assert sg.device("cuda:1") == sg.device("cuda", 1) == "cuda:1"
    assert sg.device("cuda") == sg.device("cuda:0")
    assert sg.device("cpu") == "cpu"
    assert sg.device("cpu") != "cuda"
    assert sg.device("cpu") != "elsewhere"
    assert sg.device(sg.device("cuda:2")).index == 2
    assert len({sg.device("cuda"), sg.device("cuda:0"), sg.device("cpu")}) == 2


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "CPU", "cuda:-1"])
def test_what_is_no_device(name: str):
    with pytest.raises(DeviceError, match=f"there is no device '{name}'; use 'cpu', 'cuda' or 'cuda:0'"):
        sg.device(name)


def test_tensors_are_on_the_cpu():
    x = sg.ones(1)
    assert x.device == "cpu"
    assert x.cpu() is x
    assert x.to("cpu") is x
    assert x.to(sg.device("cpu"), sg.float64).dtype is sg.float64


def test_results_are_on_the_device_of_their_operands():
    x = sg.ones(2, 3, requires_grad=True)
    (x.double() @ sg.ones(3, 4, dtype=sg.float64)).sum().backward()
    network = sg.nn.Linear(3, 1)
    for made in (
        x, x[0], x + 1, x.half(), sg.zeros(2), sg.zeros_like(x), sg.tensor(1), sg.rand(2), x.grad,
        network(x), network.weight, sg.from_numpy(numpy.ones(2)), sg.ones(1, device=x.device),
    ):  # fmt: skip
        assert made.device == x.device == sg.device("cpu")
        assert (made.device.type, made.device.index) == ("cpu", None)


@pytest.fixture
def no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.mark.usefixtures("no_cupy")
def test_without_cupy_the_message_says_what_to_install():
    for use in (lambda: sg.ones(1).cuda(), lambda: sg.ones(1).to("cuda"), lambda: sg.zeros(1, device="cuda")):
        with pytest.raises(
            DeviceError, match=r"needs CuPy, which is not installed: pip install 'stepgrad\[cuda\]'"
        ):
            use()
    assert not devices.cuda_is_available()


def cupy_with(count: int | Exception) -> types.ModuleType:
    """A stand-in for CuPy that sees `count` GPUs."""

    class CUDARuntimeError(RuntimeError):
        pass

    def get_device_count() -> int:
        if isinstance(count, Exception):
            raise CUDARuntimeError(*count.args)
        return count

    runtime = types.SimpleNamespace(getDeviceCount=get_device_count, CUDARuntimeError=CUDARuntimeError)
    module = types.ModuleType("cupy")
    module.cuda = types.SimpleNamespace(runtime=runtime)
    return module


def test_without_a_gpu_the_message_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cupy", cupy_with(0))
    with pytest.raises(DeviceError, match=r"no NVIDIA GPU is visible to CUDA. Use device 'cpu'"):
        sg.ones(1).cuda()
    monkeypatch.setitem(sys.modules, "cupy", cupy_with(RuntimeError("no driver")))
    with pytest.raises(DeviceError, match=r"device 'cuda' is not usable here: no driver. Use device 'cpu'"):
        sg.ones(1).cuda()
    monkeypatch.setitem(sys.modules, "cupy", cupy_with(1))
    with pytest.raises(DeviceError, match=r"there is no device 'cuda:3': CUDA sees 1 GPU\(s\)"):
        sg.ones(1).to("cuda:3")
    assert devices.cuda_is_available()


def test_the_module_of_an_array():
    assert devices.module_of(numpy.ones(1)) is numpy
    assert devices.module_of(numpy.float32(1)) is numpy
    assert devices.device_of(numpy.ones(1)) == "cpu"


def test_a_device_in_a_with_block_is_that_of_new_tensors(monkeypatch):
    here, there = sg.device("cpu"), sg.device("cuda")
    with here as entered:
        assert entered is here
        with sg.device("cpu"):
            assert sg.ones(2).device == "cpu"
        assert sg.get_default_device() is here
    before = sg.get_default_device()
    monkeypatch.setattr(devices, "import_cupy", lambda: numpy)
    with contextlib.suppress(ZeroDivisionError), there:
        assert sg.get_default_device() == "cuda"
        raise ZeroDivisionError
    assert sg.get_default_device() is before
    monkeypatch.undo()
    if not sg.cuda.is_available():
        with pytest.raises(DeviceError), there:
            pass
        assert sg.get_default_device() is before
        with here:
            pass
