"""Programs drawn at random: elementwise operations, reductions, views, products and indices, one on
another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.tensor import Tensor

Draw = Callable[[Any], Any]
SIZES = (0, 1, 1, 2, 3, 4, 5, 8, 9, 17)


@dataclass
class Program:
    """Inputs, and steps of which each makes one more value of those that there are.

    `exact` says of each value whether every machine must make the same bits of it: no sums in an order of
    one's own, and no function that is rounded differently here and there. Only of such values is asked what
    jumps (which is larger, the next integer).
    """

    inputs: list[Tensor]
    steps: list[Callable[[list[Tensor]], Tensor]] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    with_gradients: bool = False

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run it: all values that were made, the last of them with its gradients if it is to have them."""
        values = list(inputs)
        for step in self.steps:
            values.append(step(values))
        results = values[len(inputs) :]
        wanted = [x for x in inputs if x.requires_grad]
        y = results[-1]
        if self.with_gradients and wanted and y.requires_grad:
            gradients = sg.autograd.grad((y * y).sum(), wanted, allow_unused=True)
            results += [g for g in gradients if g is not None]
        return results

    def __repr__(self) -> str:
        inputs = [f"{x.dtype.name}{list(x.shape)} strides {x._array.strides}" for x in self.inputs]
        return "; ".join([*inputs, *self.names, f"gradients {self.with_gradients}"])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Draw a program of three to six operations."""
    program = Program([draw(inputs()) for _ in range(draw(st.integers(1, 3)))])
    values = list(program.inputs)
    program.exact = [True] * len(values)
    for _ in range(draw(st.integers(3, 6))):
        # Rather on what was made last, so that one thing is done to another.
        i = len(values) - 1 - draw(st.integers(0, len(values) - 1))
        choices = [make for make in KINDS if make(values, program, i, None) is not None]
        name, step, is_exact = draw(st.sampled_from(choices))(values, program, i, draw)
        program.steps.append(step)
        program.names.append(name)
        values.append(step(values))
        program.exact.append(is_exact)
    program.with_gradients = draw(st.booleans())
    return program


@st.composite
def inputs(draw: st.DrawFn) -> Tensor:
    """A tensor of quarters between −4 and 4, of any layout, in one of four dtypes."""
    shape = tuple(draw(st.lists(st.sampled_from(SIZES), max_size=3)))
    while numpy.prod(shape, dtype=int) > 300:
        shape = shape[1:]
    dtype = draw(st.sampled_from(["float64", "float64", "float32", "float32", "int64", "bool"]))
    random = numpy.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wide = random.integers(-16, 17, tuple(2 * n for n in shape)) / 4
    x = laid_out(
        wide.astype(dtype), shape, draw(st.sampled_from(["rows", "rows", "columns", "gaps", "backwards"]))
    )
    return sg.from_numpy(x).requires_grad_(dtype.startswith("float"))


def laid_out(wide: numpy.ndarray, shape: tuple[int, ...], layout: str) -> numpy.ndarray:
    """A part of `wide` as an array of a shape: in rows, in columns, with gaps or backwards."""
    part = wide[(..., *(slice(n) for n in shape))]
    if layout == "gaps":
        return wide[(..., *(slice(None, None, 2) for _ in shape))]
    if layout == "backwards":
        return part.copy()[(..., *(slice(None, None, -1) for _ in shape))]
    return part.copy(order="F" if layout == "columns" else "C")


# ------------------------------------------------------------------------------------------ operations
# Each is called with the values so far, the program, the place of one value and a function that draws.
# Without one it only says whether it can be applied (None: no); with one it returns a name, the step and
# whether the result is exact.


def is_small(x: Tensor) -> bool:
    """Whether products of a value stay far from overflow."""
    return not x.numel() or float(numpy.nan_to_num(abs(x._array.astype("float64"))).max()) < 50


EXACT: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": lambda x: -x if x.dtype is not sg.bool else ~x,
    "abs": lambda x: x.abs(),
    "relu": lambda x: (x * 1).relu(),
    "clamp": lambda x: (x * 1).clamp(-1, 2),
    "double": lambda x: x + x,
    "three": lambda x: x * 3,
    "less": lambda x: x * 1 - 0.5,
    "quarter": lambda x: x / 4,
    "where": lambda x: sg.where(x != 0, x, 1),
    "clone": lambda x: x.clone(),
    "float": lambda x: x.float() if x.dtype is not sg.float64 else x.double(),
}
JUMPING: dict[str, Callable[[Tensor], Tensor]] = {
    "sign": lambda x: (x * 1.0).sign(),
    "floor": lambda x: (x * 1.0).floor(),
    "round": lambda x: (x * 1.0).round(),
    "above": lambda x: x > 0,
    "integer": lambda x: x.long(),
    "bool": lambda x: x.bool(),
    "rest": lambda x: (x * 1.0) % 0.75,
    "even": lambda x: x.long() // 2,
}
ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda x: (x * 1.0).clamp(-3, 3).exp(),
    "tanh": lambda x: (x * 1.0).tanh(),
    "sigmoid": lambda x: (x * 0.5).sigmoid(),
    "log1p": lambda x: (x * 1.0).abs().log1p(),
    "sqrt": lambda x: ((x * 1.0).abs() + 0.25).sqrt(),
    "sin": lambda x: (x * 1.0).sin(),
    "gelu": lambda x: sg.nn.functional.gelu(x * 1.0),
    "cube": lambda x: x * 1.0 * x * x,
    "power": lambda x: ((x * 1.0).abs() + 1) ** 1.5,
}
PAIRS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a * 1 - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b.abs() + 1),
    "maximum": sg.maximum,
    "minimum": sg.minimum,
}


def elementwise(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    x, exact = values[i], program.exact[i]
    if not is_small(x):
        return None
    if draw is None:
        return True
    table = draw(st.sampled_from([EXACT, ROUNDED, JUMPING] if exact else [EXACT, ROUNDED]))
    name = draw(st.sampled_from(list(table)))
    function = table[name]
    return f"{name} {i}", lambda v: function(v[i]), exact and name not in ROUNDED


def pair(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    fitting = [
        j for j, y in enumerate(values) if is_small(y) and is_small(values[i]) and broadcast(values[i], y)
    ]
    if not fitting:
        return None
    if draw is None:
        return True
    j, name = draw(st.sampled_from(fitting)), draw(st.sampled_from(sorted(PAIRS)))
    function = PAIRS[name]
    if draw(st.booleans()):
        return f"{name} {i} {j}", lambda v: function(v[i], v[j]), program.exact[i] and program.exact[j]
    return f"{name} {j} {i}", lambda v: function(v[j], v[i]), program.exact[i] and program.exact[j]


def broadcast(a: Tensor, b: Tensor) -> bool:
    """Whether two shapes fit each other, and the result is not large."""
    try:
        return bool(numpy.prod(numpy.broadcast_shapes(a.shape, b.shape), dtype=int) <= 400)
    except ValueError:
        return False


def reduction(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    x, exact = values[i], program.exact[i]
    if not is_small(x):
        return None
    if draw is None:
        return True
    dims = tuple(d for d in range(x.ndim) if draw(st.booleans()))
    keepdim = draw(st.booleans())
    some = dims or None
    names = ["sum", "mean"]
    if exact:
        names += ["any", "all"]
    if all(x.shape[d] for d in dims or range(x.ndim)):
        names += ["amax", "amin"] + (["argmax", "argmin"] if exact and len(dims) < 2 else [])
    name = draw(st.sampled_from(names))
    if name == "mean":
        return f"mean {i} {some}", lambda v: (v[i] * 1.0).mean(some, keepdim), False
    if name.startswith("arg"):
        dim = dims[0] if dims else None
        return f"{name} {i} {dim}", lambda v: getattr(v[i], name)(dim, keepdim), True
    is_exact = exact and (name != "sum" or x.dtype in (sg.int64, sg.bool))
    return f"{name} {i} {some}", lambda v: getattr(v[i], name)(some, keepdim), is_exact


def view(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    if draw is None:
        return True
    x, exact = values[i], program.exact[i]
    kind = draw(st.sampled_from(["permute", "flip", "slice", "reshape", "unsqueeze", "expand"]))
    if kind == "permute":
        dims = tuple(draw(st.permutations(range(x.ndim))))
        return f"permute {i} {dims}", lambda v: v[i].permute(*dims), exact
    if kind == "flip":
        dims = tuple(d for d in range(x.ndim) if draw(st.booleans()))
        return f"flip {i} {dims}", lambda v: v[i].flip(*dims) if dims else v[i] * 1, exact
    if kind == "slice":
        index = tuple(draw(part_of(n)) for n in x.shape)
        return f"slice {i} {index}", lambda v: v[i][index], exact
    if kind == "reshape":
        shape = draw(st.sampled_from([(-1,), (1, -1), *factors(x)])) if x.numel() else (0, 2)
        return f"reshape {i} {shape}", lambda v: v[i].reshape(shape), exact
    if kind == "expand" and x.numel() < 100:
        shape = (draw(st.integers(0, 3)), *(3 if n == 1 else n for n in x.shape))
        return f"expand {i} {shape}", lambda v: v[i].expand(*shape), exact
    dim = draw(st.integers(0, x.ndim))
    return f"unsqueeze {i} {dim}", lambda v: v[i].unsqueeze(dim), exact


def factors(x: Tensor) -> list[tuple[int, ...]]:
    """Shapes with two dimensions that have as many elements."""
    return [(n, x.numel() // n) for n in (2, 3, 4, 5) if x.numel() % n == 0]


def part_of(n: int) -> Any:
    """An index into a dimension."""
    slices = st.builds(
        slice,
        st.sampled_from([None, 0, 1, -2]),
        st.sampled_from([None, n, -1]),
        st.sampled_from([None, 1, 2]),
    )
    return st.one_of(slices, st.integers(-n, n - 1)) if n else slices


def product(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    x = values[i]
    if x.ndim < 2 or not is_small(x) or x.numel() > 200:
        return None
    fitting = [j for j, y in enumerate(values) if y.ndim == 2 and y.shape[0] == x.shape[-1] and is_small(y)]
    if draw is None:
        return True
    if fitting and draw(st.booleans()):
        j = draw(st.sampled_from(fitting))
        return f"matmul {i} {j}", lambda v: (v[i] * 1.0) @ (v[j] * 1.0).to((v[i] * 1.0).dtype), False
    if draw(st.booleans()):
        return f"gram {i}", lambda v: (v[i] * 1.0) @ (v[i] * 1.0).transpose(-1, -2), False
    return f"gram by columns {i}", lambda v: (v[i] * 1.0).transpose(-1, -2) @ (v[i] * 1.0), False


def indexing(values: list[Tensor], program: Program, i: int, draw: Draw | None) -> Any:
    x, exact = values[i], program.exact[i]
    if not x.ndim or not x.shape[0]:
        return None
    if draw is None:
        return True
    kind = draw(st.sampled_from(["rows", "cat", "last", "pick"]))
    rows = draw(st.lists(st.integers(-x.shape[0], x.shape[0] - 1), min_size=1, max_size=4))
    if kind == "cat":
        dim = draw(st.integers(0, x.ndim - 1))
        return f"cat {i} {dim}", lambda v: sg.cat([v[i], v[i] * 2, v[i]], dim), exact
    if kind == "last" and x.shape[-1]:
        places = [r % x.shape[-1] for r in rows]
        return f"last {i} {places}", lambda v: v[i][..., sg.tensor(places)], exact
    if kind == "pick" and all(x.shape):
        places = numpy.array(rows).reshape((-1,) + (1,) * (x.ndim - 1)) % x.shape[0]
        wide = numpy.broadcast_to(places, (len(rows), *x.shape[1:])).copy()
        return f"gather {i} {rows}", lambda v: sg.gather(v[i], 0, sg.tensor(wide)), exact
    return f"rows {i} {rows}", lambda v: v[i][sg.tensor(rows)], exact


KINDS = (elementwise, elementwise, pair, pair, reduction, reduction, view, view, product, indexing)
