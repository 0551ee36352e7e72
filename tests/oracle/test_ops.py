"""Values and gradients of operations against PyTorch, on the samples of PyTorch's own operation database."""

from collections.abc import Callable
from typing import Any

import pytest

import stepgrad as sg
from stepgrad.nn import functional
from tests.oracle.array_functions import ARRAY_FUNCTIONS
from tests.oracle.sequences import SEQUENCE_MISSING, SEQUENCE_OPERATIONS
from tests.oracle.spatial import MISSING_SPATIAL, NOT_COMPARED_SPATIAL, SPATIAL
from tests.oracle.translate import (
    TOLERANCE,
    Failures,
    compare,
    described,
    samples_of,
    tensors_in,
    to_stepgrad,
)

pytestmark = pytest.mark.oracle


# (name, variant) in PyTorch's database → the same in stepgrad.
OPERATIONS: dict[tuple[str, str], Callable[..., Any]] = dict(ARRAY_FUNCTIONS)
FUNCTIONAL = [
    "linear", "embedding", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "softplus",
    "logsigmoid", "layer_norm", "batch_norm", "mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "cross_entropy", "one_hot",
]  # fmt: skip
FUNCTIONAL += [
    "softmin", "normalize", "hardswish", "glu", "celu", "selu", "hardsigmoid", "mish", "softsign",
    "tanhshrink", "threshold", "softshrink", "hardshrink", "hardtanh", "relu6", "rrelu",
    "kl_div", "soft_margin_loss", "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "hinge_embedding_loss", "cosine_embedding_loss", "triplet_margin_loss",
    "poisson_nll_loss", "gaussian_nll_loss", "linear_cross_entropy", "cosine_similarity",
    "pairwise_distance", "pdist", "bilinear", "rms_norm",
]  # fmt: skip
OPERATIONS |= {(f"nn.functional.{name}", ""): getattr(functional, name) for name in FUNCTIONAL}

# PyTorch's gradient of ctc_loss is that of the scores before log_softmax (which changes no log-probability).
OPERATIONS["nn.functional.ctc_loss", ""] = lambda x, *lengths, **kwargs: functional.ctc_loss(
    x.log_softmax(-1), *lengths, **kwargs
)
OPERATIONS["nn.functional.triplet_margin_with_distance_loss", ""] = (
    lambda *vectors, distance_function=None, **kwargs: functional.triplet_margin_with_distance_loss(
        *vectors, distance_function=distance_function and functional.pairwise_distance, **kwargs
    )
)
OPERATIONS["nn.functional.embedding_bag", ""] = lambda weight, indices, **kwargs: functional.embedding_bag(
    indices, weight, **kwargs
)
OPERATIONS["nn.functional.softmin", "with_dtype"] = functional.softmin
OPERATIONS["nn.functional.embedding", ""] = lambda weight, indices, **kwargs: functional.embedding(
    indices, weight, **kwargs
)
OPERATIONS |= {
    (name, ""): getattr(sg, name)
    for name in ("gcd", "lcm", "unique_consecutive", "scalar_tensor", "histogram")
}
OPERATIONS["unravel_index", ""] = sg.unravel_index
OPERATIONS["nn.functional.feature_alpha_dropout", "without_train"] = functional.feature_alpha_dropout
METHODS = ("byte", "char", "new_zeros", "new_ones", "new_full")
OPERATIONS |= {(name, ""): getattr(sg.Tensor, name) for name in METHODS}
OPERATIONS |= SPATIAL
OPERATIONS |= SEQUENCE_OPERATIONS

# Their results are compared by what the database makes of them, which does not depend on signs of vectors.
UNIQUE_UP_TO_SIGNS = {"linalg.eigh", "linalg.svd", "svd"}

# Samples of what stepgrad does not have, by a piece of the text that describes them (see `described`).
MISSING: dict[tuple[str, str], dict[str, str]] = {
    ("cov", ""): {"aweights=float32": "the weights are float32, and so is what they sum to"},
    ("nn.functional.gaussian_nll_loss", ""): dict.fromkeys(
        [
            "(float64[5], float64[1], ",
            "(float64[5], float64[], ",
            "(float64[5, 5], float64[5], ",
            "(float64[5, 5], float64[5, 1], ",
            "(float64[5, 5, 5], float64[5, 5], ",
            "(float64[5, 5, 5], float64[5, 5, 1], ",
        ],
        "a target that would broadcast silently is refused",
    ),
    ("nn.functional.rrelu", ""): {"training=True": "the slopes are drawn at random"},
}

# A constant in PyTorch's derivative is rounded to float32.
ROUNDED = {"nn.functional.celu": 1e-7, "nn.functional.hardsigmoid": 1e-7}
MISSING |= MISSING_SPATIAL
MISSING |= SEQUENCE_MISSING

# Operations of which PyTorch's own reference inputs show that PyTorch is wrong, or not exact.
BETTER = {
    ("half", ""): "PyTorch rounds twice, by way of float32",
    ("digamma", ""): "PyTorch's derivative at the poles is a large number",
    ("special.polygamma", "special_polygamma_n_0"): "the same",
    ("special.log_ndtr", ""): "PyTorch's derivative has an error of 5e-9 at -1e4, and is NaN at -inf",
} | {("polygamma", f"polygamma_n_{n}"): "PyTorch's are NaN at infinity" for n in range(5)}

