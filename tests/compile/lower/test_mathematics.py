"""The scalar language in native code against higher precision and against NumPy."""

import math
import platform
import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from stepgrad.compile import machine
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.ops.namespace import NUMPY
from tests.compile.functions import Functions

KINDS = ("float32", "float64")
LANES = (1, 4, 8, 16)
# 64 bits of fraction, so that what is measured is the error of the function and not that of the reference.
PRECISE = numpy.finfo(numpy.longdouble).nmant >= 63


def erf(x: numpy.ndarray) -> numpy.ndarray:
    """2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, a series without cancellation."""
    size = numpy.minimum(abs(x), 8)
    term = total = size.copy()
    for n in range(1, 200):
        term = term * 2 * size * size / (2 * n + 1)
        total = total + term
    root = numpy.sqrt(numpy.longdouble("3.14159265358979323846264338327950288"))
    return numpy.where(numpy.isnan(x), x, numpy.copysign(2 / root * numpy.exp(-size * size) * total, x))


REFERENCES: dict[str, Callable[..., Any]] = {
    "exp": numpy.exp,
    "expm1": numpy.expm1,
    "log": numpy.log,
    "log1p": numpy.log1p,
    "tanh": numpy.tanh,
    "erf": erf,
}
EDGES = {
    "exp": (88.0, 88.72283, 88.73, -87.336, -87.4, -103.9, -104.0, 709.78, 709.79, -708.4, -745.1, -745.2),
    "expm1": (88.0, 88.72283, 709.78, -17.4, -37.5, 40.0, 39.99, 40.01),
    "log": (0.70710677, 0.7071068, 0.70710678118654746, 0.70710678118654757, 1.4142135, 1.4142136),
    "log1p": (-1.0, -0.99999994, -0.9999999999999999, -0.29289, 0.41421, 1e-8, -1e-8, 1e-17, 3e38, 1.7e308),
    "tanh": (9.01, 19.06, 22.0, 0.3, 1e-4),
    "erf": (0.46875, 0.477, 0.47693627, 0.5, 3.9, 4.0, 5.9, 6.0, 6.1),
}
COMMON = (0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, 2.0, math.pi)


def points(name: str, dtype: str) -> numpy.ndarray:
    """Edges and their neighbours, numbers of every size down to the smallest, and many where the function
    bends.
    """
    random = numpy.random.default_rng(3)
    info = numpy.finfo(dtype)
    edges = numpy.array(
        [*COMMON, *EDGES[name], info.max, info.min, info.tiny, info.smallest_subnormal], "float64"
    )
    with numpy.errstate(over="ignore"):
        edges = edges.astype(dtype)
        edges = numpy.concatenate(
            [edges, *(numpy.nextafter(edges, dtype_of(e, dtype)) for e in (math.inf, -math.inf))]
        )
    # All patterns of bits, so numbers of every size, the denormal ones and NaN among them.
    bits = random.integers(0, 1 << (info.bits - 1), 4000).astype(f"int{info.bits}")
    everywhere = bits.view(dtype)
    limit = 720.0 if dtype == "float64" else 92.0
    near = [random.uniform(-b, b, 3000) for b in (0.1, 0.6, 1.5, 4.0, 10.0, limit, 1.05 * limit)]
    x = numpy.concatenate([edges, everywhere, -everywhere, *(part.astype(dtype) for part in near)])
    if name == "log":
        return abs(x)
    return numpy.where(x < -1, abs(x), x) if name == "log1p" else x


def dtype_of(value: float, dtype: str) -> Any:
    return numpy.dtype(dtype).type(value)


def errors(found: numpy.ndarray, x: numpy.ndarray, name: str) -> numpy.ndarray:
    """How many units of the last place a result is off; infinite where a NaN or an infinity is in the
    wrong place.
    """
    with numpy.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(numpy.longdouble))
        rounded = exact.astype(x.dtype)
        ulp = numpy.spacing(abs(rounded)).astype(numpy.longdouble)
        off = abs(found.astype(numpy.longdouble) - exact) / ulp
    off[numpy.isnan(exact)] = numpy.where(numpy.isnan(found[numpy.isnan(exact)]), 0, math.inf)
    # Beyond the largest number an infinite result may be right although the exact one is not infinite,
    # and vice versa.
    large = numpy.isinf(rounded) | numpy.isinf(found)
    off[large] = numpy.where((found == rounded)[large], 0, math.inf)
    return off


