"""Matrix products on AMX against NumPy in double precision: any sizes and layouts, as accurate as float32."""

import ctypes
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import machine
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.products import amx, amx_packing, amx_product
from stepgrad.compile.lower.products.ahead import Ahead
from stepgrad.compile.lower.products.amx import AmxContraction, amx_contraction
from stepgrad.compile.lower.products.amx_product import write_amx_product
from stepgrad.compile.lower.register import Register
from stepgrad.errors import ArgumentError
from tests.compile.lower.test_contract import CANARY, buffer_of, laid_out, numbers

needs_amx = pytest.mark.skipif(
    not machine.has_amx() or machine.vector_bytes() != 64, reason="this machine has no AMX"
)
LAYOUTS = ("rows", "columns")
# What float32 costs at most: the unit of rounding.
UNIT = 2.0**-24


class ByAmx:
    """A B as a function; or ``c -= A B / 8`` in place, with what is written fetched before."""

    def __init__(self, a: numpy.ndarray, b: numpy.ndarray, in_place: bool = False, streams: int = 1) -> None:
        (a_buffer, self.a), (b_buffer, self.b) = buffer_of(a), buffer_of(b)
        self.plan = plan = AmxContraction(a_buffer, b_buffer, streams)
        self.shape = (plan.rows, plan.columns)
        # Packed by all; then what one thread has.
        self.own = plan.scratch_bytes - plan.own_bytes
        self.memory = numpy.full(plan.scratch_bytes + 64, CANARY, "uint8")
        w = Writer()
        with w.function("product", ["ptr"] * 4 + ["i64"] * 2, public=True) as (
            a_base,
            b_base,
            c,
            memory,
            *part,
        ):

            def at(m: Register, n: Register) -> Register:
                return w.pointer(w.pointer(c, m * plan.columns, "float"), n, "float")

            def epilogue(_: list[Register], m: Register, n: Register, x: Register, mask: int | None) -> None:
                if in_place:
                    x = w.load(at(m, n), "float", x.lanes, mask) - x * 0.125
                w.store(x, at(m, n), mask)

            def places(_: list[Register], m: Register, n: Register) -> list[Ahead]:
                return [Ahead(at(m, n), plan.columns, range(0, 32, 16), "float")]

            both = (memory, w.pointer(memory, self.own, "i8"))
            how = epilogue, places if in_place else None
            write_amx_product(plan, w, (a_base, b_base), both, (part[0], part[1]), *how)
        with w.function("packing", ["ptr"] * 3 + ["i64"] * 2, public=True) as (a_base, b_base, to, *part):
            plan.write_packing(w, a_base, b_base, to, (part[0], part[1]))
        self.module = machine.Module(w.module_text())
        count = ctypes.c_int64, ctypes.c_int64
        self.packing = self.module.function("packing", *[ctypes.c_void_p] * 3, *count)
        self.function = self.module.function("product", *[ctypes.c_void_p] * 4, *count)

    def __call__(self, parts: Any = None, start: Any = CANARY) -> numpy.ndarray:
        size = self.plan.rows * self.plan.columns
        result = numpy.full(size + 64, CANARY, "float32")
        result[:size] = numpy.broadcast_to(start, self.shape).reshape(-1)
        self.memory[:-64] = 0xFF  # NaN
        for unit in reversed(range(self.plan.packing_units)):
            self.packing(*(x.ctypes.data for x in (self.a, self.b, self.memory)), unit, unit + 1)
        for begin, end in parts or [(0, self.plan.units)]:
            arrays = (self.a, self.b, result, self.memory)
            self.function(*(x.ctypes.data for x in arrays), begin, end)
        assert (result[size:] == CANARY).all(), "written beyond the result"
        assert (self.memory[-64:] == CANARY).all(), "written beyond the memory"
        return result[:size].reshape(self.shape)


