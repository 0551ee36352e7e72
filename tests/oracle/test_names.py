"""Names of arguments and of methods against PyTorch: what one takes the other takes, to the same result."""

import inspect
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from tests.oracle.translate import assert_same

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")

# Expressions of x, a 2 × 3 tensor of float64, and m, the library.
KEYWORDS = """
x.sum(1, keepdims=True)
x.mean(axis=0)
x.std(axis=1, keepdims=True)
x.max(axis=1).values
x.argmax(axis=1, keepdims=True)
x.cumsum(axis=1)
x.softmax(axis=1)
x.log_softmax(axis=0)
x.unsqueeze(axis=0)
x.size(axis=1)
x.sort(axis=1).indices
x.median(axis=1).values
x.amax(axis=(0, 1), keepdims=True)
x.unbind(axis=1)
x.index_select(axis=1, index=m.tensor([0, 2]))
x.gather(axis=1, index=m.tensor([[0], [1]]))
x.logsumexp(axis=1)
x.mean(dtype=m.float32)
m.sum(input=x, axis=0)
m.sum(a=x)
m.add(x1=x, x2=x)
m.mean(x=x, axis=1, keepdims=True)
m.cat([x, x], axis=1)
m.stack([x, x], axis=1)
m.chunk(x, 2, axis=1)
m.topk(x, 1, axis=1).values
m.tensor_split(x, 2, axis=1)
m.diff(x, axis=1)
m.permute(input=x, dims=(1, 0))
m.reshape(input=x, shape=(6,))
m.split(x, split_size_or_sections=1)
m.zeros(size=(2, 3))
m.ones(size=(2,), dtype=m.int64)
m.zeros_like(x, pin_memory=False, layout=m.strided, memory_format=m.preserve_format)
x.reshape(shape=(3, 2))
x.view(size=(6,))
x.expand(size=(2, 2, 3))
x.repeat(repeats=(2, 1))
x.tile(dims=(2,))
m.mm(x, mat2=x.T)
m.outer(x[0], vec2=x[1])
m.isin(elements=x, test_elements=x[0])
m.dropout(x, 0.5, train=False)
m.tensor_split(x, sections=2, dim=1)
m.float32.is_signed, m.uint8.is_signed, m.float64.is_complex
m.autograd.grad((x.requires_grad_() ** 2).sum(), x, only_inputs=True, create_graph=True)
m.add(x, x, out=m.empty(0, dtype=m.float64))
m.eq(x, x, out=m.empty(2, 3, dtype=m.bool))
m.max(x, 1, out=(m.empty(0, dtype=m.float64), m.empty(0, dtype=m.int64))).values
m.softmax(x, axis=1, out=m.empty(0, dtype=m.float64))
np.sqrt(x)
np.exp(x.sum())
np.maximum(x, 1.0)
f"{x.sum()} {x.sum():.3f} {m.tensor(3)} {m.tensor(True)}"
x.shape.numel()
m.tensor([np.float32(1), 2]).dtype
m.tensor([2, np.float32(1)]).dtype
m.tensor([[2.0], [np.float64(1)]]).dtype
m.tensor([np.float16(1), 1]).dtype
"""


METHODS = """
x.new_zeros(2, 3)
x.new_zeros((2,), dtype=m.int64)
x.new_ones((3,))
x.new_full((2, 2), 7)
x.new_tensor([1, 2])
x.new_empty(2, 0)
x.new(2, 3).shape
x.new([1.0, 2.0])
x.long().new_tensor([1, 2]).dtype
x.byte()
x.char()
x.short()
x.type("torch.LongTensor").dtype
x.clone().unsqueeze_(1)
x.clone()[:1].squeeze_()
x.clone().t_()
x.clone().transpose_(0, 1)
x.clone().swapdims(0, 1)
x.clone().resize_(2, 2)
x.clone().resize_as_(m.zeros(3))
x.clone().eq_(1.0)
x.clone().ge_(1.0)
x.clone().logical_and_(x > 1)
x.clone().sub_(0.5).arcsin_()
x.clone().fill_diagonal_(9.0)
x.t().clone().repeat(2, 1).fill_diagonal_(9.0, wrap=True)
x.clone().apply_(lambda v: v * 2)
x.clone().map_(x, lambda a, b: a + b)
x.is_cuda, x.is_cpu, x.is_sparse, x.is_quantized, x.is_meta
x.stride(), x.stride(0), x.t().stride(), x[1].storage_offset(), x[:, 1:].storage_offset()
x.nbytes, x.itemsize, x.ndimension(), x.get_device()
x.is_complex(), x.is_signed(), x.is_same_size(x), x[0, 0].is_nonzero(), x.retains_grad
x.layout
x.data_ptr() == x.detach().data_ptr(), x[0, 1].data_ptr() - x.data_ptr()
x.view(m.int64)
x.view(m.float32).shape
m.tensor([1, 1, 2, 2, 1]).unique_consecutive(return_inverse=True, return_counts=True)
m.unique_consecutive(x.repeat_interleave(2, 0), dim=0)
m.gcd(m.tensor([12, 18]), m.tensor([8, 27]))
m.tensor([4, 6]).lcm(m.tensor([6]))
m.unravel_index(m.tensor([5, 3]), (2, 3))
x.to("cpu", m.float32, True).dtype
x.to("cpu", non_blocking=True)
"""

