"""Attention and transformers: by hand, masks, options, native against eager, files, messages."""

import math
import re

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.nn import functional as F


def drawn(*shape, seed=0, requires_grad=False):
    return sg.tensor(numpy.random.default_rng(seed).normal(size=shape), requires_grad=requires_grad)


def by_hand(q, k, v, mask=None, scale=None):
    scores = q @ k.swapaxes(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    if mask is not None:
        scores = scores + mask
    e = numpy.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def test_by_hand():
    q, k, v = drawn(2, 3, 4), drawn(2, 5, 4, seed=1), drawn(2, 5, 6, seed=2)
    arrays = [x.numpy() for x in (q, k, v)]
    numpy.testing.assert_allclose(F.scaled_dot_product_attention(q, k, v).numpy(), by_hand(*arrays))
    mask = numpy.random.default_rng(3).normal(size=(3, 5))
    found = F.scaled_dot_product_attention(q, k, v, sg.tensor(mask), scale=0.3)
    numpy.testing.assert_allclose(found.numpy(), by_hand(*arrays, mask, 0.3))
    allowed = mask > -0.5
    found = F.scaled_dot_product_attention(q, k, v, sg.tensor(allowed))
    right = by_hand(*arrays, numpy.where(allowed, 0.0, -numpy.inf))
    numpy.testing.assert_allclose(found.numpy(), right)


def test_numbers_of_a_mask_do_not_change_the_type():
    x, mask = sg.ones(2, 3, 4, dtype=sg.float64), nn.Transformer.generate_square_subsequent_mask(3)
    assert F.scaled_dot_product_attention(x, x, x, mask).dtype == sg.float64
    assert F.scaled_dot_product_attention(*[x.half()] * 3, mask).dtype == sg.float16
    attention = nn.MultiheadAttention(4, 2).to(sg.float64)
    assert attention(x, x, x, key_padding_mask=sg.zeros(3, 2))[0].dtype == sg.float64


def test_causal_is_a_mask():
    q, k, v = drawn(4, 3), drawn(6, 3, seed=1), drawn(6, 2, seed=2)
    mask = sg.tensor(numpy.tri(4, 6) > 0)
    causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert causal.tolist() == F.scaled_dot_product_attention(q, k, v, mask).tolist()
    numpy.testing.assert_allclose(causal[0].tolist(), v[0].tolist())


@pytest.mark.parametrize("kind", ["booleans", "numbers"])
def test_a_query_that_may_look_at_nothing_gets_nothing(kind):
    q, k, v = (drawn(2, 3, seed=i, requires_grad=True) for i in range(3))
    allowed = numpy.array([[True, False], [False, False]])
    mask = sg.tensor(allowed if kind == "booleans" else numpy.where(allowed, 0.0, -numpy.inf))
    y = F.scaled_dot_product_attention(q, k, v, mask)
    assert y[1].tolist() == [0.0, 0.0, 0.0]
    numpy.testing.assert_allclose(y[0].tolist(), v[0].tolist())
    for g in sg.autograd.grad(y.sum(), (q, k, v)):
        assert g.isfinite().all().item()


def test_heads_that_share_keys():
    q, k, v = drawn(2, 6, 3, 4), drawn(2, 2, 5, 4, seed=1), drawn(2, 2, 5, 3, seed=2)
    shared = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    repeated = [sg.tensor(numpy.repeat(x.numpy(), 3, 1)) for x in (k, v)]
    numpy.testing.assert_allclose(shared.numpy(), F.scaled_dot_product_attention(q, *repeated).numpy())
    with pytest.raises(ShapeError, match=r"heads in dimension −3, a multiple of those .*not 5, 2 and 2"):
        F.scaled_dot_product_attention(drawn(5, 3, 4), k[0], v[0], enable_gqa=True)


def test_second_derivatives():
    x = [drawn(3, 2, seed=i, requires_grad=True) for i in range(3)]
    sg.autograd.gradgradcheck(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), x)


def test_dropout_of_weights():
    sg.manual_seed(0)
    q, v = sg.zeros(1, 2), sg.ones(1000, 1)
    y = F.scaled_dot_product_attention(q, sg.zeros(1000, 2), v, dropout_p=0.5)
    assert y.item() == pytest.approx(1.0, abs=0.1)
    assert y.item() != 1.0


# --------------------------------------------------------------------------------------- native and eager

