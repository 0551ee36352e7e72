"""In what two sets of named tensors differ, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepgrad.files.header import shown


def shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor or array by its name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def differences(
    wanted: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    wanted_by: str = "model",
    found_in: str = "file",
) -> list[str]:
    """Return what is missing, unexpected or of another shape in `found`, every name with it; empty if they
    agree.

    >>> differences({"a": (2,), "b": (3,)}, {"b": (4,), "c": ()})
    ["missing in the file: 'a'", "not in the model: 'c'",
     "of another shape: 'b' is (4,) in the file, (3,) in the model"]
    """
    missing = [shown(name) for name in wanted if name not in found]
    unexpected = [shown(name) for name in found if name not in wanted]
    reshaped = [
        f"{shown(name)} is {found[name]} in the {found_in}, {wanted[name]} in the {wanted_by}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    return [
        f"{title}: {', '.join(names)}"
        for title, names in (
            (f"missing in the {found_in}", missing),
            (f"not in the {wanted_by}", unexpected),
            ("of another shape", reshaped),
        )
        if names
    ]


def as_sentences(parts: Iterable[str]) -> str:
    """Return each part as a sentence.

    >>> as_sentences(["missing in the file: 'A'", "not in the model: 'B'"])
    "Missing in the file: 'A'. Not in the model: 'B'."
    """
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)
