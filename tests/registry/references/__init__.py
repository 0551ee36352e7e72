"""What every operation must give, stated apart from the records in plain Python, float64 NumPy and SciPy.

`REFERENCES[name](*inputs, **attributes)` takes float64, int64 and boolean arrays, numbers and None. Importing
this folder files those of every family; a new family is one more file and one more name here.
"""

from tests.registry.references import (
    activations,
    basic,
    losses,
    mathematics,
    matrices,
    more_losses,
    recurrent,
    scans,
    strided,
    windowing,
)
from tests.registry.references.filing import REFERENCES

__all__ = [
    "REFERENCES", "activations", "basic", "losses", "mathematics", "matrices", "more_losses", "recurrent",
    "scans", "strided", "windowing",
]  # fmt: skip