def errors(found: numpy.ndarray, a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """The error of each element as a part of Σₖ|aₖbₖ|, in units of rounding."""
    exact, scale = (
        a.astype("float64") @ b.astype("float64"),
        abs(a).astype("float64") @ abs(b).astype("float64"),
    )
    return abs(found - exact) / (scale + 1e-30) / UNIT


def factors(m: int, k: int, n: int, layouts: tuple[str, str]) -> tuple[numpy.ndarray, numpy.ndarray]:
    return (
        laid_out(numbers((m, k), "float32", 1), layouts[0]),
        laid_out(numbers((k, n), "float32", 2), layouts[1]),
    )


@st.composite
def products(draw: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    size = st.one_of(st.sampled_from([1, 15, 16, 17, 31, 32, 33, 48, 64]), st.integers(1, 100))
    layouts = draw(st.sampled_from(LAYOUTS)), draw(st.sampled_from(LAYOUTS))
    return factors(draw(size), draw(size), draw(size), layouts)


@needs_amx
@settings(max_examples=40, deadline=None)
@given(products(), st.sampled_from([1, 6]))
def test_any_product_is_right(product, streams):
    a, b = product
    # What is left out of a product, and a rounding for each of six sums; on average much less.
    assert errors(ByAmx(a, b, streams=streams)(), a, b).max() <= 8


@needs_amx
@settings(max_examples=20, deadline=None)
@given(products(), st.sampled_from([1, 6]))
def test_in_place_every_element_is_updated_once(product, streams):
    a, b = product
    start = numbers((len(a), b.shape[1]), "float32", 3)
    found = ByAmx(a, b, in_place=True, streams=streams)(start=start)
    expected = start - (a.astype("float64") @ b) * 0.125
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@needs_amx
@settings(max_examples=20, deadline=None)
@given(products(), st.sampled_from([1, 6]), st.data())
def test_parts_give_the_same_bits(product, streams, data):
    compiled = ByAmx(*product, streams=streams)
    units = compiled.plan.units
    cuts = sorted(data.draw(st.lists(st.integers(0, units), max_size=4)))
    parts = data.draw(st.permutations(list(zip([0, *cuts], [*cuts, units], strict=True))))
    numpy.testing.assert_array_equal(compiled(parts), compiled())


@needs_amx
@pytest.mark.parametrize("layouts", [(a, b) for a in LAYOUTS for b in LAYOUTS], ids="-".join)
@pytest.mark.parametrize("shape, streams", [((70, 300, 210), 1), ((210, 290, 100), 1), ((130, 330, 250), 6)])
def test_how_it_is_cut_does_not_change_a_bit(monkeypatch, layouts, shape, streams):
    a, b = factors(*shape, layouts)
    whole = ByAmx(a, b, streams=streams)
    expected = whole()
    assert errors(expected, a, b).max() <= 8
    for name, size in {
        "_NEAR_BYTES": 4 * 2 * amx_packing.STEP_BYTES, "_PANEL": 2, "_LEAST_UNITS": 2, "_MOST_RESTING": 2,
        "_FINISHED": 3, "_MUCH_TO_PACK": 0,
    }.items():  # fmt: skip
        monkeypatch.setattr(amx, name, size)
        numpy.testing.assert_array_equal(ByAmx(a, b, streams=streams)(), expected)
    small = ByAmx(a, b, streams=streams).plan
    assert small.blocks > 1
    assert small.panel == 2
    assert small.group < small.others
    assert small.is_common
    assert not whole.plan.is_common


@needs_amx
@pytest.mark.parametrize("layouts", [(a, b) for a in LAYOUTS for b in LAYOUTS], ids="-".join)
def test_a_float32_is_the_sum_of_its_parts(layouts):
    generator = numpy.random.default_rng(0)
    bits = generator.integers(0, 2**32, (64, 64), dtype="uint32")
    x = bits.view("float32").copy()
    # Where the last bits of a part would be denormal, or the first part would be infinite, they are not.
    x[~((abs(x) > 1e-30) & (abs(x) < 3e38))] = 1 / 3
    x[0, 0], x[0, 1], x[1, 0] = numpy.nextafter(numpy.float32([1, 1, 65504]), numpy.float32([0, 2, 0]))
    one = numpy.eye(64, dtype="float32")
    for a, b in ((x, one), (one, x)):
        found = ByAmx(laid_out(a, layouts[0]), laid_out(b, layouts[1]))()
        numpy.testing.assert_array_equal(found, x)


@needs_amx
@pytest.mark.parametrize("left_out", [1, 2, 3, 4])
def test_a_product_of_parts_left_out_is_noticed(monkeypatch, left_out):
    fewer = [x for i, x in enumerate(amx.PRODUCTS) if i != left_out]
    monkeypatch.setattr(amx_product, "PRODUCTS", fewer)
    a, b = factors(64, 64, 64, ("rows", "rows"))
    assert errors(ByAmx(a, b)(), a, b).max() > 8


@needs_amx
def test_whole_numbers_are_exact():
    generator = numpy.random.default_rng(0)
    a, b = (generator.integers(-400, 401, shape).astype("float32") for shape in ((50, 100), (100, 70)))
    numpy.testing.assert_array_equal(ByAmx(a, b)(), a.astype("int64") @ b.astype("int64"))


@needs_amx
def test_it_is_more_accurate_than_sums_in_float32():
    a, b = factors(96, 700, 80, ("rows", "columns"))
    one_by_one = numpy.zeros((96, 80), "float32")
    for k in range(700):
        one_by_one += a[:, k, None] * b[k]
    of_amx, of_sums = (numpy.sqrt((errors(x, a, b) ** 2).mean()) for x in (ByAmx(a, b)(), one_by_one))
    assert of_amx < of_sums


@needs_amx
def test_large_numbers_do_not_disturb_small_ones():
    generator = numpy.random.default_rng(0)
    sizes = 10.0 ** generator.integers(-8, 9, 96)
    a, b = factors(96, 200, 96, ("rows", "rows"))
    a, b = (a * sizes[:, None]).astype("float32"), (b * sizes[::-1]).astype("float32")
    assert errors(ByAmx(a, b)(), a, b).max() <= 8


@needs_amx
@pytest.mark.parametrize("bad", [numpy.nan, numpy.inf, -numpy.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(bad):
    a, b = factors(70, 90, 50, ("rows", "columns"))
    a[3, 5] = b[7, 11] = bad
    found = ByAmx(a, b)()
    spoilt = numpy.zeros(found.shape, bool)
    spoilt[3], spoilt[:, 11] = True, True
    numpy.testing.assert_array_equal(numpy.isnan(found), spoilt)


@needs_amx
def test_what_overflows_and_what_is_denormal():
    one = numpy.ones((40, 40), "float32")
    # A little more than float32 has, and so much more that a negative part is infinite, too.
    for size, finds in ((1e20, numpy.isinf), (1e25, numpy.isnan)):
        a, b = (1.003 * size * one).astype("float32"), (1.001 * size * one).astype("float32")
        assert finds(ByAmx(a[:, :1].copy(), b[:1])()).all()
    small = one * numpy.float32(1e-19)
    assert (ByAmx(small, small)() == 0).all()
    a, b = factors(60, 100, 60, ("rows", "rows"))
    assert errors(ByAmx(a * numpy.float32(1e-30), b)(), a * numpy.float32(1e-30), b).max() <= 8


def buffers(*arrays: numpy.ndarray) -> list[Any]:
    return [buffer_of(x)[0] for x in arrays]


def test_what_it_is_chosen_for():
    a, b = factors(128, 256, 512, ("rows", "columns"))
    assert amx_contraction(*buffers(a, b), 1, 1e9) is not None
    assert amx_contraction(*buffers(a, b), 1, 1e3) is None
    wide = [x.astype("float64") for x in (a, b)]
    steps = [laid_out(a, "steps"), b]
    backward = [laid_out(a, "reversed"), b]
    repeated = [numpy.broadcast_to(a[:1], a.shape), b]
    several = [numpy.stack([a, a]), numpy.stack([b, b])]
    for not_these in (wide, steps, backward, repeated, several):
        assert amx_contraction(*buffers(*not_these), 1, 1e9) is None
    one_of_a_batch = [a[None], b[None]]
    assert amx_contraction(*buffers(*one_of_a_batch), 1, 1e9) is not None


@pytest.fixture
def without_amx(monkeypatch):
    def switch(text):
        monkeypatch.setenv("STEPGRAD_AMX", text)
        machine.has_amx.cache_clear()

    yield switch
    monkeypatch.undo()
    machine.has_amx.cache_clear()


def trained(compile: bool = True) -> tuple[str, list[numpy.ndarray]]:
    """How a step is computed, and the weights after three of them."""
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(150, 250), nn.ReLU(), nn.Linear(250, 97), nn.ReLU(), nn.Linear(97, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = sg.compile(step) if compile else step
    x, y = sg.randn(3, 200, 150), sg.randint(0, 10, (3, 200))
    for i in range(3):
        compiled(x[i], y[i])
    return compiled.explain() if compile else "", [p.detach().numpy().copy() for p in model.parameters()]


@needs_amx
def test_a_step_on_amx_is_the_same_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr("stepgrad.compile.assemble.WORK_FOR_THREADS", 0)
    monkeypatch.setattr("stepgrad.compile.threads._number", 1)
    text, weights = trained()
    assert "AMX in blocks of 32 × 32, packed as 3 parts in bfloat16 before, by each thread" in text
    for number in (2, 3):
        monkeypatch.setattr("stepgrad.compile.threads._number", number)
        for one, other in zip(weights, trained()[1], strict=True):
            numpy.testing.assert_array_equal(one, other)
    for native, eager in zip(weights, trained(compile=False)[1], strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-4, atol=1e-6)


@needs_amx
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("rows, hidden", [(64, 64), (37, 50)])
def test_a_recurrence_on_amx(monkeypatch, kind, rows, hidden):
    monkeypatch.setattr("stepgrad.compile.assemble.WORK_FOR_THREADS", 0)
    monkeypatch.setattr(amx, "_SAVED", 0)
    sg.manual_seed(0)
    layer, x = kind(20, hidden), sg.randn(9, rows, 20)

    def step(x):
        layer.zero_grad()
        y, _ = layer(x)
        loss = (y * y).mean()
        loss.backward()
        return y, *(p.grad for p in layer.parameters())

    def on(number: int) -> list[numpy.ndarray]:
        monkeypatch.setattr("stepgrad.compile.threads._number", number)
        compiled = sg.compile(step)
        found = [y.detach().numpy().copy() for y in compiled(x)]
        assert compiled.explain().count("rows, in each") == 2
        assert "AMX" in compiled.explain().partition("rows, in each")[2].splitlines()[0]
        return found

    native = on(1)
    for one, other in zip(native, on(2), strict=True):
        numpy.testing.assert_array_equal(one, other)
    for one, eager in zip(native, step(x), strict=True):
        numpy.testing.assert_allclose(one, eager.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_it_can_be_done_without(without_amx):
    without_amx("0")
    assert not machine.has_amx()
    text, weights = trained()
    assert "AMX" not in text
    for native, eager in zip(weights, trained(compile=False)[1], strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-4, atol=1e-6)
    without_amx("")
    on_its_own = machine.has_amx()
    without_amx("1")
    assert machine.has_amx() == on_its_own
    without_amx("yes")
    with pytest.raises(ArgumentError, match="STEPGRAD_AMX is 0 or 1, not 'yes'"):
        machine.has_amx()


def test_without_leave_of_the_system_vectors_do_it(without_amx, monkeypatch):
    without_amx("1")
    monkeypatch.setattr(machine, "host", lambda: ("sapphirerapids", "+avx512f,+amx-tile,+amx-bf16"))
    monkeypatch.setattr(machine.sys, "platform", "linux")

    class Refusing:
        def syscall(self, *_: int) -> int:
            return -1

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: Refusing())
    assert not machine.has_amx()
