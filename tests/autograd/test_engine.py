"""`apply`, `backward` and the walk back: what gets a gradient, which one, and whose memory it is."""

import threading

import numpy
import pytest

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, DeviceError, DtypeError, GradientError, ShapeError


def leaf(*values: float) -> sg.Tensor:
    return sg.tensor(list(values), dtype=sg.float64, requires_grad=True)


def number(value: float) -> sg.Tensor:
    return sg.tensor(value, dtype=sg.float64, requires_grad=True)


# ---------------------------------------------------------------------------------- what gets a gradient


def test_a_shared_subexpression_is_walked_once_with_all_its_gradient():
    x = number(3.0)
    a = x * x
    b = a + a * x  # x² + x³
    c = b * a  # x⁴ + x⁵
    c.backward()
    assert x.grad.item() == pytest.approx(4 * 27 + 5 * 81)


def test_a_diamond_of_many_levels_is_linear_in_its_size():
    x = y = number(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_a_chain_longer_than_the_recursion_limit():
    x = y = number(1.0)
    for _ in range(20_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y  # freeing the chain must not recurse either


def test_gradients_are_added_up_over_calls_until_they_are_cleared():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert x.grad.tolist() == [5, 7]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_only_leaves_that_require_it_get_a_gradient():
    x, w = sg.ones(2), leaf(1.0, 2.0)
    y = x * w
    y.sum().backward()
    assert x.grad is None
    assert y.grad is None
    assert w.grad.tolist() == [1, 1]
    assert (w.is_leaf, y.is_leaf, x.is_leaf) == (True, False, True)
    assert (w.grad_fn, y.grad_fn.name()) == (None, "mul")


def test_an_input_that_took_no_part_has_no_gradient():
    x, unused = number(1.0), number(2.0)
    assert autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None
    assert autograd.grad(x * 2, [x, unused], materialize_grads=True)[1].item() == 0
    with pytest.raises(GradientError, match=r"input 1 of grad\(\) did not take part.*allow_unused=True"):
        autograd.grad(x * 2, [x, unused])


def test_integers_need_no_gradient_and_break_it():
    x = leaf(1.7, 2.2)
    assert not x.long().requires_grad
    assert not (x > 2).requires_grad
    assert not x.argmax().requires_grad
    y = x * x.long()
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]
    with pytest.raises(GradientError, match="only floating point tensors can require a gradient, not int64"):
        sg.tensor([1]).requires_grad_()
    with pytest.raises(GradientError, match="not bool"):
        sg.tensor([True], requires_grad=True)


def test_gradients_of_intermediates_by_grad():
    x = number(2.0)
    y = x * 3
    z = y * y
    assert [g.item() for g in autograd.grad(z, [y, x])] == [12, 36]
    assert x.grad is None


def test_the_root_itself_as_input():
    x = number(2.0)
    y = x * 3
    assert autograd.grad(y, y)[0].item() == 1
    assert autograd.grad(x, x)[0].item() == 1


def test_several_roots_with_weights_of_their_own():
    x = leaf(1.0, 2.0)
    a, b = x * 2, x * x
    (g,) = autograd.grad([a, b], x, [sg.tensor([1.0, 0.0]), sg.tensor([0.0, 10.0])])
    assert g.tolist() == [2, 40]
    autograd.backward([(x * 2).sum(), (x * x).sum()])
    assert x.grad.tolist() == [4, 6]


def test_backward_restricted_to_inputs():
    x, w = number(2.0), number(3.0)
    (x * w).backward(inputs=[w])
    assert (x.grad, w.grad.item()) == (None, 2)
    (x * w).backward(inputs=w)
    assert w.grad.item() == 4


# ------------------------------------------------------------------------------------- graphs and freeing


def test_a_freed_graph_says_so():
    x = number(2.0)
    y = x * x
    y.backward()
    with pytest.raises(GradientError, match=r"graph through <mul → .* has been freed.*retain_graph=True"):
        y.backward()


def test_retain_graph_allows_any_number_of_walks():
    x = number(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(GradientError, match="freed"):
        y.backward()


def test_derivatives_to_the_third_order():
    x = number(2.0)
    y = x**4
    values = []
    for _ in range(3):
        (y,) = autograd.grad(y, x, create_graph=True)
        values.append(y.item())
    assert values == [32, 48, 48]


def test_third_order_through_an_activation_and_a_reduction():
    x = leaf(0.3, -0.4)
    y = x.tanh().sum()
    for _ in range(3):
        (y,) = autograd.grad(y.sum(), x, create_graph=True)
    t = numpy.tanh([0.3, -0.4])
    expected = (1 - t**2) * (6 * t**2 - 2)
    numpy.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12)


def test_backward_with_create_graph_gives_gradients_that_have_one():
    x = number(3.0)
    (x**3).backward(create_graph=True)
    g = x.grad
    assert (g.item(), g.requires_grad) == (27, True)
    x.grad = None
    g.backward()
    assert x.grad.item() == 18


def test_adding_to_a_gradient_that_has_a_graph_leaves_that_graph_alone():
    x = number(3.0)
    (x**2).backward(create_graph=True)
    first = x.grad
    (x**2).backward()
    assert (first.item(), x.grad.item()) == (6, 12)
    assert autograd.grad(first, x)[0].item() == 2


def test_second_derivatives_of_a_network_are_a_hessian():
    sg.manual_seed(0)
    w = sg.rand(2, 3, dtype=sg.float64, requires_grad=True)
    x = sg.rand(4, 3, dtype=sg.float64)
    assert autograd.gradgradcheck(lambda w: ((x @ w.T).sigmoid() ** 2).mean(), (w,))


def test_detach_stops_the_gradient():
    x = number(3.0)
    y = x * x.detach()
    y.backward()
    assert x.grad.item() == 3
    assert not x.detach().requires_grad


# ------------------------------------------------------------------------------------ whose memory is it


def test_two_leaves_with_the_same_gradient_do_not_share_it():
    for create_graph in (False, True):
        x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
        g = sg.ones(2, dtype=sg.float64)
        (x + y).backward(g, create_graph=create_graph)
        with sg.no_grad():
            x.grad.add_(10)
        assert y.grad.tolist() == [1, 1]
        assert g.tolist() == [1, 1]


def test_the_gradient_handed_in_is_not_taken_over():
    x, g = leaf(1.0, 2.0), sg.ones(2, dtype=sg.float64)
    x.backward(g)
    x.backward(g)
    x.grad.zero_()
    assert g.tolist() == [1, 1]


def test_gradients_through_views_do_not_share_memory():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = leaf(0.0, 0.0, 0.0, 0.0)
    (x.reshape(2, 2).T + y.reshape(2, 2)).sum().backward()
    assert not numpy.shares_memory(x.grad.numpy(), y.grad.numpy())
    assert x.grad.numpy().flags.writeable
    x.grad.mul_(5)
    assert y.grad.tolist() == [1, 1, 1, 1]


def test_gradients_of_several_targets_do_not_share_memory():
    x, y = leaf(1.0), leaf(2.0)
    a, b = autograd.grad((x + y).sum(), [x, y])
    a.add_(1)
    assert b.tolist() == [1]


def test_a_gradient_seen_by_a_hook_is_not_changed_later():
    x = leaf(1.0, 2.0)
    seen = []
    x.register_hook(seen.append)
    for _ in range(2):
        (x * 2).sum().backward()
    assert [g.tolist() for g in seen] == [[2, 2], [2, 2]]
    assert x.grad.tolist() == [4, 4]


def test_a_retained_gradient_is_its_own():
    x = leaf(1.0, 2.0)
    y = x + 0
    y.retain_grad()
    y.sum().backward()
    y.grad.add_(1)
    assert x.grad.tolist() == [1, 1]


def test_gradients_are_real_arrays_also_without_dimensions():
    x = number(2.0)
    (x * x).backward()
    assert isinstance(x.grad.numpy(), numpy.ndarray)
    assert x.grad.shape == ()
    (x * x).backward()
    assert x.grad.item() == 8
    assert isinstance(autograd.grad(x * x, x)[0].numpy(), numpy.ndarray)


# ------------------------------------------------------------------------------ shapes, dtypes, corner cases


@pytest.mark.parametrize(
    "a, b",
    [((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 1, 3), (4, 1)), ((0, 3), (1, 3)), ((1,), (0,))],
)
def test_the_gradient_of_a_broadcast_operand_has_its_shape(a: tuple[int, ...], b: tuple[int, ...]):
    x, y = sg.ones(a, requires_grad=True), sg.full(b, 2.0, requires_grad=True)
    z = x * y
    z.sum().backward()
    assert (x.grad.shape, y.grad.shape) == (a, b)
    assert x.grad.sum().item() == 2 * z.numel()
    assert y.grad.sum().item() == z.numel()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (2, 0, 3)])