FUNCTIONS = """
m.finfo(m.float32).eps, m.finfo(m.float64).max, m.finfo(m.float16).tiny, m.finfo().bits
m.iinfo(m.int8).max, m.iinfo(m.int64).min, m.iinfo(m.uint8).bits
repr(m.finfo(m.float32)), repr(m.iinfo(m.int8))
m.can_cast(m.float64, m.float32), m.can_cast(m.float32, m.int64)
m.use_deterministic_algorithms(False), m.are_deterministic_algorithms_enabled()
m.set_float32_matmul_precision("high"), m.get_float32_matmul_precision()
m.asarray([1.0, 2.0])
m.scalar_tensor(3)
m.frombuffer(bytearray(b"abcd"), dtype=m.uint8, offset=1)
m.hann_window(5, dtype=m.float64), m.hann_window(5, periodic=False, dtype=m.float64)
m.hamming_window(4, dtype=m.float64), m.blackman_window(6, dtype=m.float64)
m.hann_window(1), m.hann_window(0)
x[m.newaxis].shape
m.relu_(x.clone() - 1), m.exp_(x.clone()), m.fill_(x.clone(), 2.0)
m.conv1d(x[None], m.ones(1, 2, 2, dtype=m.float64))
m.layer_norm(x, (3,))
m.dropout(x, 0.0, True)
m.cosine_similarity(x, x + 1, dim=1)
m.max_pool1d(x[None], 2)
m.selu(x), m.prelu(x, m.tensor([0.1], dtype=m.float64)), m.pdist(x)
m.is_complex(x), m.is_nonzero(x[0, 0]), m.swapdims(x, 0, 1).shape
m.histogram(x, 4).hist, m.histogram(x, 4).bin_edges
m.histogram(x, density=True).hist
m.histogram(x, 3, range=(0.0, 2.0)).hist, m.histogram(x, 3, range=(0.0, 2.0)).bin_edges
x.histogram(m.tensor([0.0, 1.0, 1.5, 4.0], dtype=m.float64)).hist
x.histogram(2, weight=x + 1).hist, x.histogram(2, weight=x + 1, density=True)[0]
m.histogram(m.ones(3), 2).hist, m.histogram(m.ones(3), 2).bin_edges
m.range(1, 4), m.range(0, 1, 0.25), m.range(3, 1, -1)
m.nn.utils.fuse_conv_bn_weights(x[:, :, None], None, x[:, 0], x[:, 1], 1e-5, None, x[:, 2])
m.typename(x).rpartition(".")[2], x.type().rpartition(".")[2]
"""


def in_both(expression: str) -> tuple[Any, Any]:
    """What an expression of this file gives in stepgrad and in PyTorch."""
    numbers = np.array([[0.5, 2.0, 1.0], [3.0, 0.25, 1.5]])
    found, right = (
        eval(expression, {"x": m.tensor(numbers), "m": m, "np": np})  # noqa: S307 - written above
        for m in (sg, torch)
    )
    return found, right


def check_same(found: Any, right: Any) -> None:
    if isinstance(right, torch.Tensor):
        assert_same(found, right)
    elif right is None:
        assert found is None
    elif isinstance(right, (torch.dtype, torch.device, torch.layout)):
        assert str(found).removeprefix("stepgrad.") == str(right).removeprefix("torch.")
    elif isinstance(right, (tuple, list)):
        assert len(found) == len(right)
        for a, b in zip(found, right, strict=True):
            check_same(a, b)
    else:
        assert (type(found), found) == (type(right), right)


@pytest.mark.parametrize("expression", [e for e in (KEYWORDS + METHODS + FUNCTIONS).split("\n") if e])
def test_the_same_call_gives_the_same(expression):
    check_same(*in_both(expression))


# Deprecated for years, and not meant to be here.
OLD = {"size_average", "reduce"}
NAMES = [name for name in dir(sg.nn.functional) if not name.startswith("_")]


def parameters(function: Any) -> list[str]:
    """The names in a signature, PyTorch's as far as they are known and are not those of a decorator."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    return [] if list(found) == ["args", "kwargs"] else [name for name in found if name[0] != "_"]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_of_functions(name):
    if parameters(function := getattr(torch.nn.functional, name, None)):
        ours = parameters(getattr(sg.nn.functional, name))
        assert set(parameters(function)) - OLD - {"eps", "out", "options"} <= set(ours), name
    elif parameters(function := getattr(sg.nn.functional, name)) and hasattr(torch.nn.functional, name):
        text = getattr(torch.nn.functional, name).__doc__ or ""
        assert f"{name}({parameters(function)[0]}," in text or f"{name}({parameters(function)[0]})" in text


def test_the_input_of_layers_and_losses_by_name():
    x, t = sg.rand(2, 3), sg.rand(2, 3)
    assert sg.nn.Linear(3, 2)(input=x).shape == (2, 2)
    assert sg.nn.Embedding(3, 2)(input=sg.tensor([1])).shape == (1, 2)
    assert sg.nn.MSELoss()(input=x, target=t) == sg.nn.functional.mse_loss(input=x, target=t)
    assert sg.nn.HingeEmbeddingLoss()(input=x, target=t.sign()).shape == ()
    layers = [name for name in dir(torch.nn) if hasattr(sg.nn, name) and name[0].isupper()]
    for name in layers:
        forward = parameters(getattr(getattr(torch.nn, name), "forward", None))
        ours = parameters(getattr(getattr(sg.nn, name), "forward", None))
        if forward[1:2] == ["input"] and not {"args", "tensors"} & set(ours):
            assert ours[1] == "input", name
