"""Matrix products in native code against NumPy in double precision: any sizes, strides, dtypes, parts."""

import ctypes
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stepgrad.compile import machine
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.products import contract, tiles
from stepgrad.compile.lower.products.ahead import Ahead
from stepgrad.compile.lower.products.contract import Contraction
from stepgrad.compile.lower.register import Register
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.value import NotCompiled

CANARY = 77.0
LAYOUTS = ("rows", "columns", "steps", "reversed")


def laid_out(x: numpy.ndarray, layout: str) -> numpy.ndarray:
    """The same matrices, lying in memory in one of several ways, with NaN around them."""
    *batch, m, n = x.shape
    if layout == "columns":
        return laid_out(x.swapaxes(-1, -2), "rows").swapaxes(-1, -2)
    step = 2 if layout == "steps" else 1
    around = numpy.full((*batch, step * m + 3, step * n + 5), numpy.nan, x.dtype)
    view = around[..., 2 : 2 + step * m : step, 3 : 3 + step * n : step]
    if layout == "reversed":
        view = view[..., ::-1, ::-1]
    view[...] = x
    return view


def buffer_of(x: numpy.ndarray) -> tuple[Buffer, numpy.ndarray]:
    """A view as the compiler describes it, and the array that has its memory."""
    base = x
    while isinstance(base.base, numpy.ndarray):
        base = base.base
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
    storage = Storage("argument", x.dtype, base.size)
    return Buffer(storage, x.shape, tuple(s // x.itemsize for s in x.strides), offset), base


class Compiled:
    """max(A B + bias, 0) as a function; or ``c -= A B / 8`` in place.

    `epilogues` counts how often the epilogue was written.
    """

    def __init__(
        self, a: numpy.ndarray, b: numpy.ndarray, width: int, in_place: bool = False, rows: int = 1,
        is_fetched: bool = False, streams: int = 1, packs_before: bool = False,
    ) -> None:  # fmt: skip
        (a_buffer, self.a), (b_buffer, self.b) = buffer_of(a), buffer_of(b)
        self.plan = plan = Contraction(a_buffer, b_buffer, width, rows, streams)
        if packs_before:
            assert plan.may_pack_before
            plan.pack_before()
        self.shape, self.dtype = (*b.shape[:-2], plan.rows, b.shape[-1]), a.dtype
        self.epilogues = 0
        self.scratch = numpy.full(plan.scratch_bytes // a.itemsize + 64, CANARY, a.dtype)
        w, element = Writer(), plan.element
        strides = tuple(s // 8 for s in numpy.empty(self.shape, "float64").strides)
        with w.function("product", ["ptr"] * 5 + ["i64"] * 2, public=True) as (
            a_base,
            b_base,
            c,
            bias,
            scratch,
            *part,
        ):

            def epilogue(
                batch: list[Register], m: Register, n: Register, x: Register, mask: int | None
            ) -> None:
                self.epilogues += 1
                at = c
                for index, stride in zip([*batch, m, n], strides, strict=True):
                    at = w.pointer(at, index * stride, element)
                if in_place:
                    x = w.load(at, element, x.lanes, mask) - x * 0.125
                else:
                    x = x + w.load(w.pointer(bias, n, element), element, x.lanes, mask)
                    x = w.select(x > 0.0, x, 0.0)
                w.store(x, at, mask)

            def places(batch: list[Register], m: Register, n: Register) -> list[Ahead]:
                at = w.pointer(w.pointer(c, m * strides[-2], element), n, element)
                return [Ahead(at, strides[-2], range(0, plan.pitch_b, 64 // plan.bytes), element)]

            units = tuple(part) if plan.units else None
            plan.write(w, a_base, b_base, epilogue, scratch, units, places if is_fetched else None)
        if packs_before:
            with w.function("packing", ["ptr"] * 3 + ["i64"] * 2, public=True) as (a_base, b_base, to, *part):
                plan.write_packing(w, a_base, b_base, to, (part[0], part[1]))
        self.text = w.module_text()
        self.module = machine.Module(self.text)
        if packs_before:
            self.packing = self.module.function(
                "packing", *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64
            )
        self.function = self.module.function(
            "product", *[ctypes.c_void_p] * 5, ctypes.c_int64, ctypes.c_int64
        )

    def __call__(self, bias: numpy.ndarray, parts: Any = None, start: Any = CANARY) -> numpy.ndarray:
        size = int(numpy.prod(self.shape))
        memory = numpy.full(size + 64, CANARY, self.dtype)
        memory[:size] = numpy.broadcast_to(start, self.shape).reshape(-1)
        if self.plan.packs_before:
            # In any order, each unit by another thread.
            self.scratch[:-64] = numpy.nan
            for unit in reversed(range(self.plan.packing_units)):
                self.packing(*(x.ctypes.data for x in (self.a, self.b, self.scratch)), unit, unit + 1)
        for begin, end in parts or [(0, self.plan.units)]:
            arrays = (self.a, self.b, memory, bias, self.scratch)
            self.function(*(x.ctypes.data for x in arrays), begin, end)
        assert (memory[size:] == CANARY).all(), "written beyond the result"
        assert (self.scratch[-64:] == CANARY).all(), "written beyond the scratch memory"
        return memory[:size].reshape(self.shape)


def assert_right(found: numpy.ndarray, a: numpy.ndarray, b: numpy.ndarray, expected: Any) -> None:
    """Equal to what double precision gives, but for the rounding of K sums."""
    scale = numpy.abs(a).astype("float64") @ numpy.abs(b).astype("float64") + 1
    error = abs(found - expected) / (scale * numpy.finfo(a.dtype).eps)
    assert error.max() <= a.shape[-1] + 4


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> numpy.ndarray:
    return numpy.random.default_rng(seed).standard_normal(shape).astype(dtype)


@st.composite
def products(draw: Any, largest: int = 40) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """A, B and a bias: small sizes most often, all layouts, batches that are repeated or not."""
    size = st.one_of(st.integers(1, 6), st.integers(1, largest))
    m, k, n = draw(size), draw(size), draw(size)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    batch = draw(st.sampled_from([(), (), (), (1,), (3,), (2, 3)]))
    a = laid_out(numbers((*batch, m, k), dtype, 1), draw(st.sampled_from(LAYOUTS)))
    b = laid_out(numbers((*batch, k, n), dtype, 2), draw(st.sampled_from(LAYOUTS)))
    repeated = draw(st.sampled_from(["none", "a", "b", "across", "along"]))
    if repeated == "a":
        a = numpy.broadcast_to(a[:1] if batch else a, a.shape)
    elif repeated == "b":
        b = numpy.broadcast_to(b[:1] if batch else b, b.shape)
    elif repeated == "across":
        b = numpy.broadcast_to(b[..., :1], b.shape)
    elif repeated == "along":
        a = numpy.broadcast_to(a[..., :1], a.shape)
    return a, b, numbers((n,), dtype, 3)


@st.composite
def products_of_windows(draw: Any) -> tuple[numpy.ndarray, numpy.ndarray, int]:
    """Windows of images, seen in memory, in the order of a convolution or of its derivative by the weight."""
    size = st.integers(1, 3)
    count, channels, columns = draw(size), draw(st.integers(1, 5)), draw(st.sampled_from([1, 3, 8, 16, 33]))
    height, width = draw(st.integers(3, 9)), draw(st.sampled_from([3, 4, 7, 16, 31]))
    (k, m), (s, t), dtype = (draw(size), draw(size)), (draw(size), draw(size)), draw(st.sampled_from("fd"))
    images = numbers((draw(st.sampled_from([1, 2])), count, height, width, channels), dtype, 1)
    every = numpy.lib.stride_tricks.sliding_window_view(images, (k, m), (2, 3))[:, :, ::s, ::t]
    is_forward = draw(st.booleans())
    order = (0, 1, 2, 3, 5, 6, 4) if is_forward else (0, 5, 6, 4, 1, 2, 3)
    a = every.transpose(order)
    if a.shape[0] == 1 and draw(st.booleans()):
        a = a[0]
    depth = int(numpy.prod(a.shape[-3:]))
    return a, numbers((*a.shape[:-6], depth, columns), dtype, 2), draw(st.sampled_from([16, 32, 64]))


@settings(max_examples=100, deadline=None)
@given(products_of_windows(), st.sampled_from([None, 64]))
def test_products_of_windows_where_they_lie(product, block):
    a, b, width = product
    flat = a.reshape(*b.shape[:-1][:-1], -1, b.shape[-2])
    bias = numbers((b.shape[-1],), a.dtype, 3)
    expected = numpy.maximum(flat.astype("float64") @ b + bias, 0)
    with pytest.MonkeyPatch.context() as patch:
        if block:
            # Blocks of the depth also where there is little of it.
            patch.setattr(contract, "_STRIP_BYTES", block)
            patch.setattr(contract, "_BLOCK_BYTES", block)
        compiled = Compiled(a, b, width, rows=3)
    assert_right(compiled(bias), flat, b, expected)
    if units := compiled.plan.units:
        assert_right(compiled(bias, [(i, i + 1) for i in range(units)]), flat, b, expected)


@settings(max_examples=100, deadline=None)
@given(products(), st.sampled_from([16, 32, 64]))
def test_any_product_is_right(product, width):
    a, b, bias = product
    found = Compiled(a, b, width)(bias)
    assert_right(found, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))


@settings(max_examples=25, deadline=None)
@given(products(), st.sampled_from([16, 32, 64]))
def test_in_place_every_element_is_updated_once(product, width):
    a, b, bias = product
    start = numbers((*a.shape[:-1], b.shape[-1]), str(a.dtype), 4)
    found = Compiled(a, b, width, in_place=True)(bias, start=start)
    assert_right(found, a, b, start - (a.astype("float64") @ b) * 0.125)


@settings(max_examples=25, deadline=None)
@given(products(120), st.sampled_from([16, 32, 64]), st.data())
def test_parts_give_the_same_bits(product, width, data):
    a, b, bias = product
    compiled = Compiled(a, b, width)
    units = compiled.plan.units
    assume(units > 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, units), max_size=4)))
    parts = data.draw(st.permutations(list(zip([0, *cuts], [*cuts, units], strict=True))))
    numpy.testing.assert_array_equal(compiled(bias, parts), compiled(bias))


@pytest.fixture
def small_caches(monkeypatch):
    """Caches so small that little matrices are cut into blocks as great ones are."""
    for name, size in {
        "_NEAR_BYTES": 256, "_STRIP_BYTES": 512, "_BLOCK_BYTES": 512, "_FAR_BYTES": 16, "_ROWS_BYTES": 512,
        "_LEAST_ROWS": 8, "_GROUP_STRIPS": 2,
    }.items():  # fmt: skip
        monkeypatch.setattr(contract, name, size)
    # Vectors along k need no blocks.
    monkeypatch.setattr(Contraction, "_dot_cycles", lambda self: numpy.inf)


@pytest.mark.parametrize("layout_a", LAYOUTS)
@pytest.mark.parametrize("layout_b", LAYOUTS)
@pytest.mark.parametrize("shape, width", [((37, 61, 50), 16), ((50, 96, 150), 32), ((61, 101, 211), 64)])
def test_blocks_of_the_depth_and_rows(small_caches, layout_a, layout_b, shape, width):
    m, k, n = shape
    a, b = (
        laid_out(numbers((m, k), "float32", 1), layout_a),
        laid_out(numbers((k, n), "float32", 2), layout_b),
    )
    bias = numbers((n,), "float32", 3)
    compiled = Compiled(a, b, width)
    plan = compiled.plan
    assert plan.blocks > 1
    assert plan.group_tiles < plan.tiles.count
    assert plan.packs_a == (layout_a in ("columns", "steps"))
    whole = compiled(bias)
    assert_right(whole, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))
    half = plan.units // 2
    numpy.testing.assert_array_equal(compiled(bias, [(half, plan.units), (0, half)]), whole)


@pytest.mark.parametrize("layout_b", LAYOUTS)
def test_blocks_do_not_change_a_bit(small_caches, monkeypatch, layout_b):
    a, b = numbers((30, 97), "float32", 1).T[:97, :30].T, laid_out(numbers((97, 70), "float32", 2), layout_b)
    bias = numbers((70,), "float32", 3)
    blocks = Compiled(a, b, 64)
    assert blocks.plan.blocks > 1
    monkeypatch.undo()
    monkeypatch.setattr(Contraction, "_dot_cycles", lambda self: numpy.inf)
    whole = Compiled(a, b, 64)
    assert whole.plan.blocks == 1
    numpy.testing.assert_array_equal(blocks(bias), whole(bias))


@pytest.mark.parametrize("layout_a", LAYOUTS)
@pytest.mark.parametrize("layout_b", LAYOUTS)
@pytest.mark.parametrize("shape, width", [((300, 70, 50), 16), ((281, 20, 150), 32), ((643, 101, 211), 64)])
def test_packing_before_changes_no_bit(monkeypatch, layout_a, layout_b, shape, width):
    m, k, n = shape
    a = laid_out(numbers((m, k), "float32", 1), layout_a)
    b = laid_out(numbers((k, n), "float32", 2), layout_b)
    bias = numbers((n,), "float32", 3)
    monkeypatch.setattr(contract, "_MUCH_TO_PACK", 0)
    monkeypatch.setattr(contract, "_NEAR_BYTES", 256)
    monkeypatch.setattr(contract, "_FAR_BYTES", 16)
    monkeypatch.setattr(Contraction, "_dot_cycles", lambda self: numpy.inf)
    before, plain = Compiled(a, b, width, streams=6, packs_before=True), Compiled(a, b, width, streams=6)
    assert not plain.plan.packs_before
    whole = plain(bias)
    assert_right(whole, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))
    numpy.testing.assert_array_equal(before(bias), whole)
    units = before.plan.units
    assert units >= 4
    numpy.testing.assert_array_equal(before(bias, [(i, i + 1) for i in reversed(range(units))]), whole)


@pytest.mark.parametrize("shape, dtype", [((40, 300, 50), "float32"), ((29, 263, 70), "float64")])
def test_fetching_the_next_rows_changes_no_bit(monkeypatch, shape, dtype):
    m, k, n = shape
    a, b, bias = (numbers(s, dtype, i) for i, s in enumerate([(m, k), (k, n), (n,)]))
    compiled = Compiled(a, b, 64)
    assert compiled.plan.fetches_a
    assert "@llvm.prefetch" in compiled.text
    monkeypatch.setattr(contract, "_ROWS_BYTES", 1 << 10)
    plain = Compiled(a, b, 64)
    assert not plain.plan.fetches_a
    whole = compiled(bias)
    assert_right(whole, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))
    numpy.testing.assert_array_equal(whole, plain(bias))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 18, 19, 20, 257, 258, 259, 260])
