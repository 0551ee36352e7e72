"""Data types and promotion: PyTorch's rules, written down as a table, and the messages."""

import pickle

import numpy
import pytest

import stepgrad as sg
from stepgrad.arrays import dtypes
from stepgrad.errors import DtypeError

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
# Row and column by NAMES: the result of an operation on two tensors with dimensions.
TABLE = """
bool    uint8   int8    int16   int32   int64   float16 float32 float64
uint8   uint8   int16   int16   int32   int64   float16 float32 float64
int8    int16   int8    int16   int32   int64   float16 float32 float64
int16   int16   int16   int16   int32   int64   float16 float32 float64
int32   int32   int32   int32   int32   int64   float16 float32 float64
int64   int64   int64   int64   int64   int64   float16 float32 float64
float16 float16 float16 float16 float16 float16 float16 float32 float64
float32 float32 float32 float32 float32 float32 float32 float32 float64
float64 float64 float64 float64 float64 float64 float64 float64 float64
"""


@pytest.mark.parametrize("row", range(9))
def test_promotion_of_two_types(row: int):
    expected = TABLE.split()[9 * row : 9 * row + 9]
    assert [sg.promote_types(NAMES[row], other).name for other in NAMES] == expected
    a = sg.ones(2, dtype=getattr(sg, NAMES[row]))
    assert [(a + sg.ones(2, dtype=getattr(sg, other))).dtype.name for other in NAMES] == expected


@pytest.mark.parametrize(
    "a, b, expected",
    [
        # A tensor with dimensions decides over one without, and that over a number, within a category.
        (("float32", 1), ("float64", 0), "float32"),
        (("float16", 1), ("float64", 0), "float16"),
        (("int8", 1), ("int64", 0), "int8"),
        (("int8", 1), ("float64", 0), "float64"),
        (("int8", 0), ("float64", 0), "float64"),
        (("bool", 1), ("uint8", 0), "uint8"),
        (("int32", 1), 1, "int32"),
        (("int32", 0), 1, "int32"),
        (("int32", 1), 1.5, "float32"),
        (("bool", 1), 1, "int64"),
        (("bool", 1), True, "bool"),
        (("bool", 1), 1.5, "float32"),
        (("float16", 1), 1.5, "float16"),
        (("float16", 0), 1.5, "float16"),
        (("float64", 0), 1.5, "float64"),
    ],
)
def test_dimensions_and_numbers(a, b, expected: str):
    operands = [sg.ones((2,) * x[1], dtype=getattr(sg, x[0])) if isinstance(x, tuple) else x for x in (a, b)]
    assert (operands[0] + operands[1]).dtype.name == expected
    assert (operands[1] + operands[0]).dtype.name == expected
    assert sg.result_type(*operands).name == expected