def test_corner_shapes_go_there_and_back(shape: tuple[int, ...]):
    x = sg.rand(shape, dtype=sg.float64, requires_grad=True)
    y = (x.exp() * 2).reshape(-1).sum()
    y.backward()
    assert x.grad.shape == shape
    numpy.testing.assert_allclose(x.grad.numpy(), 2 * numpy.exp(x.detach().numpy()))


def test_negative_dimensions_count_from_the_end():
    x = sg.rand(2, 3, 4, dtype=sg.float64, requires_grad=True)
    for negative, positive in ((-1, 2), (-2, 1), (-3, 0), ((-1, -3), (0, 2))):
        assert x.sum(negative).equal(x.sum(positive))
    assert autograd.gradcheck(lambda x: x.softmax(-1).transpose(-1, 0).sum(-2), (x,))


def test_a_gradient_has_the_dtype_of_its_leaf():
    x = sg.tensor([1.0, 2.0], requires_grad=True)
    w = sg.tensor([3.0, 4.0], dtype=sg.float64, requires_grad=True)
    (x * w).sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (sg.float32, sg.float64)
    x.grad = None
    (x * 2).backward(sg.ones(2, dtype=sg.float64))
    assert x.grad.dtype is sg.float32


def test_a_number_of_the_wrong_kind_as_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(GradientError, match=r"starts from one number, not from shape \[2\].*pass gradient="):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"gradient of shape \[3\] does not fit \[2\]"):
        (x * 2).backward(sg.ones(3))
    with pytest.raises(ArgumentError, match="a gradient to start from is a tensor, not float"):
        (x * 2).backward(1.0)
    with pytest.raises(ArgumentError, match=r"1 tensor\(s\) need as many gradients to start from, not 2"):
        autograd.grad((x * 2).sum(), x, [sg.ones(()), sg.ones(())])
    with pytest.raises(GradientError, match="does not require a gradient: nothing that led to it does"):
        sg.ones(()).backward()
    with pytest.raises(GradientError, match=r"input 0 of grad\(\) does not require a gradient: float32\[\]"):
        autograd.grad((x * 2).sum(), sg.ones(()))


