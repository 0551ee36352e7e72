"""`Tensor`: its properties, conversions, copies, and the messages around them."""

import copy
import pickle

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import DeviceError, DtypeError, GradientError, ShapeError

# C1: what a tensor of each rank looks like, images as (C, H, W) and batches as (N, C, H, W).
RANKS = [
    (3.5, (), 0, 1),
    ([1.0, 2.0, 3.0], (3,), 1, 3),
    ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], (3, 2), 2, 6),
    (numpy.zeros((3, 4, 5), "float32"), (3, 4, 5), 3, 60),
    (numpy.zeros((2, 3, 4, 5), "float32"), (2, 3, 4, 5), 4, 120),
    ([], (0,), 1, 0),
    ([[]], (1, 0), 2, 0),
]


@pytest.mark.parametrize("data, shape, ndim, count", RANKS, ids=lambda x: str(x)[:20])
def test_ranks_and_shapes(data, shape, ndim, count):
    x = sg.tensor(data)
    assert x.shape == x.size() == shape
    assert x.ndim == x.dim() == ndim
    assert x.numel() == x.nelement() == count
    assert [x.size(i) for i in range(ndim)] == list(shape)
    assert ndim == 0 or x.size(-1) == shape[-1]
    assert ndim == 0 or len(x) == shape[0]
    assert x.dtype is sg.float32
    assert x.element_size() == 4


# ----------------------------------------------------------------------------------- memory and NumPy (C5)


def test_tensor_copies_and_from_numpy_shares():
    array = numpy.array([1.0, 2.0])
    copied, shared, as_is = sg.tensor(array), sg.from_numpy(array), sg.as_tensor(array)
    array[0] = 9
    assert (copied.tolist(), shared.tolist(), as_is.tolist()) == ([1, 2], [9, 2], [9, 2])
    shared[1] = 8
    assert array.tolist() == [9, 8]
    assert shared.dtype is sg.float64
    assert sg.as_tensor(shared) is shared
    assert sg.as_tensor(shared, dtype=sg.float32).dtype is sg.float32
    x = sg.tensor(shared)
    x[0] = 0
    assert shared[0].item() == 9


def test_the_class_makes_float32():
    assert sg.Tensor([1, 2]).dtype is sg.float32
    assert sg.tensor([1, 2]).dtype is sg.int64
    assert sg.Tensor(2, 3).shape == (2, 3)
    assert sg.Tensor().shape == (0,)
    assert sg.Tensor(sg.tensor([1, 2])).tolist() == [1, 2]
    for data in (["a"], [[1], [1, 2]]):
        with pytest.raises(ShapeError, match=r"Tensor\(…\) takes sizes, or numbers in sequences"):
            sg.Tensor(data)


def test_numpy_of_a_tensor_shares_memory():
    x = sg.ones(2)
    x.numpy()[0] = 5
    assert x.tolist() == [5, 1]
    assert numpy.shares_memory(numpy.asarray(x), x.numpy())
    assert numpy.asarray(x, dtype="float64").dtype == numpy.float64
    assert not numpy.shares_memory(numpy.array(x), x.numpy())
    assert numpy.stack([x, x]).shape == (2, 2)


def test_numpy_of_a_tensor_that_requires_a_gradient_is_refused():
    x = sg.ones(2, requires_grad=True)
    for call in (x.numpy, lambda: numpy.asarray(x), (x * 2).numpy):
        with pytest.raises(GradientError, match=r"requires a gradient. Use \.detach\(\)\.numpy\(\)"):
            call()
    assert x.detach().cpu().numpy().tolist() == [1, 1]


def test_numpy_of_a_tensor_elsewhere_is_refused():
    x = sg.ones(1)
    x._array = type("Elsewhere", (), {"device": type("Device", (), {"id": 0})()})()
    with pytest.raises(DeviceError, match=r"a tensor on cuda:0. Use \.detach\(\)\.cpu\(\)\.numpy\(\)"):
        x.numpy()


def test_numpy_functions_leave_tensors_to_tensors():
    x = sg.ones(2, requires_grad=True)
    y = numpy.array([2.0, 3.0]) * x
    assert isinstance(y, sg.Tensor)
    assert y.requires_grad
    with pytest.raises(GradientError, match=r"requires a gradient\. Use \.detach\(\)\.numpy\(\)"):
        numpy.multiply(numpy.ones(2), x)
    made = numpy.sqrt(sg.tensor([4.0, 9.0]))
    assert isinstance(made, sg.Tensor)
    assert (made.dtype, made.tolist()) == (sg.float32, [2.0, 3.0])
    assert numpy.sum(made) == 5.0
    assert isinstance(numpy.float32(2) * made, sg.Tensor)


def test_one_number_is_written_as_one():
    x = sg.tensor(0.5, requires_grad=True) * 1
    assert f"{x}" == "0.5"
    assert f"{x:.2f}" == "0.50"
    assert f"{sg.tensor([0.5])}" == "tensor([0.5000])"
    with pytest.raises(TypeError, match=r"shape \[2\] cannot be written in the format '\.2f'"):
        f"{sg.ones(2):.2f}"


def test_numbers_of_numpy_among_others():
    assert sg.tensor([numpy.float32(1), 2]).dtype is sg.float32
    assert sg.tensor([[2.0], [numpy.float64(1)]]).dtype is sg.float64
    assert sg.tensor([numpy.float16(1), True]).dtype is sg.float16
    assert sg.ones(2, 3).shape.numel() == sg.ones(2, 3).size().numel() == 6
    assert sg.Size([2, 3]) == (2, 3)