MODULES = {
    "attention": lambda: nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True),
    "keys added": lambda: nn.MultiheadAttention(8, 4, add_bias_kv=True, add_zero_attn=True),
    "encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True), 2, nn.LayerNorm(8)
    ),
    "norm first": lambda: nn.TransformerEncoderLayer(8, 2, 12, norm_first=True, bias=False),
    "transformer": lambda: nn.Transformer(8, 2, 1, 2, 12, batch_first=True),
}


def called(name, module, x):
    if isinstance(module, nn.MultiheadAttention):
        mask = sg.tensor(numpy.tri(x.shape[1 - (not module.batch_first)]) == 0)
        return module(x, x, x, attn_mask=mask)[0]
    if name == "transformer":
        mask = nn.Transformer.generate_square_subsequent_mask(4, dtype=x.dtype)
        return module(x, x[:, :4] * 0.5, tgt_mask=mask)
    return module(x)


@pytest.mark.parametrize("dtype", [sg.float32, sg.float64])
@pytest.mark.parametrize("name", MODULES)
def test_a_native_step_is_the_eager_one(name, dtype):
    ends = []
    for compiled in (False, True):
        sg.manual_seed(0)
        module = MODULES[name]().to(dtype)
        optimizer = sg.optim.SGD(module.parameters(), lr=0.05)

        def step(x, module=module, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (called(name, module, x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = sg.compile(step) if compiled else step
        losses = [run(drawn(5, 6, 8, seed=seed).to(dtype)).item() for seed in range(3)]
        ends.append([*losses, *(p.detach().numpy() for p in module.parameters())])
    tolerance = 1e-10 if dtype is sg.float64 else 1e-4
    for native, eager in zip(*ends[::-1]):
        numpy.testing.assert_allclose(native, eager, rtol=tolerance, atol=tolerance)


# ------------------------------------------------------------------------------------------------- modules


def test_weights_of_all_heads_or_their_mean():
    attention = nn.MultiheadAttention(6, 3, batch_first=True, dtype=sg.float64)
    x = drawn(2, 4, 6)
    y, mean = attention(x, x, x)
    same, each = attention(x, x, x, average_attn_weights=False)
    assert (mean.shape, each.shape) == ((2, 4, 4), (2, 3, 4, 4))
    numpy.testing.assert_allclose(each.mean(1).tolist(), mean.tolist())
    numpy.testing.assert_allclose(each.sum(-1).tolist(), numpy.ones((2, 3, 4)))
    assert y.tolist() == same.tolist() == attention(x, x, x, need_weights=False)[0].tolist()
    assert attention(x, x, x, need_weights=False)[1] is None
    alone, weights = attention(x[0], x[0], x[0])
    assert (alone.shape, weights.shape) == ((4, 6), (4, 4))
    numpy.testing.assert_allclose(alone.tolist(), y[0].tolist(), atol=1e-15)


def test_padding_is_not_looked_at():
    attention = nn.MultiheadAttention(4, 2, batch_first=True, dtype=sg.float64)
    x = drawn(2, 5, 4)
    padding = sg.tensor([[False] * 3 + [True] * 2, [False] * 5])
    y, weights = attention(x, x, x, key_padding_mask=padding)
    short, _ = attention(x[:1, :3], x[:1, :3], x[:1, :3])
    numpy.testing.assert_allclose(y[0, :3].tolist(), short[0].tolist(), atol=1e-15)
    assert weights[0, :, 3:].abs().max().item() == 0
    mask = sg.tensor(numpy.triu(numpy.full((5, 5), -numpy.inf), 1))
    both, weights = attention(x, x, x, key_padding_mask=padding, attn_mask=mask)
    assert weights[0, 4].tolist()[3:] == [0.0, 0.0]
    assert weights[1, 0].tolist()[1:] == [0.0] * 4
    assert both.isfinite().all().item()


def test_layers_of_a_stack_begin_alike_and_are_trained_apart():
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2)
    first, second = (layer.linear1.weight for layer in stack.layers)
    assert first is not second
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("name", MODULES)
def test_a_model_file_brings_it_back(name, tmp_path):
    model = MODULES[name]().eval()
    sg.save(model, tmp_path / "model.safetensors")
    again = sg.load(tmp_path / "model.safetensors").eval()
    x = drawn(3, 6, 8).to(sg.float32)
    assert called(name, again, x).tolist() == called(name, model, x).tolist()


def test_initial_weights():
    sg.manual_seed(0)
    attention = nn.MultiheadAttention(64, 4)
    bound = math.sqrt(6 / (64 + 3 * 64))
    assert 0.9 * bound < attention.in_proj_weight.abs().max().item() <= bound
    assert attention.in_proj_bias.abs().max().item() == attention.out_proj.bias.abs().max().item() == 0


WRONG = [
    (lambda: nn.MultiheadAttention(7, 2), ArgumentError, "its heads share evenly, not 7 for 2"),
    (lambda: nn.MultiheadAttention(4, 2)(*[sg.zeros(3, 2, 5)] * 3), ShapeError, "with 4, 4 and 4 features"),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[sg.zeros(3, 2, 4)] * 3, is_causal=True),
        ArgumentError, "with is_causal=True needs the attn_mask as well",
    ),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[sg.zeros(3, 2, 4)] * 3, attn_mask=sg.zeros(2, 2)),
        ShapeError, r"attn_mask of shape \[3, 3\] or \[4, 3, 3\], not \[2, 2\]",
    ),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[sg.zeros(3, 2, 4)] * 3, key_padding_mask=sg.zeros(3, 2)),
        ShapeError, r"key_padding_mask of shape \[2, 3\], not \[3, 2\]",
    ),
    (
        lambda: F.scaled_dot_product_attention(*[sg.zeros(2, 2)] * 3, sg.zeros(2, 2), is_causal=True),
        ArgumentError, "takes attn_mask or is_causal, not both",
    ),
    (
        lambda: F.scaled_dot_product_attention(sg.zeros(2, 3), sg.zeros(2, 4), sg.zeros(2, 4)),
        ShapeError, r"not \[2, 3\], \[2, 4\] and \[2, 4\]",
    ),
    (
        lambda: F.scaled_dot_product_attention(sg.arange(4).reshape(2, 2), sg.zeros(2, 2), sg.zeros(2, 2)),
        DtypeError, "takes floating point tensors; its query is int64",
    ),
    *(
        (
            lambda kind=kind: F.scaled_dot_product_attention(*[sg.zeros(2, 2)] * 3, sg.ones(2, 2).to(kind)),
            DtypeError,
            "scaled_dot_product_attention takes attn_mask of booleans, True for what may be looked at, or of "
            f"numbers to add, which are float32 as the query is, not {kind.name}. "
            + re.escape("Convert it with .bool() or with .to(query.dtype)."),
        )
        for kind in (sg.int64, sg.uint8, sg.float64)
    ),
    *(
        (
            lambda name=name, kind=kind: nn.MultiheadAttention(4, 2)(
                *[sg.zeros(3, 3, 4)] * 3, **{name: sg.ones(3, 3).to(kind)}
            ),
            DtypeError, f"takes {name} of booleans, True for what may not be looked at.*not {kind.name}",
        )
        for name in ("attn_mask", "key_padding_mask")
        for kind in (sg.int64, sg.uint8)
    ),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="sine"), ArgumentError, "'relu', 'gelu' or a fun"),
    (
        lambda: nn.Transformer(4, 2, 1, 1, 8)(sg.zeros(3, 2, 4), sg.zeros(3, 1, 4)),
        ShapeError, r"src and tgt of 4 features and one batch, not \[3, 2, 4\] and \[3, 1, 4\]",
    ),
]  # fmt: skip


@pytest.mark.parametrize("fails, error, message", WRONG)
def test_what_does_not_fit_is_named(fails, error, message):
    with pytest.raises(error, match=message):
        fails()


def test_the_function_names_what_it_does_not_take():
    x, weight = sg.ones(2, 1, 4), sg.ones(12, 4)

    def called(x, **more):
        return F.multi_head_attention_forward(
            x, x, x, 4, 2, weight, None, None, None, False, 0.0, weight[:4], None, **more
        )

    assert called(x)[0].shape == (2, 1, 4)
    with pytest.raises(
        ShapeError, match=r"takes query, key and value \(length, batch, features\).*\[2, 1, 3\]"
    ):
        called(sg.ones(2, 1, 3))
    with pytest.raises(ArgumentError, match="computes keys and values: static_k is None"):
        called(x, static_k=x)
    with pytest.raises(ArgumentError, match="needs in_proj_weight, or with use_separate_proj_weight=True"):
        called(x, use_separate_proj_weight=True)
    with pytest.raises(ArgumentError, match="is_causal=True needs the attn_mask"):
        called(x, is_causal=True)