def test_how_many_go_together_changes_no_bit(monkeypatch, depth):
    a, b, bias = (numbers(s, "float32", i) for i, s in enumerate([(30, depth), (depth, 70), (70,)]))
    monkeypatch.setattr(Contraction, "_dot_cycles", lambda self: numpy.inf)
    for is_fetched in (False, True):
        monkeypatch.setattr(tiles, "_TOGETHER", 4)
        whole = Compiled(a, b, 64, is_fetched=is_fetched)(bias)
        assert_right(whole, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))
        monkeypatch.setattr(tiles, "_TOGETHER", 1)
        numpy.testing.assert_array_equal(Compiled(a, b, 64, is_fetched=is_fetched)(bias), whole)


@pytest.mark.parametrize("layout_b", LAYOUTS)
def test_parts_of_strips(layout_b):
    a, b = numbers((170, 60), "float32", 1), laid_out(numbers((60, 211), "float32", 2), layout_b)
    bias, compiled = numbers((211,), "float32", 3), Compiled(a, b, 64)
    plan = compiled.plan
    assert plan.parts == plan.grain == 4
    assert plan.units == 4 * plan.strips
    whole = compiled(bias)
    assert_right(whole, a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))
    for cut in range(1, plan.units):
        numpy.testing.assert_array_equal(compiled(bias, [(cut, plan.units), (0, cut)]), whole)


