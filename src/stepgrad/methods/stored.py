"""In-place forms: ``x.sin_()`` stores in x what ``x.sin()`` returns, and returns x."""

from __future__ import annotations

from typing import Any

from stepgrad.methods.in_place import InPlaceMethods

# Examples of their own of those whose results in the other one's example have another dtype or shape.
_EXAMPLES = {
    "eq": "[1.0, 2.0]).eq_(2)\ntensor([0., 1.])",
    "ne": "[1.0, 2.0]).ne_(2)\ntensor([1., 0.])",
    "lt": "[1.0, 2.0]).lt_(2)\ntensor([1., 0.])",
    "le": "[1.0, 3.0]).le_(2)\ntensor([1., 0.])",
    "gt": "[1.0, 3.0]).gt_(2)\ntensor([0., 1.])",
    "ge": "[1.0, 2.0]).ge_(2)\ntensor([0., 1.])",
    "logical_and": "[0.0, 2.0]).logical_and_(sg.tensor([1.0, 1.0]))\ntensor([0., 1.])",
    "logical_or": "[0.0, 2.0]).logical_or_(sg.tensor([0.0, 0.0]))\ntensor([0., 1.])",
    "logical_xor": "[0.0, 2.0]).logical_xor_(sg.tensor([1.0, 1.0]))\ntensor([1., 0.])",
    "logical_not": "[0.0, 2.0]).logical_not_()\ntensor([1., 0.])",
    "float_power": "[2.0, 3.0], dtype=sg.float64).float_power_(2)\ntensor([4., 9.], dtype=stepgrad.float64)",
    "mul": "[1.0, 2.0]).mul_(10)\ntensor([10., 20.])",
    "div": "[1.0, -7.0]).div_(2)\ntensor([ 0.5000, -3.5000])",
}
_IMPORT = ">>> import stepgrad as sg\n"


def _stored(name: str) -> Any:
    def method(self: InPlaceMethods, *args: Any, **kwargs: Any) -> Any:
        return self._become(getattr(self._as_tensor(), name)(*args, **kwargs))

    method.__doc__ = f"Store the result of `{name}`, with the same arguments, in this tensor."
    method.__name__ = method.__qualname__ = f"{name}_"
    return method


class StoredMethods(InPlaceMethods):
    """The in-place forms that need no code of their own; for what raises an error see `InPlaceMethods`."""

    abs_, absolute_, negative_, sign_, sgn_ = map(_stored, ("abs", "absolute", "negative", "sign", "sgn"))
    ceil_, floor_, round_, trunc_, fix_, frac_ = map(
        _stored, ("ceil", "floor", "round", "trunc", "fix", "frac")
    )
    exp2_, expm1_, log_, log1p_, log2_, log10_ = map(
        _stored, ("exp2", "expm1", "log", "log1p", "log2", "log10")
    )
    rsqrt_, square_, reciprocal_ = map(_stored, ("rsqrt", "square", "reciprocal"))
    sin_, cos_, tan_, sinc_ = map(_stored, ("sin", "cos", "tan", "sinc"))
    asin_, acos_, atan_, atan2_ = map(_stored, ("asin", "acos", "atan", "atan2"))
    sinh_, cosh_, asinh_, acosh_, atanh_ = map(_stored, ("sinh", "cosh", "asinh", "acosh", "atanh"))
    erf_, erfc_, erfinv_, lgamma_, digamma_, i0_ = map(
        _stored, ("erf", "erfc", "erfinv", "lgamma", "digamma", "i0")
    )
    logit_, nan_to_num_, deg2rad_, rad2deg_ = map(_stored, ("logit", "nan_to_num", "deg2rad", "rad2deg"))
    subtract_, multiply_, divide_, true_divide_ = map(
        _stored, ("subtract", "multiply", "divide", "true_divide")
    )
    floor_divide_, remainder_, fmod_, float_power_ = map(
        _stored, ("floor_divide", "remainder", "fmod", "float_power")
    )
    hypot_, copysign_, xlogy_, heaviside_, ldexp_ = map(
        _stored, ("hypot", "copysign", "xlogy", "heaviside", "ldexp")
    )
    lerp_, addcmul_, addcdiv_, clamp_min_, clamp_max_, clip_ = map(
        _stored, ("lerp", "addcmul", "addcdiv", "clamp_min", "clamp_max", "clip")
    )
    addmm_, addmv_, addr_, baddbmm_ = map(_stored, ("addmm", "addmv", "addr", "baddbmm"))
    cumsum_, cumprod_, renorm_, tril_, triu_ = map(_stored, ("cumsum", "cumprod", "renorm", "tril", "triu"))
    scatter_, scatter_add_, scatter_reduce_ = map(_stored, ("scatter", "scatter_add", "scatter_reduce"))
    index_add_, index_copy_, index_fill_, index_put_ = map(
        _stored, ("index_add", "index_copy", "index_fill", "index_put")
    )
    put_, masked_scatter_ = map(_stored, ("put", "masked_scatter"))
    bitwise_and_, bitwise_or_, bitwise_xor_, bitwise_not_ = map(
        _stored, ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
    )
    arcsin_, arccos_, arctan_, arctan2_ = map(_stored, ("arcsin", "arccos", "arctan", "arctan2"))
    arcsinh_, arccosh_, arctanh_ = map(_stored, ("arcsinh", "arccosh", "arctanh"))
    eq_, ne_, lt_, le_, gt_, ge_ = map(_stored, ("eq", "ne", "lt", "le", "gt", "ge"))
    greater_, greater_equal_, less_, less_equal_, not_equal_ = map(
        _stored, ("greater", "greater_equal", "less", "less_equal", "not_equal")
    )
    logical_and_, logical_or_, logical_xor_, logical_not_ = map(
        _stored, ("logical_and", "logical_or", "logical_xor", "logical_not")
    )
    bitwise_left_shift_, bitwise_right_shift_ = map(_stored, ("bitwise_left_shift", "bitwise_right_shift"))
    addbmm_, index_reduce_, mvlgamma_, polygamma_ = map(
        _stored, ("addbmm", "index_reduce", "mvlgamma", "polygamma")
    )
    gcd_, lcm_ = map(_stored, ("gcd", "lcm"))


def show_examples(tensor_class: type) -> None:
    """Give each of these methods of a class the example of the method whose result it stores."""
    for name, method in vars(StoredMethods).items():
        if name.startswith("_"):
            continue
        function = getattr(tensor_class, name[:-1])
        own = _EXAMPLES.get(function.__name__)
        shown = f">>> sg.tensor({own}" if own else function.__doc__.partition(_IMPORT)[2]
        indent = "" if own else " " * 8
        shown = shown.replace(f".{function.__name__}(", f".{name}(").replace(
            f"{function.__name__}_(", f"{name}("
        )
        method.__doc__ = f"{method.__doc__}\n\n{indent}{_IMPORT}{shown}"
