"""Whether results share memory with their inputs, against PyTorch, on the samples of its database."""

from typing import Any

import pytest

from tests.oracle.test_ops import MISSING, OPERATIONS, database
from tests.oracle.translate import Failures, described, samples_of, shared_by, tensors_in, to_stepgrad

pytestmark = pytest.mark.oracle

__all__ = ["database"]

# Operations whose results share memory in one of the two alone, and why that is meant.
DIFFERENT = {
    ("double", ""): {"memory_format=": "layouts other than the row-major one are not kept"},
    ("masked.prod", ""): {"float64[], mask=None": "PyTorch hands out the number itself for its product"},
}


@pytest.mark.parametrize("name, variant", OPERATIONS, ids=lambda x: x)
@pytest.mark.filterwarnings("ignore")
def test_memory_is_shared_where_pytorch_shares_it(
    name: str, variant: str, database: dict[tuple[str, str], Any]
):
    op, ours = database[name, variant], OPERATIONS[name, variant]
    failures = Failures(MISSING.get((name, variant), {}) | DIFFERENT.get((name, variant), {}))
    for sample in samples_of(op, "sample_inputs"):
        arguments = [
            x.detach().contiguous() if hasattr(x, "detach") else x for x in (sample.input, *sample.args)
        ]
        text = described([*arguments, sample.kwargs])
        if failures.skips(text):
            continue
        try:
            right = op(*arguments, **sample.kwargs)
        except Exception:
            continue
        translated, keywords = to_stepgrad(arguments), to_stepgrad(sample.kwargs)
        failures.checked += 1
        try:
            found = ours(*translated, **keywords)
            theirs_in, ours_in = (
                list(tensors_in(x)) for x in ([arguments, sample.kwargs], [translated, keywords])
            )
            for theirs, mine in zip(tensors_in([right]), tensors_in([found]), strict=True):
                if theirs.numel():
                    assert shared_by(mine, ours_in) == shared_by(theirs, theirs_in)
        except Exception as error:
            failures.add(text, error)
    failures.report(all_used=False)
