"""What a module holds by name (parameters, submodules, buffers), and which names and values they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor

if TYPE_CHECKING:
    from stepgrad.nn.module import Module

# The tables in which a module holds what belongs to it, and how messages call what stands in each.
TABLES = {"_parameters": "parameter", "_modules": "module", "_buffers": "buffer"}


def kind(value: Any) -> str:
    """Return what a value is, for a message: ``int``, or ``the class Linear``."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def table_for(module: Module, name: str, value: Any, is_module: bool) -> str | None:
    """Return the table into which an assigned value goes; None for a plain attribute."""
    if isinstance(value, Parameter):
        return "_parameters"
    held = next((table for table in TABLES if name in module.__dict__[table]), None)
    if is_module and held != "_parameters":
        return "_modules"
    if held is None or value is None or (held == "_buffers" and isinstance(value, Tensor)):
        return held
    is_tensor = held == "_parameters" and isinstance(value, Tensor)
    way_out = " Wrap it in nn.Parameter(…)." if is_tensor else " Take it out first, with del."
    raise DtypeError(
        f"{name!r} is a {TABLES[held]} of {type(module).__name__}; it cannot become {kind(value)}.{way_out}"
    )


def register(module: Module, table: str, name: str, value: Any, wanted: type) -> None:
    """Put a value, None or of the class `wanted`, into a table; raise an error where it does not belong."""
    if value is not None and not isinstance(value, wanted):
        raise DtypeError(f"a {TABLES[table]} is a {wanted.__name__} or None, not {kind(value)}.")
    tables = module.__dict__
    if not isinstance(name, str) or name not in tables[table]:
        check_name(module, name, TABLES[table])
        if name in tables or any(name in tables[other] for other in TABLES):
            raise ArgumentError(f"{type(module).__name__} has an attribute {name!r} already.")
    tables[table][name] = value


def check_name(module: Module, name: str, what: str) -> None:
    """Raise an error where a parameter, module or buffer (`what`) cannot have that name."""
    check_text(name, what)
    if hasattr(type(module), name):
        # The class comes first when an attribute is looked up, so it would hide the parameter.
        raise ArgumentError(
            f"the class {type(module).__name__} has an attribute {name!r} already. "
            f"Give the {what} another name."
        )


def check_text(name: str, what: str) -> None:
    """Raise an error for a name that is no text, or cannot be part of a path."""
    if not isinstance(name, str):
        raise DtypeError(f"the name of a {what} is a text, not {name!r}.")
    if not name or "." in name:
        raise ArgumentError(f"a {what} needs a name without dots, not {name!r}.")


def forget(module: Module, name: str) -> bool:
    """Take a name out of the module; return whether it was there."""
    tables = module.__dict__
    found = name in tables
    tables.pop(name, None)
    for table in TABLES:
        if name in tables[table]:
            del tables[table][name]
            found = True
    tables["_not_saved"].discard(name)
    return found