# --------------------------------------------------------------------------------------- Python's protocols


def test_one_element_is_a_number():
    for x in (sg.tensor(3), sg.tensor([3]), sg.tensor([[3]])):
        assert (x.item(), int(x), float(x), bool(x), x.tolist()) == (3, 3, 3.0, True, x.numpy().tolist())
    assert [10, 20, 30][sg.tensor(1)] == 20
    assert list(range(sg.tensor(3))) == [0, 1, 2]
    assert isinstance(sg.tensor(1.5).item(), float)
    assert not sg.tensor(0.0)


def test_several_elements_are_not():
    x = sg.ones(2)
    with pytest.raises(ShapeError, match=r"item\(\) takes one element; this tensor has 2: \[2\]"):
        x.item()
    with pytest.raises(ShapeError, match=r"item\(\) takes one element"):
        float(x)
    with pytest.raises(ShapeError, match=r"shape \[2\] is neither true nor false.*\.any\(\) or \.all\(\)"):
        bool(x)
    with pytest.raises(DtypeError, match="only an integer tensor can be an index, not float32"):
        [1, 2][sg.tensor(1.0)]


def test_iteration_gives_rows():
    assert [row.tolist() for row in sg.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    assert [x.item() for x in sg.tensor([1, 2])] == [1, 2]
    a, b = sg.tensor([1, 2])
    assert (a.item(), b.item()) == (1, 2)


# ----------------------------------------------------------------------------------------------- conversions


def test_casts():
    x = sg.tensor([-1.7, 0.0, 2.5])
    assert x.int().tolist() == x.long().tolist() == [-1, 0, 2]
    assert x.bool().tolist() == [True, False, True]
    assert (x.int().dtype, x.long().dtype, x.half().dtype, x.double().dtype) == (
        sg.int32,
        sg.int64,
        sg.float16,
        sg.float64,
    )
    assert x.float() is x
    assert x.to(sg.float64).dtype is sg.float64
    assert x.to("float64").dtype is sg.float64
    assert x.to(numpy.float16).dtype is sg.float16
    assert x.to(dtype=sg.int8).dtype is sg.int8
    assert x.to(sg.ones(1, dtype=sg.float64)).dtype is sg.float64
    assert x.type_as(sg.ones(1, dtype=sg.int32)).dtype is sg.int32
    assert x.type() == "stepgrad.FloatTensor"
    assert x.type("torch.LongTensor").dtype is sg.int64
    assert x.type(sg.float16).dtype is sg.float16
    assert x.to(sg.float32) is x
    assert x.to(sg.float32, copy=True) is not x


def test_casts_have_gradients():
    x = sg.tensor([1.0, 2.0], requires_grad=True)
    (x.double() * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert x.grad.dtype is sg.float32


def test_clone_and_contiguous():
    x = sg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.clone()
    assert y.tolist() == x.tolist()
    assert not numpy.shares_memory(y.detach().numpy(), x.detach().numpy())
    y.sum().backward()
    assert x.grad.tolist() == [[1, 1], [1, 1]]
    assert x.contiguous() is x
    turned = x.T
    assert not turned.is_contiguous()
    assert turned.contiguous().is_contiguous()
    assert turned.contiguous().tolist() == turned.tolist()


def test_data_has_no_history_and_can_be_replaced():
    x = sg.ones(2, requires_grad=True)
    x.data[0] = 5
    assert x.tolist() == [5, 1]
    x.data = sg.zeros(2)
    assert x.tolist() == [0, 0]
    assert x.requires_grad
    y = x * 2
    y.detach_()
    assert (y.requires_grad, y.is_leaf) == (False, True)


def test_deep_copies_and_pickles_of_leaves():
    x = sg.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert (y.tolist(), y.requires_grad, y.grad.tolist()) == ([1, 2], True, [3, 3])
    y.grad.zero_()
    assert x.grad.tolist() == [3, 3]
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    z = pickle.loads(pickle.dumps(x))  # noqa: S301 - how worker processes get it
    assert (z.tolist(), z.requires_grad) == ([1, 2], True)
    for call in (lambda: copy.deepcopy(x * 2), lambda: pickle.dumps(x * 2)):
        with pytest.raises(GradientError, match=r"only leaves can be .*\.detach\(\)"):
            call()


def test_functions_of_the_package():
    assert sg.is_tensor(sg.ones(1))
    assert not sg.is_tensor(numpy.ones(1))
    assert sg.is_floating_point(sg.ones(1))
    assert not sg.is_floating_point(sg.tensor(1))
    assert sg.ones(1).is_floating_point()
    written = {name: getattr(x, "__code__", None) for name, x in vars(sg.functions.methods).items()}
    methods = {name: getattr(getattr(sg.Tensor, name, None), "__code__", 0) for name in written}
    shared = [name for name, code in written.items() if code is methods[name] and hasattr(sg, name)]
    assert len(shared) > 80
    assert {"exp", "matmul", "softmax", "reshape", "clamp"} <= set(shared)
    with pytest.raises(AttributeError, match=r"stepgrad has no 'tensr'. Did you mean 'tensor'"):
        _ = sg.tensr
    with pytest.raises(AttributeError, match=r"stepgrad.ops has no operation 'sigmod'"):
        _ = sg.ops.sigmod
