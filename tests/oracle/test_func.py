"""`func` against PyTorch's: the same expressions of the same numbers."""

import numpy as np
import pytest

import stepgrad as sg
from tests.oracle.translate import assert_same

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")

# Expressions of x (3, 4), w (2, 4), b (2,) and m, the library; f = m.func.
CASES = """
f.grad(lambda x: x.sin().prod())(x)
f.grad(f.grad(lambda x: x.sin() * x))(x[0, 0])
f.vmap(f.grad(lambda x: x.tanh().prod()))(x)
f.jacrev(lambda x: m.nn.functional.linear(x, w, b).tanh())(x)
f.jacfwd(lambda x: m.nn.functional.linear(x, w, b).tanh())(x[0])
f.jacrev(lambda w, b: m.nn.functional.linear(x, w, b).exp(), argnums=(0, 1))(w, b)[1]
f.jacrev(lambda p: {"y": p["w"] @ x[0]})({"w": w})["y"]["w"]
f.hessian(lambda x: x.softmax(-1).pow(2).sum())(x)
f.vmap(f.hessian(lambda x: x.softmax(-1)))(x)
f.vjp(lambda x: x @ w.T, x)[1](x @ w.T)[0]
f.jvp(lambda x: x.softmax(-1), (x,), (x * 2,))[1]
f.linearize(lambda x: x.softmax(-1), x)[1](x * 2)
f.vmap(f.jvp, in_dims=(None, 0, 0))(lambda x: x.exp(), (x,), (x,))[1]
f.vmap(lambda a, b: m.outer(a, b), in_dims=(1, None), out_dims=2)(x, b)
f.vmap(lambda x: m.topk(x, 2)[1])(x)
m.autograd.grad(x2.sin(), x2, m.stack([x, x * 2]), is_grads_batched=True)[0]
m.autograd.grad((x2 * x2).sum(), iter([x2]))[0]
"""


@pytest.mark.parametrize("expression", CASES.strip().split("\n"))
def test_the_same_numbers(expression):
    found, right = [], []
    for m, into in ((sg, found), (torch, right)):
        rng = np.random.default_rng(0)
        x, w, b = (m.tensor(rng.standard_normal(shape)) for shape in ((3, 4), (2, 4), (2,)))
        names = {"m": m, "f": m.func, "x": x, "w": w, "b": b, "x2": x.clone().requires_grad_()}
        into.append(eval(expression, names))  # noqa: S307 - written above
    assert_same(found[0], right[0], 1e-7)