# Their derivatives are compared at finite inputs: at NaN PyTorch's depend on the place in memory, and that of
# softsign is NaN at infinity.
AT_FINITE_INPUTS = {
    f"nn.functional.{name}"
    for name in (
        "elu", "celu", "selu", "softshrink", "hardshrink", "hardtanh", "relu6", "softsign", "threshold",
        "relu", "tanhshrink",
    )
}  # fmt: skip

# Reference inputs that stepgrad refuses, as in MISSING.
REFUSED: dict[tuple[str, str], dict[str, str]] = {
    ("nn.functional.margin_ranking_loss", ""): {
        "(float64[5, 2], float64[5, 1], float64[1, 2]": "it would broadcast silently"
    },
    ("nn.functional.hinge_embedding_loss", ""): {
        "(float64[5, 5], float64[1, 5]": "it would broadcast silently"
    },
}

# Operations of which the name is all that stepgrad's have in common, or whose results are random.
NOT_COMPARED = {
    "bernoulli": "random",
    "bfloat16": "the name of a type that stepgrad does not have",
    "multinomial": "random",
    "nn.functional.dropout": "random",
    "nn.functional.alpha_dropout": "random",
    "nn.functional.feature_alpha_dropout with_train": "random",
    "nn.functional.multi_head_attention_forward": "random; see test_attention.py",
    "normal": "random",
    "rand_like": "random",
    "randint": "random",
    "randint_like": "random",
    "new_empty": "undefined numbers",
    "resize_": "undefined numbers",
    "resize_as_": "undefined numbers",
    "randn": "random",
    "randn_like": "random",
    "uniform": "random",
    "empty": "undefined numbers",
    "empty_like": "undefined numbers",
    "normal in_place": "random",
    "normal number_mean": "random",
    "zero_": "a leaf is not changed in place",
    "short": "a name of int16 alone",
    "to": "every sample has a memory format",
    "index_put": "a record, not a method",
    "index_add": "a record of another signature",
    "nn.functional.linear_cross_entropy chunked": "a way to save memory that stepgrad does not have",
    "nn.functional.linear_cross_entropy chunked_none": "the same",
    "nn.functional.silu complex": "complex numbers",
    "bmm triton_optimized": "GPU",
    "linspace tensor_overload": "bounds that are tensors",
    "logspace tensor_overload": "bounds that are tensors",
    "as_strided_scatter": "PyTorch's derivative by what is overwritten is not 0",
    "as_strided partial_views": "tensors that are windows into larger memory",
    "nn.functional.batch_norm without_cudnn": "the same samples as those of batch_norm",
}
NOT_COMPARED |= NOT_COMPARED_SPATIAL


@pytest.fixture(scope="module")
def database() -> dict[tuple[str, str], Any]:
    """PyTorch's operation database: its import takes many seconds, so it is done once, and only here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {(op.name, op.variant_test_name): op for op in op_db}


def test_every_operation_that_both_have_is_compared(database: dict[tuple[str, str], Any]):
    forgotten = []
    for name, variant in database:
        ours = hasattr(sg.Tensor, name) or name in vars(sg)
        if name.startswith("nn.functional."):
            ours = hasattr(functional, name.removeprefix("nn.functional."))
        text = f"{name} {variant}".strip()
        if ours and (name, variant) not in OPERATIONS and text not in NOT_COMPARED:
            forgotten.append(text)
    assert not forgotten


@pytest.mark.parametrize("kind", ["sample_inputs", "reference_inputs"])
@pytest.mark.parametrize("name, variant", OPERATIONS, ids=lambda x: x)
@pytest.mark.filterwarnings("ignore")
def test_operation(name: str, variant: str, kind: str, database: dict[tuple[str, str], Any]):
    if kind == "reference_inputs" and (name, variant) in BETTER:
        pytest.skip(BETTER[name, variant])
    op, ours = database[name, variant], OPERATIONS[name, variant]
    refused = REFUSED.get((name, variant), {}) if kind == "reference_inputs" else {}
    failures = Failures(MISSING.get((name, variant), {}) | refused)
    for sample in samples_of(op, kind):
        arguments = (sample.input, *sample.args)
        text = described([*arguments, sample.kwargs])
        if failures.skips(text):
            continue
        try:
            right = op(*arguments, **sample.kwargs)
        except Exception:
            continue
        if right is NotImplemented:
            continue
        translated, keywords = to_stepgrad(arguments), to_stepgrad(sample.kwargs)
        theirs_in = [x for x in tensors_in([arguments, sample.kwargs]) if x.requires_grad]
        ours_in = [x for x in tensors_in([translated, keywords]) if x.requires_grad]
        failures.checked += 1
        try:
            found = ours(*translated, **keywords)
            finish = sample.output_process_fn_grad if name in UNIQUE_UP_TO_SIGNS else lambda x: x
            compare(
                finish(right), finish(found), theirs_in, ours_in,
                ROUNDED.get(name, TOLERANCE), name in AT_FINITE_INPUTS,
            )  # fmt: skip
        except Exception as error:
            failures.add(text, error)
    failures.report(all_used=kind == "sample_inputs")


def test_there_are_enough(database: dict[tuple[str, str], Any]):
    """How many of the operations that PyTorch differentiates in float64 stepgrad has, compared above."""
    import torch

    compared = [
        key for key in OPERATIONS if database[key].supports_autograd and torch.float64 in database[key].dtypes
    ]
    assert len([key for key in compared if key not in MISSING and key not in BETTER]) >= 445
