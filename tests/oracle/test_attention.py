"""Attention as a function of given projections, against PyTorch."""

import itertools

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.nn import functional
from tests.oracle.translate import compare

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

FEATURES, HEADS, QUERIES, KEYS, BATCH = 4, 2, 3, 5, 2
CASES = list(
    itertools.product((True, False), (True, False), (True, False), ("", "bool", "each"), (False, True))
)


@pytest.mark.parametrize("has_batch, separate, further, mask, averaged", CASES)
def test_multi_head_attention_forward(has_batch, separate, further, mask, averaged):
    import torch

    random = np.random.default_rng(0)
    middle = (BATCH,) if has_batch else ()
    sizes = [(n, *middle, FEATURES) for n in (QUERIES, KEYS, KEYS)]
    sizes += [
        (3 * FEATURES, FEATURES),
        (3 * FEATURES,),
        (1, 1, FEATURES),
        (1, 1, FEATURES),
        (FEATURES, FEATURES),
    ]
    sizes += [(FEATURES,)] + [(FEATURES, FEATURES)] * 3
    arrays = [random.normal(size=size) for size in sizes]
    hidden = random.random((BATCH if has_batch else 1, KEYS)) < 0.3
    hidden[:, 0] = False
    added = random.normal(size=(len(hidden) * HEADS, QUERIES, KEYS))
    results = []
    for lib, f in ((torch, torch.nn.functional), (sg, functional)):
        q, k, v, weight, bias, bias_k, bias_v, out, out_bias, *one_by_one = given = [
            lib.tensor(a, requires_grad=True) for a in arrays
        ]
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        more = dict(zip(names, one_by_one, strict=True)) if separate else {}
        if mask:
            more["key_padding_mask"] = lib.tensor(hidden if has_batch else hidden[0])
            more["attn_mask"] = lib.tensor(added if mask == "each" else added[0] > 1)
        results.append((given, f.multi_head_attention_forward(
            q, k, v, FEATURES, HEADS, None if separate else weight, bias, bias_k if further else None,
            bias_v if further else None, further, 0.3, out, out_bias, False, need_weights=True,
            use_separate_proj_weight=separate, average_attn_weights=averaged, **more,
        )))  # fmt: skip
    (theirs_in, theirs), (ours_in, ours) = results
    compare(theirs, ours, theirs_in, ours_in)


def test_without_weights():
    import torch

    random = np.random.default_rng(1)
    arrays = [random.normal(size=size) for size in ((3, 2, 4), (12, 4), (4, 4))]
    found = []
    for lib in (torch, sg):
        x, weight, out = (lib.tensor(a) for a in arrays)
        y, weights = lib.nn.functional.multi_head_attention_forward(
            x, x, x, 4, 2, weight, None, None, None, False, 0.0, out, None, need_weights=False
        )
        assert weights is None
        found.append(y.numpy())
    np.testing.assert_allclose(*found, rtol=1e-9)
