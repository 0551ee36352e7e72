"""Programs: equal values made once, numbers computed beforehand, nothing of which may change a bit; and
their schedule.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile.capture import Capture
from stepgrad.compile.program import Builder
from stepgrad.compile.schedule import Schedule, base_of, live_values, writes_without_conflict
from stepgrad.compile.value import Value
from stepgrad.tensor import Tensor
from tests.compile.compiled import compiled_and_eager

# ------------------------------------------------------------------------------------------- building


def leaf(builder: Builder, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Value:
    return builder.leaf(object(), shape, dtype)


def test_equal_values_are_made_once():
    b = Builder()
    x, y = leaf(b), leaf(b)
    assert x is not y
    assert b.exp(x) is b.exp(x)
    assert x + y is x + y
    assert b.sum(x, dim=None, keepdim=False) is b.sum(x, dim=(0,), keepdim=False)
    assert b.clamp(x, low=0.0, high=1.0) is b.clamp(x, low=0.0, high=1.0)
    assert b.slice(x, index=(slice(1, None),)) is b.slice(x, index=(slice(1, None),))


def test_different_values_are_not_taken_for_equal():
    b = Builder()
    x, y = leaf(b), leaf(b)
    different = [
        x - y, y - x, b.exp(x), b.exp(y), x + 0.0, x + -0.0, x * 2, x * 2.5, b.clamp(x, low=0.0, high=1.0),
        b.clamp(x, low=-0.0, high=1.0), b.clamp(x, low=None, high=1.0), b.cast(x, dtype="float64"),
        b.cast(x, dtype="int64"), b.slice(x, index=(slice(1, None),)), b.slice(x, index=(slice(2, None),)),
        b.rand(shape=(3,), dtype="float32", stream=0, seed=0, position=0) if 0 in b.streams else x,
    ]  # fmt: skip
    assert len({id(v) for v in different}) == len(different)


def test_a_number_keeps_its_sign_and_its_type():
    b = Builder()
    assert b.number(0.0, "float32") is not b.number(-0.0, "float32")
    assert math.copysign(1, b.number(-0.0, "float32").number) == -1
    assert b.number(math.nan, "float32") is b.number(math.nan, "float32")
    assert len({id(b.number(1, d)) for d in ("bool", "int32", "int64", "float32", "float64")}) == 5
    assert b.number(0.1, "float32").number == float(numpy.float32(0.1))
    assert b.number(300, "uint8").number == 44


def test_an_array_of_one_number_is_a_number_unless_its_zeros_differ_in_sign():
    b = Builder()
    assert b.constant(numpy.full((2, 3), 7.0)).kind == "number"
    assert b.constant(numpy.array([0.0, -0.0])).kind == "leaf"
    assert b.constant(numpy.array([1.0, 2.0])).kind == "leaf"
    assert math.isnan(b.constant(numpy.array([math.nan, math.nan])).number)


def test_numbers_are_computed_beforehand_as_eager_mode_computes_them():
    b = Builder()
    for dtype in ("float32", "float64"):
        x = b.number(0.1, dtype, (2, 3))
        kind = numpy.dtype(dtype).type
        assert (x + 0.2).number == kind(0.1) + kind(0.2)
        assert (b.exp(x)).number == numpy.exp(kind(0.1))
        assert (x > 0).number is True
        assert b.sum(x, dim=None, keepdim=False).number == pytest.approx(0.6)
        assert b.sum(b.number(math.nan, dtype, (0,)), dim=None, keepdim=False).number == 0
        assert b.cast(b.number(2.7, dtype), dtype="int64").number == 2
        assert (b.number(1.0, dtype) / 0.0).number == math.inf
    assert (b.number(127, "int8") + b.number(1, "int8")).number == -128
    assert b.sum(b.number(2**62, "int64", (4,)), dim=None, keepdim=False).number == 0


def test_only_what_is_needed_lives():
    b = Builder()
    x = leaf(b)
    needed = b.exp(x) + 1
    b.log(x)
    names = [v.op.name for v in live_values([needed]) if v.op]
    assert names == ["exp", "add"]


# --------------------------------------------------------------------------------------- the same bits

STRANGE = (0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, 1e308, -1e-40)
SIMPLIFIED: dict[str, Callable[[Tensor], Any]] = {
    "times one": lambda x: [x * 1, 1 * x, x * 1.0, x / 1, x * sg.ones(10), x * True],
    "minus zero": lambda x: [x - 0, x - 0.0, x - -0.0, x + 0, x + -0.0, 0 - x, -0.0 - x, 0.0 + x],
    "times zero": lambda x: [x * 0, x * -0.0, 0 * x, x - x, x / x],
    "conditions": lambda x: [sg.where(sg.ones(10) > 0, x, 2.0), sg.where(sg.zeros(10) > 0, x, -x), x.relu(), x.clamp(0)],
    "twice": lambda x: [x.neg().neg(), x.abs().abs(), x * x - x * x, (x + 1) - 1, (x + x) + (x + x)],
    "constants": lambda x: [x * sg.tensor([0.0, -0.0] * 5), x + sg.full((10,), -0.0), x * sg.full((10,), math.nan)],
    "views": lambda x: [x.reshape(2, 5).reshape(10), x.flip(0).flip(0), x.reshape(2, 5).T.T, x.expand(3, 10).sum(0)],
    "casts": lambda x: [x.float().double(), x.double().float(), x.to(x.dtype), x.bool().double()],
    "powers": lambda x: [x**1, x**2, x**0, x**-1, x.square(), x**0.5],
}


@pytest.mark.parametrize("dtype", [sg.float64, sg.float32])
@pytest.mark.parametrize("name", SIMPLIFIED)
def test_simplifications_do_not_change_a_bit(name: str, dtype: Any):
    with numpy.errstate(over="ignore"):
        x = sg.tensor(numpy.array(STRANGE), dtype=dtype)
    native, eager = compiled_and_eager(SIMPLIFIED[name], [x])
    for i, (found, expected) in enumerate(zip(native, eager, strict=True)):
        a, b = found.numpy(), expected.numpy()
        assert a.dtype == b.dtype
        numpy.testing.assert_array_equal(a, b, err_msg=f"{name}, {i}")
        there = ~numpy.isnan(b)
        numpy.testing.assert_array_equal(numpy.signbit(a)[there], numpy.signbit(b)[there], err_msg=f"{name}, {i}")


# -------------------------------------------------------------------------------------------- schedule


def captured(step: Callable[..., Any], tensors: list[Tensor]) -> Any:
    """The program of a step, and its schedule."""
    capture = Capture(step, tuple(tensors), {})
    assert capture.reason is None
    assert not capture.is_first
    program = capture.program
    capture.undo()
    program.writes = writes_without_conflict(program.outputs, program.writes)
    schedule = Schedule([*program.outputs, *(v for _, v in program.writes)], program.writes)
    return program, schedule


def check_schedule(program: Any, schedule: Schedule) -> None:
    """Each value is computed once and before it is used; the old value of a slot is read before it is
    overwritten.
    """
    computed = [v for cluster in schedule.clusters for v in cluster.members]
    assert len(set(computed)) == len(computed)
    live = live_values([*program.outputs, *(v for _, v in program.writes)])
    assert set(computed) == {v for v in live if v.kind not in ("leaf", "number", "view")}
    when = {v: i for i, cluster in enumerate(schedule.clusters) for v in cluster.members}
    for value in computed:
        for x in value.inputs:
            source = base_of(x)
            # A view shows memory, which only an earlier kernel has filled.
            assert source not in when or when[source] < when[value] + (x is source)
    for cluster in schedule.clusters:
        assert cluster.members == sorted(cluster.members, key=lambda v: v.key)
    for slot, value in program.writes:
        for reader in computed:
            read = [x for x in reader.inputs if base_of(x) is slot]
            if read and reader is not value:
                assert when[reader] <= when[value]
            if read and when[reader] == when[value]:
                assert reader.kind == "map"
                assert all(x is slot for x in read)


NET = sg.nn.Sequential(sg.nn.Linear(4, 8), sg.nn.BatchNorm1d(8), sg.nn.GELU(), sg.nn.Linear(8, 4), sg.nn.LayerNorm(4))


def training_step(x: Tensor, y: Tensor) -> Tensor:
    for p in NET.parameters():
        p.grad = None
    loss = ((NET(x) - y) ** 2).mean() + (NET[0].weight @ NET[3].weight).square().sum()
    loss.backward()
    sg.nn.utils.clip_grad_norm_(NET.parameters(), 1.0)
    with sg.no_grad():
        for p in NET.parameters():
            p -= 0.1 * p.grad
    return loss


def test_the_schedule_of_a_training_step():
    random = numpy.random.default_rng(0)
    program, schedule = captured(training_step, [sg.tensor(random.standard_normal((5, 4)), dtype=sg.float32)] * 2)
    check_schedule(program, schedule)
    assert len(program.writes) >= len(list(NET.parameters()))
    # The update of each weight is part of the kernel of its gradient or of one that follows: far fewer
    # kernels than values.
    assert len(schedule.clusters) < len([v for c in schedule.clusters for v in c.members]) / 2


def test_updates_need_no_copies():
    """Where every parameter is overwritten by the last value computed of it, all is done in place."""
    capture = Capture(training_step, tuple([sg.ones(5, 4)] * 2), {})
    program = capture.program
    capture.undo()
    assert writes_without_conflict(program.outputs, program.writes) == program.writes


# ------------------------------------------------------------------ what is overwritten while it is needed

Change = Callable[..., Any]
CHANGES: dict[str, tuple[Change, tuple[tuple[int, ...], ...]]] = {}


def change(*shapes: tuple[int, ...]) -> Callable[[Change], Change]:
    """A step that changes tensors of these shapes in place."""

    def add(step: Change) -> Change:
        CHANGES[step.__name__] = (step, shapes)
        return step

    return add


@change((3, 4), (3, 4))
def swap_by_a_copy(a: Tensor, b: Tensor) -> Any:
    c = a.clone()
    a.copy_(b)
    b.copy_(c)
    return a - b


@change((3, 4), (3, 4))
def swap_of_computed(a: Tensor, b: Tensor) -> Any:
    x, y = b * 1.5, a * 0.5
    a.copy_(x)
    b.copy_(y)


@change((3, 4), (3, 4), (3, 4))
def three_change_places(a: Tensor, b: Tensor, c: Tensor) -> Any:
    x, y, z = b * 1.0, c * 2, a * 3
    a.copy_(x)
    b.copy_(y)
    c.copy_(z)


@change((3, 4), (4,))
def swap_of_two_shapes(a: Tensor, b: Tensor) -> Any:
    y = a.sum(0) + b
    x = a * b + y
    a.copy_(x)
    b.copy_(y)


@change((3, 4), (3, 4))
def each_by_sums_of_the_other(a: Tensor, b: Tensor) -> Any:
    x, y = b * a.sum(1, keepdim=True), a * b.sum(0, keepdim=True)
    a.copy_(x)
    b.copy_(y)
    return a + b


@change((4, 4))
def turned_around(p: Tensor) -> Any:
    p.copy_(p.flip(0) * 2 + p)


@change((4, 4))
def sum_with_its_own_views(p: Tensor) -> Any:
    q = p * 2
    return q + q.T, q - q.flip(0), q * q.sum(1), q.T.exp().sum(0) + q.sum()


@change((4, 4))
def transposed(p: Tensor) -> Any:
    p.copy_(p.T)


@change((5, 4))
def rolled(p: Tensor) -> Any:
    p.copy_(sg.cat([p[1:], p[:1]]))


@change((5, 4))
def picked(p: Tensor) -> Any:
    p.copy_(p[sg.tensor([4, 3, 2, 1, 0])])


@change((4, 4))
def multiplied_by_itself(p: Tensor) -> Any:
    p.copy_(p @ p * 0.1)


@change((4, 4), (4, 4))
def product_added_to_its_factor(p: Tensor, x: Tensor) -> Any:
    y = x @ p
    p.copy_(y * 0.1 + p.T)
    return y


@change((4, 4), (2, 4))
def weight_used_before_and_after_its_update(p: Tensor, x: Tensor) -> Any:
    y = x @ p
    p.sub_(0.1 * (x.T @ y))
    return y @ p


@change((3, 4))
def less_its_mean(p: Tensor) -> Any:
    p.sub_(p.mean())


@change((3, 4))
def over_its_norm(p: Tensor) -> Any:
    p.div_(p.norm())


@change((3, 4))
def softmax_of_itself(p: Tensor) -> Any:
    p.copy_(p.softmax(1))


@change((4,))
def sums_of_its_products(p: Tensor) -> Any:
    p.copy_((p.reshape(4, 1) * p).sum(1) * 0.1)


@change((2, 3, 4))
def reduced_in_place_thrice(p: Tensor) -> Any:
    p.sub_(p.amax(2, keepdim=True))
    p.exp_()
    p.div_(p.sum(2, keepdim=True))


@change((3, 4))
def chain(p: Tensor) -> Any:
    p.add_(1)
    p.mul_(2)
    q = p * 3
    p.sub_(q)
    return q + p


@change((3, 4))
def old_and_new(p: Tensor) -> Any:
    old = p.clone()
    p.mul_(2)
    return p - old


@change((3, 4))
def old_under_another_name(p: Tensor) -> Any:
    old = p * 1
    p.mul_(2)
    return [old, p - old, p]


@change((3, 4), (3, 4))
def through_data(p: Tensor, q: Tensor) -> Any:
    before = (p * q).sum()
    p.data.add_(p.data * 0.1)
    q.data = q.data - p
    return p.sum() + before, q


@change((3, 4))
def view_read_later(p: Tensor) -> Any:
    row, flat, same = p[0], p.reshape(-1)[1:], p.detach()
    p.add_(1)
    return row * 1, flat * 1, same * 1


@change((3, 4))
def view_of_what_was_computed(p: Tensor) -> Any:
    q = p * 2
    row, same = q[0], q.detach()
    q.add_(1)
    return row * 1, same * 1, q


@change((3, 4))
def a_number(p: Tensor) -> Any:
    p.zero_()
    q = p + 1
    p.fill_(3.5)
    return p.sum(), q


@change((3, 4), (4, 3), (4,))
def leaves_and_views_of_leaves(p: Tensor, q: Tensor, r: Tensor) -> Any:
    p.copy_(q.T)
    r.copy_(p[1])
    q.copy_(r.reshape(4, 1))
    return p * 1


@change((3, 4), (3, 4), (3, 4))
def one_value_in_two_places(a: Tensor, b: Tensor, c: Tensor) -> Any:
    x = c * 2
    a.copy_(x)
    b.copy_(x)
    return x


@change((3, 4), (3, 4))
def written_twice(a: Tensor, b: Tensor) -> Any:
    a.mul_(2)
    b.copy_(a)
    a.mul_(3)
    b.add_(a)


@change((3, 4), (4,))
def assigned_by_index(a: Tensor, b: Tensor) -> Any:
    a[0] = b
    a[1, 2:] = b[:2]
    a[sg.tensor([2, 0])] = b
    a[a > 1] = 0.5
    return a * 1


@change((3, 4))
def handed_out(p: Tensor) -> Any:
    q = p
    p.mul_(2)
    return [q, p, p * 1]


@change((3, 4))
def rounded_to_its_own_type(p: Tensor) -> Any:
    p.copy_((p.double() if p.dtype is sg.float32 else p.float()) + 0.1)
    return p * 3


def laid_out(array: numpy.ndarray, layout: str) -> Tensor:
    """A tensor of the numbers of `array` whose memory is arranged in one of four ways."""
    if layout == "by columns":
        return sg.from_numpy(numpy.array(array, order="F"))
    if layout == "with gaps":
        wide = numpy.zeros(tuple(2 * n for n in array.shape))
        part = wide[tuple(slice(None, None, 2) for _ in array.shape)]
        part[...] = array
        return sg.from_numpy(part)
    if layout == "backwards":
        return sg.from_numpy(array[::-1].copy()[::-1])
    return sg.from_numpy(array.copy())


@pytest.mark.parametrize("layout", ["by rows", "by columns", "with gaps", "backwards"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes_in_place(name: str, layout: str):
    step, shapes = CHANGES[name]
    random = numpy.random.default_rng(1)
    arrays = [random.standard_normal(shape) for shape in shapes]
    own, others = ([laid_out(a, layout) for a in arrays] for _ in range(2))
    # In one layout what is changed are arguments, in the others what the step finds.
    f = sg.compile(sg.no_grad()(step) if layout == "by rows" else lambda: sg.no_grad()(step)(*own))
    for _ in range(3):
        native = tensors_of(f(*own) if layout == "by rows" else f())
        with sg.no_grad():
            eager = tensors_of(step(*others))
        for x, y in zip([*native, *own], [*eager, *others], strict=True):
            numpy.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-12, atol=1e-12)
    assert all(f._compiled.values())


@pytest.mark.parametrize("name", CHANGES)
def test_schedules_of_changes_in_place(name: str):
    step, shapes = CHANGES[name]
    tensors = [sg.ones(*shape) for shape in shapes]
    check_schedule(*captured(sg.no_grad()(step), tensors))


def tensors_of(result: Any) -> list[Tensor]:
    if result is None:
        return []
    return [result] if isinstance(result, Tensor) else list(result)


def test_a_part_changed_through_a_view_runs_eagerly():
    p = sg.ones(3, 4)

    def step() -> Tensor:
        p[0].mul_(2)
        return p.sum()

    f = sg.compile(step)
    with pytest.warns(UserWarning, match="changes a part of a tensor in place through a view"):
        assert f().item() == 16
    assert f().item() == 24


def test_tensors_that_share_a_part_of_their_memory_run_eagerly():
    whole = sg.ones(8)
    a, b = whole[:5], whole[3:]

    def step() -> Tensor:
        a.mul_(2)
        return (a.sum() + b.sum()) * 1

    f = sg.compile(step)
    with pytest.warns(UserWarning, match="share a part of the memory"):
        assert f().item() == 10 + 4 + 3
    assert f().item() == 20 + 8 + 3


def test_several_names_of_one_memory():
    p = sg.ones(4)
    other = sg.from_numpy(p.numpy())

    def step() -> tuple[Tensor, Tensor]:
        before = p.sum()
        other.mul_(2)
        return before, p.sum()

    f = sg.compile(step)
    assert [t.item() for t in f()] == [4, 8]
    assert [t.item() for t in f()] == [8, 16]
    # One of them goes elsewhere: from then on they are two.
    p.data = sg.ones(4)
    assert [t.item() for t in f()] == [4, 4]
    assert other.sum().item() == 32


# --------------------------------------------------------------------------------------------- results


def test_results_are_memory_of_their_own():
    p = sg.ones(64)

    def step(x: Tensor) -> list[Tensor]:
        y = x * 2
        with sg.no_grad():
            p.add_(1)
        return [y, y, x, p, y.reshape(8, 8), y[::2], y.sum(), sg.zeros(3)]

    f = sg.compile(step)
    x = sg.ones(64)
    first = f(x)
    kept = [t.numpy().copy() for t in first]
    second = f(sg.full((64,), 5.0))
    arena = next(iter(f._compiled.values())).native._arena
    for t, array in zip(first, kept, strict=True):
        numpy.testing.assert_array_equal(t.numpy(), array)
    tensors = [*first, *second, x, p]
    for i, a in enumerate(tensors):
        assert not numpy.shares_memory(a.numpy(), arena)
        for b in tensors[:i]:
            assert not numpy.shares_memory(a.numpy(), b.numpy())