def stated_bound(name: str) -> float:
    """The bound in ulp that the docstring states."""
    found = re.search(r"below ([\d.]+) ulp", getattr(Mathematics, name).__doc__ or "")
    assert found, f"{name} does not state its error"
    return float(found[1])


def unary(name: str) -> Callable[..., Any]:
    return lambda m, x: getattr(m, name)(x)


@pytest.fixture(scope="module", params=LANES)
def transcendental(request: pytest.FixtureRequest) -> Functions:
    bodies = {f"{name}_{kind}": (unary(name), (kind,), kind) for name in REFERENCES for kind in KINDS}
    return Functions(bodies, request.param)


@pytest.mark.skipif(not PRECISE, reason="this machine has no floating point type wider than float64")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REFERENCES)
def test_the_stated_error_holds_over_the_whole_range(transcendental: Functions, name: str, kind: str):
    x = points(name, kind)
    found = transcendental(f"{name}_{kind}", x)
    off = errors(found, x, name)
    worst = off.argmax()
    assert off[worst] <= stated_bound(name), (
        f"{name}({x[worst]!r}) = {found[worst]!r} is {off[worst]:.2f} ulp off"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_sign_of_zero_and_the_limits(transcendental: Functions, kind: str):
    zeros = numpy.array([0.0, -0.0], kind)
    for name in ("expm1", "log1p", "tanh", "erf"):
        assert_same_bits(transcendental(f"{name}_{kind}", zeros), zeros)
    ends = numpy.array([math.inf, -math.inf, math.nan], kind)
    expected = {
        "exp": (math.inf, 0, math.nan),
        "expm1": (math.inf, -1, math.nan),
        "log": (math.inf, math.nan, math.nan),
        "log1p": (math.inf, math.nan, math.nan),
        "tanh": (1, -1, math.nan),
        "erf": (1, -1, math.nan),
    }
    for name, limits in expected.items():
        numpy.testing.assert_array_equal(transcendental(f"{name}_{kind}", ends), numpy.array(limits, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_for_every_number_of_lanes(kind: str):
    bodies = {name: (unary(name), (kind,), kind) for name in REFERENCES}
    narrow, wide = Functions(bodies, 1), Functions(bodies, 16)
    for name in REFERENCES:
        x = points(name, kind)
        assert_same_bits(narrow(name, x), wide(name, x))


def test_the_same_bits_on_a_cpu_without_wide_vectors(monkeypatch: pytest.MonkeyPatch):
    bodies = {f"{name}_{kind}": (unary(name), (kind,), kind) for name in REFERENCES for kind in KINDS}
    here = Functions(bodies, 4)
    monkeypatch.setenv("STEPGRAD_CPU", "x86-64" if platform.machine() in ("x86_64", "AMD64") else "generic")
    machine.host.cache_clear()
    try:
        plain = Functions(bodies, 4)
    finally:
        monkeypatch.undo()
        machine.host.cache_clear()
    for name in REFERENCES:
        for kind in KINDS:
            x = points(name, kind)
            assert_same_bits(plain(f"{name}_{kind}", x), here(f"{name}_{kind}", x))


def assert_same_bits(found: numpy.ndarray, expected: numpy.ndarray) -> None:
    """Equal, zeros of the same sign, NaN where NaN."""
    assert found.dtype == expected.dtype
    numpy.testing.assert_array_equal(found, expected)
    if found.dtype.kind == "f":
        there = ~numpy.isnan(expected)
        numpy.testing.assert_array_equal(numpy.signbit(found)[there], numpy.signbit(expected)[there])


# ----------------------------------------------------------------------------------- exact functions

REALS = (
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    -2.5,
    0.49999997,
    1.0,
    -1.0,
    3.7,
    -3.7,
    1e-3,
    7.0,
    -7.0,
    8388607.5,
    4503599627370495.5,
    1e20,
    -1e20,
    1e-40,
    math.inf,
    -math.inf,
    math.nan,
)


def exact_cases() -> dict[str, tuple[Callable[..., Any], Callable[..., Any], int]]:
    """name → (what the language does, what NumPy does, operands); the results must have the same bits."""
    return {
        "sqrt": (lambda m, x: m.sqrt(x), numpy.sqrt, 1),
        "round": (lambda m, x: m.round(x), numpy.rint, 1),
        "floor": (lambda m, x: m.floor(x), numpy.floor, 1),
        "ceil": (lambda m, x: m.ceil(x), numpy.ceil, 1),
        "trunc": (lambda m, x: m.trunc(x), numpy.trunc, 1),
        "sign": (lambda m, x: m.sign(x), NUMPY.sign, 1),
        "abs": (lambda m, x: m.abs(x), numpy.abs, 1),
        "neg": (lambda m, x: -x, numpy.negative, 1),
        "reciprocal": (lambda m, x: 1 / x, lambda x: 1 / x, 1),
        "double": (lambda m, x: 2 * x - 1, lambda x: 2 * x - 1, 1),
        "relu": (lambda m, x: m.maximum(x, 0), lambda x: numpy.maximum(x, 0), 1),
        "below": (lambda m, x: m.minimum(0.5, x), lambda x: numpy.minimum(x, numpy.asarray(0.5, x.dtype)), 1),
        "add": (lambda m, a, b: a + b, numpy.add, 2),
        "sub": (lambda m, a, b: a - b, numpy.subtract, 2),
        "mul": (lambda m, a, b: a * b, numpy.multiply, 2),
        "div": (lambda m, a, b: a / b, numpy.divide, 2),
        "maximum": (lambda m, a, b: m.maximum(a, b), numpy.maximum, 2),
        "minimum": (lambda m, a, b: m.minimum(a, b), numpy.minimum, 2),
        "where": (lambda m, a, b: m.where(a > b, a, -b), lambda a, b: numpy.where(a > b, a, -b), 2),
        "choice": (
            lambda m, a, b: m.where(a > b, 1.5, b),
            lambda a, b: numpy.where(a > b, numpy.asarray(1.5, a.dtype), b),
            2,
        ),
        "always": (lambda m, a, b: m.where(True, a, b), lambda a, b: a, 2),
        "never": (lambda m, a, b: m.where(False, a, b), lambda a, b: b, 2),
        "floor_divide": (lambda m, a, b: m.floor_divide(a, b), numpy.floor_divide, 2),
        "remainder": (lambda m, a, b: m.remainder(a, b), numpy.remainder, 2),
        "square": (lambda m, x: m.power(x, 2), lambda x: x * x, 1),
        "cube": (lambda m, x: m.power(x, 3), lambda x: x * x * x, 1),
        "inverse": (lambda m, x: m.power(x, -1), lambda x: 1 / x, 1),
        "root": (lambda m, x: m.power(m.abs(x), 0.5), lambda x: numpy.sqrt(abs(x)), 1),
        "one": (lambda m, x: m.power(x, 0), lambda x: numpy.ones_like(x), 1),
    }


def pairs(values: Any, dtype: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    a, b = numpy.meshgrid(numpy.array(values).astype(dtype), numpy.array(values).astype(dtype))
    return a.ravel(), b.ravel()


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_exact_functions_have_the_bits_of_numpy(kind: str, lanes: int):
    cases = exact_cases()
    functions = Functions({name: (body, (kind,) * n, kind) for name, (body, _, n) in cases.items()}, lanes)
    with numpy.errstate(all="ignore"):
        a, b = pairs(REALS, kind)
        for name, (_, reference, n) in cases.items():
            operands = (a, b)[:n]
            found, expected = functions(name, *operands), reference(*operands).astype(kind)
            try:
                assert_same_bits(found, expected)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None


COMPARISONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "lt": (lambda m, a, b: a < b, numpy.less),
    "le": (lambda m, a, b: a <= b, numpy.less_equal),
    "gt": (lambda m, a, b: a > b, numpy.greater),
    "ge": (lambda m, a, b: a >= b, numpy.greater_equal),
    "eq": (lambda m, a, b: a == b, numpy.equal),
    "ne": (lambda m, a, b: a != b, numpy.not_equal),
    "and": (lambda m, a, b: m.logical_and(a, b), numpy.logical_and),
    "or": (lambda m, a, b: m.logical_or(a, b), numpy.logical_or),
    "xor": (lambda m, a, b: m.logical_xor(a, b), numpy.logical_xor),
    "not": (lambda m, a, b: m.logical_not(a), lambda a, b: numpy.logical_not(a)),
    "and_number": (lambda m, a, b: m.logical_and(True, b), lambda a, b: b.astype(bool)),
    "or_number": (lambda m, a, b: m.logical_or(False, b), lambda a, b: b.astype(bool)),
    "xor_number": (lambda m, a, b: m.logical_xor(True, b), lambda a, b: ~b.astype(bool)),
    "below_number": (lambda m, a, b: b > 1, lambda a, b: b > 1),
    "isnan": (lambda m, a, b: m.isnan(a), lambda a, b: numpy.isnan(a)),
    "isinf": (lambda m, a, b: m.isinf(a), lambda a, b: numpy.isinf(a)),
}
INTEGERS = (0, 1, -1, 2, -2, 7, -7, 100, -100, 127, -128)
UNSIGNED = (0, 1, 2, 7, 100, 127, 128, 200, 255)


def values_of(dtype: str) -> Any:
    if dtype == "bool":
        return (False, True)
    return REALS if dtype.startswith("float") else UNSIGNED if dtype == "uint8" else INTEGERS


ALL = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")


@pytest.mark.parametrize("dtype", ALL)
def test_comparisons_and_logic(dtype: str):
    functions = Functions(
        {name: (body, (dtype, dtype), "bool") for name, (body, _) in COMPARISONS.items()}, 8
    )
    with numpy.errstate(all="ignore"):
        a, b = pairs(values_of(dtype), dtype)
        for name, (_, reference) in COMPARISONS.items():
            numpy.testing.assert_array_equal(functions(name, a, b), reference(a, b), err_msg=name)


@pytest.mark.parametrize("dtype", ALL[1:6])
def test_integer_arithmetic_wraps_around_as_in_numpy(dtype: str):
    cases: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "add": (lambda m, a, b: a + b, numpy.add),
        "sub": (lambda m, a, b: a - b, numpy.subtract),
        "mul": (lambda m, a, b: a * b, numpy.multiply),
        "neg": (lambda m, a, b: -a, lambda a, b: numpy.negative(a)),
        "abs": (lambda m, a, b: m.abs(a), lambda a, b: numpy.abs(a)),
        "sign": (lambda m, a, b: m.sign(a), lambda a, b: numpy.sign(a)),
        "maximum": (lambda m, a, b: m.maximum(a, b), numpy.maximum),
        "minimum": (lambda m, a, b: m.minimum(a, b), numpy.minimum),
        "floor": (lambda m, a, b: m.floor(a), lambda a, b: a),
        "cube": (lambda m, a, b: m.power(a, 3), lambda a, b: a**3),
        "high_power": (lambda m, a, b: m.power(a, 11), lambda a, b: a**11),
        "divided_by_3": (lambda m, a, b: m.floor_divide(a, 3), lambda a, b: a // 3),
        "rest_by_3": (lambda m, a, b: m.remainder(a, 3), lambda a, b: a % 3),
        "where": (
            lambda m, a, b: m.where(a > b, a, 3),
            lambda a, b: numpy.where(a > b, a, numpy.asarray(3, a.dtype)),
        ),
    }
    if dtype != "uint8":
        cases["divided_by_minus_1"] = (lambda m, a, b: m.floor_divide(a, -1), lambda a, b: a // -1)
        cases["rest_by_minus_4"] = (lambda m, a, b: m.remainder(a, -4), lambda a, b: a % -4)
    functions = Functions({name: (body, (dtype, dtype), dtype) for name, (body, _) in cases.items()}, 8)
    with numpy.errstate(all="ignore"):
        a, b = pairs(values_of(dtype), dtype)
        for name, (_, reference) in cases.items():
            numpy.testing.assert_array_equal(functions(name, a, b), reference(a, b), err_msg=name)


def test_arithmetic_of_booleans():
    cases: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "add": (lambda m, a, b: a + b, numpy.add),
        "mul": (lambda m, a, b: a * b, numpy.multiply),
        "maximum": (lambda m, a, b: m.maximum(a, b), numpy.maximum),
        "minimum": (lambda m, a, b: m.minimum(a, b), numpy.minimum),
        "abs": (lambda m, a, b: m.abs(a), lambda a, b: a),
        "where": (lambda m, a, b: m.where(a, b, False), lambda a, b: a & b),
    }
    functions = Functions({name: (body, ("bool", "bool"), "bool") for name, (body, _) in cases.items()}, 4)
    a, b = pairs((False, True), "bool")
    for name, (_, reference) in cases.items():
        numpy.testing.assert_array_equal(functions(name, a, b), reference(a, b), err_msg=name)


@pytest.mark.parametrize("lanes", [1, 16])
def test_casts(lanes: int):
    bodies = {f"{a}_{b}": (lambda m, x, to=b: m.cast(x, dtype=to), (a,), b) for a in ALL for b in ALL}
    functions = Functions(bodies, lanes)
    for a in ALL:
        x = numpy.array(values_of(a)).astype(a)
        for b in ALL:
            # What an integer too large for its type becomes is not defined, in C, NumPy and LLVM alike.
            fits = (
                abs(x) <= 127
                if a.startswith("float") and b not in (*KINDS, "bool")
                else numpy.ones(len(x), bool)
            )
            if b == "uint8" and a.startswith("float"):
                fits &= x >= 0
            kept = x[fits]
            with numpy.errstate(all="ignore"):
                numpy.testing.assert_array_equal(
                    functions(f"{a}_{b}", kept), kept.astype(b), err_msg=f"{a} to {b}"
                )


# -------------------------------------------------------------------------------------------- powers


@pytest.mark.parametrize("kind", KINDS)
def test_general_powers(kind: str):
    random = numpy.random.default_rng(5)
    a = numpy.concatenate([random.uniform(0, 3, 400), random.uniform(-3, 3, 100)])
    b = numpy.concatenate([random.uniform(-9, 9, 400), random.integers(-9, 9, 100)])
    special = pairs((0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, math.inf, -math.inf, math.nan), "float64")
    a, b = numpy.concatenate([a, special[0]]).astype(kind), numpy.concatenate([b, special[1]]).astype(kind)
    functions = Functions({"pow": (lambda m, a, b: m.power(a, b), (kind, kind), kind)}, 4)
    with numpy.errstate(all="ignore"):
        assert_near(functions("pow", a, b), numpy.power(a.astype(numpy.longdouble), b), 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [2.0, 0.25, 10.0, 1.0, 0.0, -2.0])
def test_powers_of_a_number(number: float, kind: str):
    limit = 300 if kind == "float64" else 37
    b = numpy.concatenate(
        [numpy.linspace(-limit, limit, 900), numpy.arange(-9.0, 9), [math.inf, -math.inf, math.nan]]
    ).astype(kind)
    functions = Functions({"pow": (lambda m, b: m.power(number, b), (kind,), kind)}, 4)
    with numpy.errstate(all="ignore"):
        assert_near(functions("pow", b), numpy.power(numpy.longdouble(number), b.astype(numpy.longdouble)), 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [3.0, 4.0, -2.0, -3.0, 1.5, -0.5, 7.0, 0.3333])
def test_powers_to_a_number(number: float, kind: str):
    a = numpy.concatenate([numpy.linspace(-9, 9, 901), [math.inf, -math.inf, math.nan, -0.0]]).astype(kind)
    functions = Functions({"pow": (lambda m, a: m.power(a, number), (kind,), kind)}, 4)
    with numpy.errstate(all="ignore"):
        exponent = numpy.longdouble(numpy.dtype(kind).type(number))
        assert_near(functions("pow", a), numpy.power(a.astype(numpy.longdouble), exponent), 3)


def assert_near(found: numpy.ndarray, exact: numpy.ndarray, ulps: float) -> None:
    """Within some units of the last place of a reference in higher precision."""
    rounded = exact.astype(found.dtype)
    off = abs(found.astype(numpy.longdouble) - exact) / numpy.spacing(abs(rounded)).astype(numpy.longdouble)
    same = (found == rounded) | (numpy.isnan(found) & numpy.isnan(rounded))
    bad = ~same & ~(off <= ulps)
    assert not bad.any(), f"{found[bad][:5]} is {off[bad][:5]} ulp off {rounded[bad][:5]}"