def test_nan_gradients_arrive():
    x = leaf(0.0, 1.0)
    (x.log() * x).sum().backward()
    assert numpy.isnan(x.grad.numpy()[0])
    assert x.grad.numpy()[1] == 1


# ------------------------------------------------------------------------------------- node rules (C11)


def test_addition_passes_the_gradient_on():
    a, b = number(2.0), number(5.0)
    assert [g.item() for g in autograd.grad(a + b, [a, b], sg.tensor(0.7, dtype=sg.float64))] == [0.7, 0.7]


def test_multiplication_swaps_its_inputs():
    a, b = number(2.0), number(5.0)
    assert [g.item() for g in autograd.grad(a * b, [a, b])] == [5, 2]


def test_the_derivative_of_a_reciprocal_is_minus_its_square():
    x = number(4.0)
    y = 1 / x
    assert autograd.grad(y, x, retain_graph=True)[0].item() == -(y.item() ** 2)
    assert autograd.grad(x.reciprocal(), x)[0].item() == -(0.25**2)


def test_the_exponential_is_its_own_derivative():
    x = number(1.3)
    y = x.exp()
    assert autograd.grad(y, x)[0].item() == y.item()


def test_a_sigmoid_made_of_nodes_agrees_with_the_fused_one():
    x = sg.linspace(-6, 6, 101, dtype=sg.float64, requires_grad=True)
    pieces = 1 / (1 + (-1 * x).exp())
    fused = x.sigmoid()
    assert (pieces - fused).abs().max().item() < 1e-15
    g, h = (autograd.grad(y.sum(), x)[0] for y in (pieces, fused))
    assert (g - h).abs().max().item() < 1e-15


