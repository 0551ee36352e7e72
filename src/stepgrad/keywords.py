"""Other names of arguments that PyTorch takes, for methods and functions in one place.

PyTorch takes NumPy's names beside its own, ``x.sum(axis=1, keepdims=True)``, the sizes of a shape as a
keyword, ``zeros(size=(2, 3))``, the first argument of a function as `input`, and a tensor for the result as
`out`. What a function takes is read from its signature; a call without these names pays next to nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from stepgrad.errors import ArgumentError, GradientError, ShapeError

# Other names for a parameter of this name, and for those that a few functions call differently.
_ALSO = {"axis": "dim", "keepdims": "keepdim"}
_FIRST = ("input", "x", "a", "x1")
_SECOND = {"x2": "other"}
_OWN = {
    "alpha_dropout": {"train": "training"},
    "bmm": {"mat2": "other"},
    "broadcast_to": {"size": "shape"},
    "dot": {"tensor": "other"},
    "dropout": {"train": "training"},
    "dsplit": {"indices": "indices_or_sections", "sections": "indices_or_sections"},
    "expand": {"size": "shape"},
    "feature_alpha_dropout": {"train": "training"},
    "hsplit": {"indices": "indices_or_sections", "sections": "indices_or_sections"},
    "isin": {"elements": "self"},
    "load": {"f": "path"},
    "mm": {"mat2": "other"},
    "mv": {"vec": "other"},
    "outer": {"vec2": "other"},
    "repeat": {"repeats": "sizes"},
    "save": {"f": "path"},
    "split": {"split_size_or_sections": "split_size", "tensor": "self"},
    "tensor_split": {"indices": "indices_or_sections", "sections": "indices_or_sections"},
    "view": {"size": "shape"},
    "vsplit": {"indices": "indices_or_sections", "sections": "indices_or_sections"},
}
# Written in Python in PyTorch, and so without NumPy's names.
_WITHOUT_ALSO = {"norm", "split", "unique"}
# Accepted without effect where a tensor is made: there is one layout, and memory is not pinned.
_WITHOUT_EFFECT = ("layout", "pin_memory", "memory_format")
# What has no `out`: results that share memory or are several, and a few others.
_NO_OUT = {
    "adjoint", "allclose", "argwhere", "as_strided", "as_tensor", "asarray", "frombuffer", "get_device",
    "is_complex", "is_nonzero", "is_same_size", "is_signed", "poisson", "put", "randint_like",
    "scalar_tensor", "swapdims", "typename", "unique_consecutive", "unravel_index",
    "atleast_1d", "atleast_2d", "atleast_3d",
    "block_diag", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "cartesian_prod", "cdist", "chunk",
    "clone", "combinations", "conj", "corrcoef", "cov", "detach", "diag_embed", "diagflat", "diagonal",
    "diagonal_scatter", "dsplit", "einsum", "empty_like", "equal", "flatten", "flip", "fliplr", "flipud",
    "from_dlpack", "from_numpy", "full_like", "graph", "hsplit", "index_fill", "index_put",
    "is_floating_point", "is_tensor", "isclose", "isfinite", "isinf", "isnan", "isreal", "logdet", "lu",
    "masked_fill", "masked_scatter", "meshgrid", "moveaxis", "movedim", "narrow", "numel", "ones_like",
    "permute", "pinverse", "positive", "rand_like", "randn_like", "ravel", "relu", "repeat_interleave",
    "reshape", "resolve_conj", "resolve_neg", "result_type", "roll", "rot90", "rsub", "select",
    "select_scatter", "slice_scatter", "split", "split_with_sizes", "squeeze", "swapaxes", "t", "tensor",
    "tensor_split", "tile", "trace", "transpose", "unbind", "unflatten", "unique", "unsafe_chunk",
    "unsafe_split", "unsqueeze", "vsplit", "zeros_like",
}  # fmt: skip
# The function as it was written, of one that takes other names.
_PLAIN: dict[Any, FunctionType] = {}


def name_methods(tensor_class: type) -> None:
    """Call the methods of a class by its public name in error messages, and have them take other names."""
    methods = [(name, method) for base in tensor_class.__mro__ for name, method in vars(base).items()]
    for name, method in methods:
        if isinstance(method, FunctionType) and getattr(tensor_class, name) is method:
            method.__qualname__ = f"{tensor_class.__name__}.{method.__name__}"
            method.__module__ = tensor_class.__module__
            if not name.startswith("_") and _has_other_names(method, name):
                setattr(tensor_class, name, _taking(method, name, has_out=False))


def name_functions(names: dict[str, Any], public: Iterable[str], has_out: bool = True) -> None:
    """Have the functions `public` in a module's `names` take other names, `input` and, if they may, `out`."""
    for name in public:
        function = _PLAIN.get(names[name], names[name])
        if isinstance(function, FunctionType):
            has_out_too = has_out and name not in _NO_OUT
            names[name] = _taking(function, name, is_function=True, has_out=has_out_too)


