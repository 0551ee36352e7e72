"""Changes in place: what is allowed, what the graph makes of it, and every message that refuses one."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import DtypeError, GradientError, IndexShapeError, ShapeError

MASK = sg.tensor([True, False, True])
METHODS = [
    ("add_", (2.0,), lambda x: x + 2),
    ("sub_", (2.0,), lambda x: x - 2),
    ("mul_", (2.0,), lambda x: x * 2),
    ("div_", (2.0,), lambda x: x / 2),
    ("pow_", (3,), lambda x: x**3),
    ("clamp_", (0.6, 0.9), lambda x: x.clamp(0.6, 0.9)),
    ("relu_", (), lambda x: x.relu()),
    ("neg_", (), lambda x: -x),
    ("exp_", (), lambda x: x.exp()),
    ("sqrt_", (), lambda x: x.sqrt()),
    ("sigmoid_", (), lambda x: x.sigmoid()),
    ("tanh_", (), lambda x: x.tanh()),
    ("masked_fill_", (MASK, 5.0), lambda x: x.masked_fill(MASK, 5.0)),
    ("__iadd__", (2.0,), lambda x: x + 2),
    ("__isub__", (2.0,), lambda x: x - 2),
    ("__imul__", (2.0,), lambda x: x * 2),
    ("__itruediv__", (2.0,), lambda x: x / 2),
    ("__ipow__", (3,), lambda x: x**3),
]  # fmt: skip


def leaf() -> sg.Tensor:
    return sg.tensor([0.5, 0.75, 1.5], dtype=sg.float64, requires_grad=True)


@pytest.mark.parametrize("name, arguments, plain", METHODS, ids=[m[0] for m in METHODS])
def test_in_place_is_the_plain_operation_in_the_same_memory(name, arguments, plain):
    x = leaf().detach()
    memory, expected = x.numpy(), plain(x.clone())
    result = getattr(x, name)(*arguments)
    assert result is x
    assert x.numpy() is memory
    numpy.testing.assert_array_equal(memory, expected.numpy())


@pytest.mark.parametrize("name, arguments, plain", METHODS, ids=[m[0] for m in METHODS])
def test_gradients_flow_through_a_change_in_place(name, arguments, plain):
    x = leaf()
    y = x * 1.0
    getattr(y, name)(*arguments)
    found = autograd.grad((y * 3).sum(), x)[0]
    expected = autograd.grad((plain(x * 1.0) * 3).sum(), x)[0]
    numpy.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_second_derivatives_through_a_change_in_place():
    assert autograd.gradgradcheck(lambda x: (x * 1).mul_(x).pow_(2).sigmoid_(), (leaf(),))


def test_a_leaf_that_requires_a_gradient_is_not_changed():
    x = leaf()
    message = r"a leaf that requires a gradient cannot be changed in place.*no_grad\(\)"
    for change in (
        lambda: x.add_(1),
        lambda: x.zero_(),
        lambda: x.copy_(sg.ones(3)),
        lambda: x.normal_(),
        lambda: x.__setitem__(0, 1.0),
    ):
        with pytest.raises(GradientError, match=message):
            change()
    with sg.no_grad():
        x.add_(1)
        x[0] = 7
    assert x.tolist() == [7, 1.75, 2.5]
    assert x.requires_grad
    assert x.is_leaf


def test_what_the_derivative_needs_must_not_have_changed():
    x = leaf()
    y = x * 2
    z = y.square()
    y.add_(1)
    message = "the derivative of square needs a tensor that an in-place operation changed.*result: <square"
    with pytest.raises(GradientError, match=message):
        z.sum().backward()


def test_a_result_that_the_derivative_needs_must_not_have_changed():
    x = leaf()
    y = x.exp()
    y.mul_(2)
    with pytest.raises(
        GradientError, match="the derivative of exp needs a tensor that an in-place operation"
    ):
        y.sum().backward()


def test_a_leaf_changed_under_no_grad_is_noticed():
    x, w = leaf(), leaf()
    y = x * w
    with sg.no_grad():
        w.add_(1)
    with pytest.raises(GradientError, match="the derivative of mul needs a tensor"):
        y.sum().backward()


def test_a_change_of_what_nobody_needs_is_no_harm():
    x = leaf()
    y = x + 1
    z = y * 2.0 + y.sum()  # a product with a number needs the number alone
    y.detach().zero_()
    z.sum().backward()
    assert x.grad.tolist() == [5, 5, 5]


def test_a_change_through_another_name_for_the_memory_is_noticed():
    for change in (
        lambda y: y.detach().add_(1),
        lambda y: y.detach()[1:].add_(1),
        lambda y: y.data.reshape(3, 1).zero_(),
        lambda y: y.detach().__setitem__(0, 1.0),
        lambda y: y.detach().copy_(sg.ones(3)),
        lambda y: y.detach().fill_(1),
    ):
        x = leaf()
        y = x * 2
        z = y * y
        change(y)
        with pytest.raises(GradientError, match="in-place operation changed"):
            z.sum().backward()


def test_a_copy_is_not_another_name_for_the_memory():
    x = sg.ones(2, 2)
    w = sg.ones(2, 2, requires_grad=True)
    z = (w * x).sum()
    x.T.reshape(4).add_(1)  # not contiguous, so it is a copy
    x.clone().add_(1)
    x.flatten().clone().zero_()
    z.backward()
    y = (w * 2).T.reshape(4)
    y.add_(1)
    y.sum().backward()
    assert w.grad.tolist() == [[3, 3], [3, 3]]


def test_a_view_is_changed_with_its_base():
    x = sg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    z = sg.zeros(3)
    z[1:] += x[1:]
    assert z.requires_grad
    (z * sg.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [0, 10, 100]


CHANGES = {
    "slice": lambda y, w: y[1:].mul_(w[1:]),
    "slice with a step": lambda y, w: y[::2].mul_(w[::2]),
    "entry": lambda y, w: y[0].fill_(w[1, 1]),
    "column": lambda y, w: y[:, 0].add_(w[0]),
    "select": lambda y, w: y.select(1, 2).mul_(w[0]),
    "narrow": lambda y, w: y.narrow(0, 1, 2).copy_(w[:2]),
    "view": lambda y, w: y.view(-1).mul_(w.reshape(-1)),
    "view of a part": lambda y, w: y[1:].view(-1)[2:].add_(w.reshape(-1)[2:6]),
    "transpose": lambda y, w: y.t().add_(w),
    "transpose of a part": lambda y, w: y[:2].T[1:].mul_(w[1:, :2]),
    "unsqueeze": lambda y, w: y.unsqueeze(0).mul_(w),
    "expand": lambda y, w: y.expand(1, 3, 3).mul_(w),
    "diagonal": lambda y, w: y.diagonal(1).mul_(w[0, :2]),
    "unfold": lambda y, w: y.unfold(1, 1, 2).mul_(w[:, :2, None]),
    "as_strided": lambda y, w: y.as_strided((2, 2), (4, 2), 1).mul_(w[:2, :2]),
    "one of windows that overlap": lambda y, w: y.unfold(1, 2, 1)[:, 0].mul_(w[:, :2]),
    "across windows that overlap": lambda y, w: y[1:].view(-1).unfold(0, 3, 1).diagonal().mul_(w[0]),
    "one of rows that overlap": lambda y, w: y.as_strided((3, 3), (2, 1), 1)[1:2].mul_(w[0]),
    "whole view is zero": lambda y, w: y.view(-1).zero_(),
    "two views": lambda y, w: (y[0].mul_(w[0]), y[:, 1].mul_(w[1])),
    "view by view": lambda y, w: y[0].mul_(y[1].clone()),
    "overlapping views": lambda y, w: y[1:].mul_(y[:2].clone()),
    "assignment in a view": lambda y, w: y[1].__setitem__(0, w[0, 0]),
    "mask in a view": lambda y, w: y[1].masked_fill_(sg.tensor([True, False, True]), 5.0),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_through_views(change):
    def function(x, w):
        y = x * 1.5
        other = y.t()
        change(y, w)
        return y * y + other

    x, w = (sg.rand(3, 3, dtype=sg.float64, requires_grad=True) for _ in range(2))
    assert autograd.gradcheck(function, (x, w))
    assert autograd.gradgradcheck(function, (x, w))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_of_a_buffer_through_views(change):
    def function(w):
        y = sg.ones(3, 3, dtype=sg.float64)
        row = y[1]
        change(y, w)
        assert row.requires_grad == y.requires_grad
        return (y * w).sum(0) + row

    w = sg.rand(3, 3, dtype=sg.float64, requires_grad=True)
    assert autograd.gradcheck(function, (w,))


def test_a_view_made_before_the_whole_was_changed_has_its_history():
    x = leaf()
    y = x * 2
    old, lone = y[0:2], y[0]
    y.mul_(3)
    assert old.grad_fn is not None
    (old * 2).sum().backward(retain_graph=True)
    assert x.grad.tolist() == [12, 12, 0]
    lone.backward()
    assert x.grad.tolist() == [18, 12, 0]


def test_a_view_of_a_buffer_that_has_got_a_history():
    w = leaf()
    buffer = sg.zeros(3, dtype=sg.float64)
    row, unused = buffer[0:1], buffer[1:]
    assert not row.requires_grad
    buffer[0] = w[0]
    assert row.requires_grad
    assert unused.requires_grad
    assert not row.is_leaf
    (row * 2).sum().backward()
    assert w.grad.tolist() == [2, 0, 0]


def test_views_that_cannot_be_changed():
    x = leaf()
    with pytest.raises(GradientError, match=r"a view of a leaf that requires a gradient.*no_grad\(\)"):
        x[0].fill_(1)
    with sg.no_grad():
        x[0].fill_(1)
        y = x * 1
    z = x * 2
    with sg.no_grad():
        view = z[1:]
        own = y[1:]
    assert x.tolist() == [1, 0.75, 1.5]
    own.add_(1)  # no gradient is recorded there
    message = r"a view that was made under no_grad\(\).*\.clone\(\)"
    with pytest.raises(GradientError, match=message):
        view.mul_(2)
    with pytest.raises(GradientError, match=message):
        own.mul_(x[1:])
    z.mul_(2)
    with pytest.raises(GradientError, match=message):
        view * 2
    with pytest.raises(ShapeError, match=r"this view of shape \[2, 2\].*lie\s+in the same place"):
        z.unfold(0, 2, 1).mul_(2)


def test_what_a_derivative_reads_in_another_part_of_the_memory():
    y = sg.rand(3, 3, requires_grad=True) * 2
    y[1:].mul_(y[:2])  # the derivative reads y[:2], of which a part is overwritten
    with pytest.raises(GradientError, match="the derivative of mul needs a tensor that an in-place"):
        y.sum().backward()


def test_a_detached_view_has_no_part_in_the_history():
    x, y = leaf(), sg.zeros(3, dtype=sg.float64)
    row = y.detach()[1:]
    row.mul_(x[1:])
    assert row.requires_grad
    assert not y.requires_grad


def test_a_view_may_be_used_after_a_change_that_has_no_history():
    buffer = sg.zeros(3, dtype=sg.float64)
    row = buffer[0:1]
    buffer.add_(1)
    w = leaf()
    (row * w).sum().backward()
    assert w.grad.tolist() == [1, 1, 1]


def test_memory_that_elements_share_is_not_changed():
    for x in (sg.ones(1).expand(3), sg.from_numpy(numpy.broadcast_to(1.0, (2,)))):
        with pytest.raises(ShapeError, match=r"cannot be changed in place: it was expanded.*\.clone\(\)"):
            x.add_(1)
        with pytest.raises(ShapeError, match="cannot be changed in place"):
            x[0] = 1


def test_shape_and_dtype_stay():
    with pytest.raises(ShapeError, match=r"cannot change the shape \[3\] to \[2, 3\]"):
        sg.ones(3).add_(sg.ones(2, 3))
    with pytest.raises(DtypeError, match="a float32 result cannot be stored in a int64 tensor"):
        sg.tensor([1, 2]).add_(0.5)
    with pytest.raises(DtypeError, match="float32 result cannot be stored in a int64"):
        sg.tensor([1, 2]).div_(2)
    x = sg.ones(2)
    x += sg.ones(2, dtype=sg.float64)
    assert x.dtype is sg.float32


# ----------------------------------------------------------------------------------- fill, copy, assignment


def test_filling_and_copying_end_the_history():
    for change in (
        lambda y: y.fill_(5.0),
        lambda y: y.zero_(),
        lambda y: y.copy_(sg.tensor([5.0, 6.0, 7.0])),
    ):
        x = leaf()
        y = x * 2
        change(y)
        ((y + 1) * x).sum().backward()
        assert x.grad.tolist() == [v + 1 for v in y.tolist()]


def test_filling_and_copying_take_the_history_of_the_source():
    w = sg.tensor(3.0, requires_grad=True)
    y = sg.zeros(2)
    y.fill_(w)
    y.sum().backward()
    assert w.grad.item() == 2
    source = sg.ones(1, dtype=sg.float64, requires_grad=True)
    target = sg.zeros(2, 3)
    target.copy_(source)
    (target * 2).sum().backward()
    assert source.grad.tolist() == [12]
    assert source.grad.dtype is sg.float64


def test_under_no_grad_the_history_stays():
    x = leaf()
    y = x + 1
    with sg.no_grad():
        y.fill_(3)
        y.copy_(sg.ones(3))
        y[0] = 9
        y.mul_(2)
    assert y.requires_grad
    assert y.tolist() == [18, 2, 2]
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_copy_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"copy_ of shape \[3\] into \[2\]"):
        sg.zeros(2).copy_(sg.ones(3))


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(1, None),
        (slice(None), 1),
        (Ellipsis, slice(0, 2)),
        (1, 2),
        (None, 0),
        [0, 2],
        ([0, 1], [2, 2]),
    ],
    ids=str,
)
def test_assignment_in_the_graph(index):
    x = sg.rand(3, 4, dtype=sg.float64, requires_grad=True)
    value = sg.rand(x.detach()[index].shape, dtype=sg.float64, requires_grad=True)

    def assigned(x: sg.Tensor, value: sg.Tensor) -> sg.Tensor:
        y = x * 2
        y[index] = value
        return y * y

    expected = x.detach().numpy() * 2
    expected[index] = value.detach().numpy()
    numpy.testing.assert_array_equal(assigned(x, value).detach().numpy(), expected**2)
    assert autograd.gradcheck(assigned, (x, value))
    assert autograd.gradgradcheck(assigned, (x, value))


def test_assignment_by_a_mask_and_of_a_number_and_of_a_broadcast():
    x = leaf()
    y = x * 2
    y[y > 1.2] = 0
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]
    x = sg.zeros(2, 3, dtype=sg.float64)
    w = leaf()
    x[:] = w
    x.sum().backward()
    assert w.grad.tolist() == [2, 2, 2]


def test_assignment_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"cannot assign to slice\(0, 2, None\) of a tensor of shape \[3\]"):
        sg.zeros(3)[0:2] = sg.ones(3)
    with pytest.raises(IndexShapeError, match=r"cannot assign to 5 of a tensor of shape \[3\]"):
        sg.zeros(3)[5] = 1
    with pytest.raises(ShapeError, match=r"index_put cannot take \(x: float64\[3\]"):
        (leaf() * 2)[0:2] = sg.ones(3)


def test_a_sequence_of_states_written_into_one_tensor():
    x = leaf()
    states = sg.zeros(4, dtype=sg.float64)
    states[0] = x.sum()
    for i in range(3):
        states[i + 1] = states[i] * 2 + 1
    states[3].backward()
    assert states.tolist() == [2.75, 6.5, 14, 29]
    assert x.grad.tolist() == [8, 8, 8]


def test_retain_grad_follows_the_tensor():
    x = leaf()
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    (y * 5).sum().backward()
    assert y.grad.tolist() == [5, 5, 5]
    assert x.grad.tolist() == [30, 30, 30]


def test_random_filling():
    sg.manual_seed(0)
    x = sg.zeros(2000, dtype=sg.float64)
    assert x.normal_(5, 2) is x
    assert abs(x.mean().item() - 5) < 0.2
    assert abs(x.std().item() - 2) < 0.2
    x.uniform_(-3, -1)
    assert -3 <= x.min().item() < -2.9
    assert -1.1 < x.max().item() < -1
    with pytest.raises(DtypeError, match="random numbers are floating point, this tensor is int64"):
        sg.tensor([1]).normal_()


def test_a_quotient_is_changed_where_its_derivative_does_not_read_it():
    """As scores / √d, of which some are then filled with −∞."""
    x = sg.tensor([2.0, 4.0], requires_grad=True)
    for y in (x / 2.0, x / sg.tensor([2.0, 2.0])):
        y.masked_fill_(sg.tensor([True, False]), 0.0)
        (g,) = sg.autograd.grad(y.sum(), x)
        assert g.tolist() == [0.0, 0.5]
    d = sg.tensor(2.0, requires_grad=True)
    y = x / d
    y.fill_(0.0)
    z = (x / d).mul_(3.0)
    with pytest.raises(GradientError, match="div needs a tensor that an in-place operation changed"):
        z.sum().backward()