@pytest.mark.parametrize("rows", [1, 7])
def test_the_affine_map_and_its_three_gradients(rows: int):
    sg.manual_seed(rows)
    x = sg.rand(rows, 3, dtype=sg.float64, requires_grad=True)
    w = sg.rand(3, 2, dtype=sg.float64, requires_grad=True)
    b = sg.rand(2, dtype=sg.float64, requires_grad=True)
    g = sg.rand(rows, 2, dtype=sg.float64)
    dx, dw, db = autograd.grad(x @ w + b, [x, w, b], g)
    numpy.testing.assert_allclose(dx.numpy(), g.numpy() @ w.detach().numpy().T)
    numpy.testing.assert_allclose(dw.numpy(), x.detach().numpy().T @ g.numpy())
    numpy.testing.assert_allclose(db.numpy(), g.numpy().sum(0))
    assert autograd.gradcheck(lambda x, w, b: x @ w + b, (x, w, b))


# ---------------------------------------------------------------------------------------------- operands


def test_errors_name_the_operation_and_both_operands():
    with pytest.raises(
        ShapeError, match=r"^add cannot take \(a: float32\[3\] on cpu, b: float32\[4\] on cpu\)"
    ):
        sg.ones(3) + sg.ones(4)
    with pytest.raises(DtypeError, match=r"^add takes tensors and numbers, not list"):
        sg.ones(3) + [1, 2, 3]
    with pytest.raises(DtypeError, match=r"^add cannot take \(a: float32\[3\] on cpu, b: nothing\)"):
        sg.ones(3) + None
    with pytest.raises(DtypeError, match=r"^sub cannot take \(a: bool\[1\] on cpu, b: bool\[1\] on cpu\)"):
        sg.tensor([True]) - sg.tensor([True])
    with pytest.raises(DtypeError, match=r"^add cannot take \(a: uint8\[1\] on cpu, b: 300\).*out of bounds"):
        sg.tensor([1], dtype=sg.uint8) + 300
    with pytest.raises(DtypeError, match="no data type complex128"):
        sg.ones(1) + numpy.ones(1, complex)


def test_numpy_arrays_and_scalars_are_operands():
    x = leaf(1.0, 2.0)
    for y in (x * numpy.array([3.0, 4.0]), numpy.array([3.0, 4.0]) * x):
        assert isinstance(y, sg.Tensor)
        (g,) = autograd.grad(y.sum(), x)
        assert g.tolist() == [3, 4]
    assert (sg.ones(2) * numpy.float64(2)).dtype is sg.float32
    assert (numpy.int64(2) * sg.ones(2)).dtype is sg.float32
    assert (sg.ones(2) * numpy.bool_(True)).tolist() == [1, 1]


class Elsewhere(sg.Tensor):
    """A tensor that says it lies on a GPU, for tests on machines without one."""

    device = property(lambda self: sg.device("cuda"))


class Foreign(numpy.ndarray):
    """An array that is not NumPy's own, as CuPy's are not."""


def test_operands_on_different_devices_are_refused():
    x, y = sg.ones(2), object.__new__(Elsewhere)
    y._array, y._version = numpy.ones(2, "float32").view(Foreign), [0, 0]
    with pytest.raises(
        DeviceError, match=r"add .* different devices: float32\[2\] on cpu, float32\[2\] on cuda:0"
    ):
        x + y
    with pytest.raises(DeviceError, match=r"Move them to one with \.to\('cuda:0'\)"):
        y * x