def _has_other_names(method: FunctionType, name: str) -> bool:
    """Return whether `_other_names` of a method has any, at a fraction of its cost: this runs at import."""
    code = method.__code__
    if code.co_flags & 4 or name in _OWN:
        return True
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return name not in _WITHOUT_ALSO and ("dim" in known or "keepdim" in known)


@functools.cache
def _other_names(function: FunctionType, name: str, is_function: bool) -> dict[str, str]:
    """Return by each other name the function's own, "" for those given one by one."""
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    known = code.co_varnames[:count]
    rest = code.co_varnames[count : count + 1] if code.co_flags & 4 else ()
    also = dict.fromkeys(rest, "")
    also |= {other: own for other, own in _OWN.get(name, {}).items() if own in known}
    also |= {other: "" for other, own in _OWN.get(name, {}).items() if own in rest}
    if name not in _WITHOUT_ALSO:
        also |= {other: own for other, own in _ALSO.items() if own in known}
    if is_function:
        if known[:1] in (("self",), ("input",)):
            also |= dict.fromkeys(_FIRST, known[0])
        also |= {other: own for other, own in _SECOND.items() if own in known}
    return {other: own for other, own in also.items() if other not in known}


def _taking(
    function: FunctionType, name: str, *, is_function: bool = False, has_out: bool
) -> Callable[..., Any]:
    """Return the function, which is called by `name`, taking other names as well."""
    code = function.__code__
    known = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    def taking(*args: Any, **kwargs: Any) -> Any:
        if not kwargs or known.issuperset(kwargs):
            return function(*args, **kwargs)
        out = kwargs.pop("out", None) if has_out or kwargs.get("out", 0) is None else None
        also = _other_names(function, name, is_function)
        # Those given one by one come last: what stands before them in the signature has its own name then.
        for other in sorted(also.keys() & kwargs.keys(), key=lambda other: not also[other]):
            value, own = kwargs.pop(other), also[other]
            if own in kwargs:
                raise ArgumentError(
                    f"{function.__name__}() was given {other!r} and {own!r}: they are the same."
                )
            if own:
                kwargs[own] = value
            else:
                positional = code.co_varnames[len(args) : code.co_argcount]
                args += (*(kwargs.pop(p) for p in positional if p in kwargs), value)
        if "dtype" in known and "device" in known:  # it makes a tensor
            for each in _WITHOUT_EFFECT:
                kwargs.pop(each, None)
        result = function(*args, **kwargs)
        return result if out is None else _stored(function.__name__, result, out)

    # `functools.wraps`, of which hundreds would be a tenth of the time that importing stepgrad takes.
    taking.__name__, taking.__qualname__ = function.__name__, function.__qualname__
    taking.__doc__, taking.__module__ = function.__doc__, function.__module__
    taking.__wrapped__ = function  # type: ignore[attr-defined]
    _PLAIN[taking] = function
    return taking


def _stored(name: str, result: Any, out: Any) -> Any:
    """Store a result, or several, in the tensors given as `out`, and return these."""
    if isinstance(result, tuple):
        return type(result)(*(_stored(name, r, o) for r, o in zip(result, out, strict=True)))
    if result.requires_grad or out.requires_grad:
        raise GradientError(f"{name}() with out= has no derivative. Use its result, or stepgrad.no_grad().")
    if out.shape == result.shape:
        return out._become(result)
    if out.numel():
        raise ShapeError(
            f"{name}(): out has the shape {list(out.shape)}, the result {list(result.shape)}. Give a tensor "
            f"of that shape, or an empty one."
        )
    out.data = result.to(out.dtype)
    return out