def test_division_and_functions_make_floats():
    assert (sg.tensor([1]) / sg.tensor([2])).dtype is sg.float32
    assert (sg.tensor([True]) / 2).dtype is sg.float32
    assert sg.tensor([1]).exp().dtype is sg.float32
    assert (sg.tensor([7]) // 2).dtype is sg.int64
    assert (7 // sg.tensor([2])).tolist() == [3]
    assert (sg.tensor([1, 2]) ** 2).dtype is sg.int64
    assert (sg.tensor([1, 2]) ** 2.0).dtype is sg.float32
    assert sg.where(sg.tensor([True, False]), 1.0, 0.0).dtype is sg.float32
    assert sg.where(sg.tensor([True, False]), 1, 0).dtype is sg.int64


def test_whole_numbers_are_divided_exactly():
    big = 10**15 + 1
    assert (sg.tensor([big]) // 1).tolist() == [big]
    assert sg.tensor([-7, 7]).div(2, rounding_mode="floor").tolist() == [-4, 3]
    assert sg.tensor([-7, 7]).div(2, rounding_mode="trunc").tolist() == [-3, 3]
    assert sg.tensor([7, -7]).div(sg.tensor([-2, -2]), rounding_mode="trunc").tolist() == [-3, 3]
    assert (sg.tensor([-7, 7]) % 3).tolist() == [2, 1]
    assert (10 % sg.tensor([3, 4])).tolist() == [1, 2]
    for divide in (lambda x: x // 0, lambda x: x % 0, lambda x: 1 // (x * 0)):
        with pytest.raises(sg.errors.ArgumentError, match=r"integers cannot be divided by zero.*\.float\(\)"):
            divide(sg.tensor([1]))
    assert (sg.tensor([1.0]) // 0).tolist() == [float("inf")]


def test_numbers_with_a_dtype_keep_their_digits():
    assert sg.tensor(0.1, dtype=sg.float64).item() == 0.1
    assert sg.tensor([[1 / 3]], dtype="float64").item() == 1 / 3
    assert sg.as_tensor([0.1], dtype=sg.float64).item() == 0.1
    assert sg.full((1,), 0.1, dtype=sg.float64).item() == 0.1
    assert sg.tensor(2**53 + 1).item() == 2**53 + 1


def test_sums_and_products_of_integers_are_wide():
    for name in NAMES[:6]:
        x = sg.ones(3, dtype=getattr(sg, name))
        assert x.sum().dtype is sg.int64
        assert x.prod().dtype is sg.int64
    assert sg.full((300,), 1, dtype=sg.uint8).sum().item() == 300
    assert sg.tensor([1, 2]).sum(dtype=sg.float64).dtype is sg.float64
    assert sg.tensor([1, 2]).prod(dtype=sg.float32).dtype is sg.float32


def test_names_of_a_dtype():
    for given in ("float64", "double", numpy.float64, numpy.dtype("float64"), sg.float64, sg.double):
        assert dtypes.as_dtype(given) is sg.float64
    assert dtypes.as_dtype(float) is sg.float32
    assert dtypes.as_dtype(int) is sg.int64
    assert dtypes.as_dtype(bool) is sg.bool
    assert repr(sg.float32) == "stepgrad.float32"
    assert (sg.half, sg.float, sg.long, sg.int, sg.short) == (
        sg.float16,
        sg.float32,
        sg.int64,
        sg.int32,
        sg.int16,
    )
    assert (sg.float64.itemsize, sg.bool.itemsize) == (8, 1)
    assert (sg.float64.is_floating_point, sg.int8.is_floating_point) == (True, False)
    assert pickle.loads(pickle.dumps(sg.float64)) is sg.float64  # noqa: S301 - how worker processes get it


@pytest.mark.parametrize("given", ["complex64", "flot32", complex, numpy.uint16, []], ids=repr)
def test_what_is_no_dtype(given):
    with pytest.raises(DtypeError, match="is not a data type of stepgrad; it has bool, uint8"):
        dtypes.as_dtype(given)


def test_arrays_of_other_dtypes():
    for array in (numpy.ones(1, "uint16"), numpy.ones(1, "complex64"), numpy.ones(1, ">f4")):
        with pytest.raises(DtypeError, match=r"stepgrad has no data type .*\.astype\('float32'\)"):
            sg.from_numpy(array)


def test_the_default_dtype():
    try:
        sg.set_default_dtype(sg.float64)
        assert sg.get_default_dtype() is sg.float64
        made = [
            sg.tensor(1.0),
            sg.tensor([1, 2.5]),
            sg.zeros(1),
            sg.rand(1),
            sg.Tensor([1]),
            sg.tensor(1) / 2,
        ]
        assert {t.dtype for t in made} == {sg.float64}
        assert dtypes.as_dtype(float) is sg.float64
        assert repr(sg.tensor(1.0)) == "tensor(1.)"
    finally:
        sg.set_default_dtype(sg.float32)
    with pytest.raises(DtypeError, match=r"must be a floating point type, not stepgrad.int64"):
        sg.set_default_dtype(sg.int64)


def test_the_type_of_nothing():
    with pytest.raises(DtypeError, match="at least one operand"):
        dtypes.result_type([])