@pytest.mark.parametrize(
    "mixed",
    [lambda gpu, own: gpu + own, lambda gpu, own: own - gpu, lambda gpu, own: sg.maximum(gpu, own)],
    ids=["right", "left", "function"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tensor_on_a_gpu_and_a_numpy_array_are_refused(mixed, dtype):
    gpu = object.__new__(Elsewhere)
    gpu._array, gpu._version = numpy.ones(2, "float32").view(Foreign), [0, 0]
    with pytest.raises(DeviceError, match="operands on different devices: ") as caught:
        mixed(gpu, numpy.ones(2, dtype))
    for described in (f"{dtype}[2] on cpu", "float32[2] on cuda:0"):
        assert described in str(caught.value)


# ------------------------------------------------------------------------------------------------- hooks


def test_a_hook_sees_and_replaces_the_gradient():
    x = leaf(1.0, 2.0)
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    handle = x.register_hook(lambda g: g + 1)
    (y * 3).sum().backward()
    assert seen == [[3, 3]]
    assert x.grad.tolist() == [61, 61]
    handle.remove()
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_hooks_take_part_in_grad_too():
    x = number(1.0)
    with x.register_hook(lambda g: g * 10):
        assert autograd.grad(x * 2, x)[0].item() == 20
        assert autograd.grad(x * 2, x, create_graph=True)[0].item() == 20
    assert autograd.grad(x * 2, x)[0].item() == 2


def test_a_hook_that_returns_another_shape_is_refused():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"hook returned a gradient of shape \[\] for one of shape \[2\]"):
        (x * 2).sum().backward()


def test_a_hook_needs_a_gradient_to_see():
    with pytest.raises(GradientError, match=r"register_hook\(\) of a tensor that does not require"):
        sg.ones(1).register_hook(print)
    with pytest.raises(GradientError, match="takes a leaf that requires"):
        (number(1.0) * 2).register_post_accumulate_grad_hook(print)


def test_a_hook_after_accumulation_sees_the_whole_gradient():
    x = number(1.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * 2).backward()
    (x * 2).backward()
    (x * 2).backward(inputs=[x])
    assert seen == [2, 4, 6]


def test_retain_grad_keeps_the_gradient_of_an_intermediate():
    x = number(2.0)
    y = x * 3
    y.retain_grad()
    x.retain_grad()  # a leaf keeps it anyway
    z = y * y
    z.backward(retain_graph=True)
    assert (y.grad.item(), x.grad.item()) == (12, 36)
    z.backward()
    assert y.grad.item() == 24
    with pytest.raises(GradientError, match=r"retain_grad\(\) of a tensor that does not require"):
        sg.ones(1).retain_grad()


def test_retain_grad_sees_what_the_hooks_made():
    x = number(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 100)
    y.retain_grad()
    (y * 1).backward()
    assert (y.grad.item(), x.grad.item()) == (100, 300)


# ----------------------------------------------------------------------------------------------- threads


def test_threads_walk_graphs_of_their_own():
    results: dict[int, float] = {}

    def work(k: int) -> None:
        x = number(float(k))
        for _ in range(50):
            y = (x * x).sigmoid() * x
            (g,) = autograd.grad(y, x, create_graph=True)
        results[k] = g.item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(4):
        x = number(float(k))
        assert results[k] == autograd.grad((x * x).sigmoid() * x, x)[0].item()


def test_two_threads_walk_one_graph():
    x = number(2.0)
    y = (x * x).exp()
    found = []
    walk = lambda: found.append(autograd.grad(y, x, retain_graph=True)[0].item())  # noqa: E731
    threads = [threading.Thread(target=walk) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(found)) == 1


def test_operations_work_inside_hooks_and_interrupt_handlers():
    # A hook, a finalizer or a signal handler may compute in the middle of another operation.
    class Trap(sg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x * 2).exp()

        @staticmethod
        def backward(ctx, g):
            return g * sg.ones(g.shape).sum()

    x = leaf(1.0)
    Trap.apply(x).sum().backward()
    assert x.grad.tolist() == [1]
