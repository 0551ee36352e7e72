"""Memory shared with other packages: NumPy's array interface, DLPack, from_numpy."""

import copy

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, GradientError, MissingNameError

DTYPES = [
    sg.bool, sg.uint8, sg.int8, sg.int16, sg.int32, sg.int64, sg.float16, sg.float32, sg.float64,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_numpy_looks_at_a_tensor_and_shares_its_memory(dtype):
    x = sg.arange(6).reshape(2, 3).to(dtype).T
    for look in (np.asarray, np.from_dlpack, lambda t: np.array(t, copy=False)):
        array = look(x)
        assert array.dtype == dtype.numpy
        assert array.shape == (3, 2)
        np.testing.assert_array_equal(array, x.numpy())
        assert np.shares_memory(array, x.numpy())
    assert not np.shares_memory(np.array(x), x.numpy())
    assert np.asarray(x, dtype="float64").dtype == "float64"


def test_the_array_interface():
    x = sg.ones(2, 3)
    interface = x.__array_interface__
    assert (interface["shape"], interface["typestr"], interface["version"]) == ((2, 3), "<f4", 3)
    assert interface["data"] == (x.numpy().ctypes.data, False)


def test_tensors_that_require_a_gradient():
    x = sg.ones(2, requires_grad=True)
    with pytest.raises(GradientError, match=r"numpy\(\) of a tensor that requires a gradient"):
        np.asarray(x)
    with pytest.raises(
        GradientError, match=r"__dlpack__\(\) of a tensor that requires a gradient\. Use \.detach"
    ):
        np.from_dlpack(x)
    assert not hasattr(x, "__array_interface__")
    with pytest.raises(MissingNameError, match="requires a gradient has no __array_interface__"):
        _ = x.__array_interface__
    assert (2 * x).numpy(force=True).tolist() == [2, 2]


@pytest.mark.parametrize("take", [sg.from_numpy, sg.from_dlpack], ids=["numpy", "dlpack"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_a_tensor_looks_at_an_array_and_shares_its_memory(take, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype.numpy)[:, ::2]
    x = take(array)
    assert x.dtype is dtype
    np.testing.assert_array_equal(x.numpy(), array)
    x[0, 0] = 1
    assert array[0, 0] == 1
    assert not x.requires_grad


def test_from_dlpack_of_a_tensor_and_copies():
    x = sg.ones(2)
    y = sg.from_dlpack(x)
    z = sg.from_dlpack(x, copy=True)
    x[0] = 7.0
    assert (y.tolist(), z.tolist()) == ([7, 1], [1, 1])
    assert sg.from_dlpack(x, device="cpu").device == "cpu"
    assert x.__dlpack_device__() == (1, 0)


def test_memory_that_must_not_be_written_to_is_copied():
    array = np.ones(2)
    array.flags.writeable = False
    x = sg.from_dlpack(array)
    x[0] = 2.0
    assert (array[0], x.tolist()) == (1, [2, 1])
    with pytest.raises(ArgumentError, match="copy=False of memory that must not be written to"):
        sg.from_dlpack(array, copy=False)


def test_what_from_dlpack_does_not_take():
    with pytest.raises(ArgumentError, match="takes what has __dlpack__, not list"):
        sg.from_dlpack([1.0])
    with pytest.raises(DtypeError, match="no data type complex128"):
        sg.from_dlpack(np.ones(2, "complex128"))


def test_a_deep_copy_has_memory_of_its_own():
    x = sg.ones(2)
    assert not np.shares_memory(copy.deepcopy(x).numpy(), x.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_memory_is_shared_with_pytorch_both_ways(dtype):
    torch = pytest.importorskip("torch")
    x = sg.arange(6).reshape(2, 3).to(dtype).T
    theirs = torch.from_dlpack(x)
    assert theirs.tolist() == x.tolist()
    assert str(theirs.dtype) == f"torch.{dtype.name}"
    theirs[0, 0] = 1
    assert x[0, 0].item() == 1
    ours = sg.from_dlpack(theirs)
    ours[0, 0] = 0
    assert theirs[0, 0].item() == 0
    with pytest.raises(DtypeError, match="from_dlpack cannot take this Tensor"):
        sg.from_dlpack(torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.oracle
def test_jax_arrays_come_in_and_go_out():
    jnp = pytest.importorskip("jax.numpy")
    assert sg.from_dlpack(jnp.arange(3.0)).tolist() == [0, 1, 2]
    assert jnp.from_dlpack(sg.ones(3)).tolist() == [1, 1, 1]