@pytest.mark.parametrize("cpu, width", [("x86-64", 16), ("haswell", 32)])
@pytest.mark.parametrize("layout_b", ["rows", "columns", "steps"])
def test_older_cpus(monkeypatch, cpu, width, layout_b):
    if not machine.host()[1].count("+avx2"):
        pytest.skip("this machine runs neither")
    monkeypatch.setattr(machine, "host", lambda: (cpu, ""))
    a, b = numbers((11, 19), "float32", 1), laid_out(numbers((19, 13), "float32", 2), layout_b)
    bias = numbers((13,), "float32", 3)
    assert_right(Compiled(a, b, width)(bias), a, b, numpy.maximum(a.astype("float64") @ b + bias, 0))


@pytest.mark.parametrize("shape", [(64, 64, 64), (7, 64, 61), (100, 33, 210), (1, 64, 70), (5, 300, 3)])
@pytest.mark.parametrize("layout_b", ["rows", "columns"])
def test_the_epilogue_is_written_at_most_twice(shape, layout_b):
    m, k, n = shape
    a, b = numbers((m, k), "float32", 1), laid_out(numbers((k, n), "float32", 2), layout_b)
    assert Compiled(a, b, 64).epilogues <= 2


def test_a_tiny_product_has_no_loops_and_no_scratch():
    compiled = Compiled(numbers((4, 2), "float32", 1), numbers((2, 2), "float32", 2).T, 64)
    assert compiled.plan.scratch_bytes == 0
    assert compiled.plan.units == 0
    assert compiled.epilogues == 4


def test_a_number_that_is_not_finite_stays_in_its_row_and_column():
    a, b, bias = numbers((9, 40), "float32", 1), numbers((40, 21), "float32", 2), numpy.zeros(21, "float32")
    a[3, 5], b[7, 20] = numpy.nan, numpy.inf
    for right in (b, laid_out(b, "columns")):
        found = Compiled(a, right, 64, in_place=True)(bias, start=0.0)
        clean = numpy.isfinite(found)
        assert not clean[3].any()
        assert not clean[:, 20].any()
        assert clean[numpy.arange(9) != 3, :20].all()


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_other_elements_are_not_compiled(dtype):
    x, _ = buffer_of(numpy.ones((3, 3), dtype))
    with pytest.raises(NotCompiled, match=f"a matrix product of {dtype}"):
        Contraction(x, x, 64)
