"""What modules do beside computing, against PyTorch: texts, names, containers, running statistics, losses."""

import copy
import itertools
from collections import OrderedDict
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from tests.oracle.translate import assert_same, to_stepgrad

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


def plain(x: Any) -> Any:
    """A result as something that can be compared: sizes as tuples, tensors as lists, the rest as text."""
    if hasattr(x, "tolist"):
        return x.tolist()
    if isinstance(x, (list, tuple)):
        return tuple(map(plain, x))
    return repr(x).replace("torch.", "").replace("stepgrad.", "").replace("Size([", "([")


def every_layer(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Linear(2, 3, bias=False), nn.LeakyReLU(0.2), nn.LeakyReLU(inplace=True), nn.ReLU(True), nn.ReLU(),
        nn.ELU(), nn.ELU(2, True), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.SiLU(True), nn.Sigmoid(),
        nn.Tanh(), nn.LogSigmoid(), nn.Softplus(), nn.Softplus(2), nn.Softmax(1), nn.Softmax(),
        nn.LogSoftmax(-1),
        nn.PReLU(3), nn.Dropout(), nn.Dropout(0.1, True), nn.BatchNorm1d(3), nn.BatchNorm1d(3, bias=False),
        nn.BatchNorm1d(3, affine=False, momentum=None, track_running_stats=False), nn.LayerNorm(3),
        nn.LayerNorm([2, 3], bias=False), nn.LayerNorm((2,), elementwise_affine=False), nn.Embedding(3, 4),
        nn.Embedding(3, 4, padding_idx=-1), nn.Flatten(), nn.Flatten(0, 1), nn.Unflatten(1, (2, 3)),
        nn.Identity(), nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 2)]), nn.ModuleList(),
        nn.Sequential(), nn.Threshold(1, 2), nn.Threshold(1, 2, True), nn.Hardtanh(),
        nn.Hardtanh(-2, 2, True),
        nn.ReLU6(), nn.ReLU6(True), nn.Hardsigmoid(), nn.Hardsigmoid(True), nn.Hardswish(), nn.CELU(),
        nn.CELU(2.0, True), nn.SELU(), nn.SELU(True), nn.Mish(), nn.Mish(True), nn.Softsign(),
        nn.Hardshrink(),
        nn.Softshrink(0.25), nn.Tanhshrink(), nn.GLU(), nn.GLU(1), nn.Softmin(1), nn.Softmax2d(), nn.RReLU(),
        nn.RReLU(0.1, 0.2, True),
        nn.ModuleDict({"a": nn.ReLU(), "b": nn.Sequential(nn.ReLU())}), nn.ParameterList([lib.zeros(2, 3)]),
        nn.ParameterList(), nn.MSELoss(), nn.L1Loss(), nn.HuberLoss(), nn.SmoothL1Loss(), nn.BCELoss(),
        nn.BCEWithLogitsLoss(), nn.CrossEntropyLoss(), nn.NLLLoss(), nn.KLDivLoss(log_target=True),
        nn.SoftMarginLoss(), nn.HingeEmbeddingLoss(2.0), nn.MarginRankingLoss(1.0), nn.MultiMarginLoss(2),
        nn.MultiLabelMarginLoss(), nn.MultiLabelSoftMarginLoss(), nn.CosineEmbeddingLoss(0.5),
        nn.TripletMarginLoss(), nn.TripletMarginLoss(2, 1, 1e-3, True), nn.TripletMarginWithDistanceLoss(),
        nn.PoissonNLLLoss(), nn.GaussianNLLLoss(), nn.CTCLoss(), nn.CosineSimilarity(), nn.PairwiseDistance(),
        nn.PairwiseDistance(1.0, 1e-3, True), nn.LinearCrossEntropyLoss(3, 4),
        nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), bias=True, ignore_index=1),
    )  # fmt: skip


def test_every_layer_has_the_text_of_pytorch(torch):
    ours, theirs = every_layer(sg), every_layer(torch)
    assert repr(ours).replace("stepgrad.", "") == repr(theirs).replace("torch.", "")
    assert list(ours.state_dict()) == list(theirs.state_dict())


# ------------------------------------------------------------------------------------------- one module


def tree(lib: Any) -> Any:
    """A module with every kind of entry, some of them twice."""

    class Tree(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = lib.nn.Linear(2, 2)
            self.w = lib.nn.Parameter(lib.ones(2))
            self.v, self.b = self.w, self.a
            self.c = lib.nn.Sequential(lib.nn.Linear(2, 1), lib.nn.BatchNorm1d(1))
            self.register_buffer("kept", lib.zeros(1))
            self.register_buffer("passing", lib.zeros(1), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("missing", None)

    return Tree()


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


def assigned(lib: Any, name: str, value: Any) -> Any:
    net = tree(lib)
    setattr(net, name, value)
    return list(net.state_dict()), names(net.named_parameters()), names(net.named_children())


def registered_again(lib: Any) -> Any:
    net = tree(lib)
    net.register_parameter("w", lib.nn.Parameter(lib.zeros(3)))
    net.register_buffer("kept", lib.zeros(3), persistent=False)
    net.register_buffer("passing", lib.zeros(3))
    net.add_module("a", lib.nn.Linear(1, 1))
    return list(net.state_dict()), names(net.named_parameters()), names(net.named_buffers())


def deleted(lib: Any) -> Any:
    net = tree(lib)
    del net.a, net.w, net.passing
    net.register_buffer("passing", lib.zeros(1))
    return list(net.state_dict()), hasattr(net, "w")


def copied(lib: Any) -> Any:
    net = copy.deepcopy(tree(lib))
    return net.a is net.b, net.w is net.v, names(net.named_parameters()), list(net.state_dict())


def hooked(lib: Any) -> Any:
    seen: list[Any] = []
    layer = lib.nn.Identity()
    layer.register_forward_pre_hook(lambda m, a: seen.append(("pre", len(a))))
    layer.register_forward_hook(lambda m, a, y: seen.append("post"))
    layer.register_forward_hook(lambda m, a, k, y: seen.append(k), with_kwargs=True)
    layer.register_forward_hook(lambda m, a, y: y + 1, prepend=True)
    return layer(lib.zeros(1)).item(), seen


TREES = [
    lambda lib: names(tree(lib).named_parameters()),
    lambda lib: names(tree(lib).named_parameters(remove_duplicate=False)),
    lambda lib: names(tree(lib).named_parameters("x", recurse=False)),
    lambda lib: names(tree(lib).named_buffers()),
    lambda lib: names(tree(lib).named_modules()),
    lambda lib: names(tree(lib).named_modules(prefix="x")),
    lambda lib: names(tree(lib).named_modules(remove_duplicate=False)),
    lambda lib: names(tree(lib).named_children()),
    lambda lib: [tuple(x.shape) for x in tree(lib).state_dict().values()],
    lambda lib: list(tree(lib).state_dict(prefix="x.")),
    lambda lib: list(tree(lib).state_dict(prefix="x")),
    lambda lib: [x.dtype for x in tree(lib).double().state_dict().values()],
    lambda lib: [m.training for m in tree(lib).eval().modules()],
    lambda lib: [x.requires_grad for x in tree(lib).requires_grad_(False).parameters()],
    lambda lib: tree(lib).load_state_dict(tree(lib).state_dict()),
    lambda lib: tuple(tree(lib).a.load_state_dict({"bias": lib.zeros(2), "z": lib.zeros(1)}, strict=False)),
    lambda lib: assigned(lib, "a", None),
    lambda lib: assigned(lib, "w", None),
    lambda lib: assigned(lib, "kept", None),
    lambda lib: assigned(lib, "a", lib.nn.Parameter(lib.zeros(1))),
    lambda lib: assigned(lib, "kept", lib.nn.Parameter(lib.zeros(1))),
    lambda lib: assigned(lib, "passing", lib.nn.Parameter(lib.zeros(1))),
    lambda lib: assigned(lib, "passing", lib.nn.Linear(1, 1)),
    lambda lib: assigned(lib, "new", lib.nn.Linear(1, 1)),
    lambda lib: assigned(lib, "new", lib.zeros(1)),
    registered_again, deleted, copied, hooked,
]  # fmt: skip


@pytest.mark.parametrize("case", TREES, ids=range(len(TREES)))
def test_a_tree_behaves_the_same(torch, case):
    assert plain(case(sg)) == plain(case(torch))


REFUSED = [
    lambda lib: assigned(lib, "w", lib.zeros(2)),
    lambda lib: assigned(lib, "w", lib.nn.ReLU()),
    lambda lib: assigned(lib, "a", 3),
    lambda lib: assigned(lib, "kept", 3),
    lambda lib: tree(lib).nope,
    lambda lib: tree(lib).get_submodule("a.x"),
    lambda lib: tree(lib).get_parameter("a"),
    lambda lib: tree(lib).get_buffer("w"),
    lambda lib: tree(lib).register_parameter("q", lib.zeros(1)),
    lambda lib: tree(lib).register_buffer("q", 3),
    lambda lib: tree(lib).add_module("q", 3),
    lambda lib: tree(lib).add_module(3, lib.nn.ReLU()),
    lambda lib: tree(lib).train("x"),
    lambda lib: tree(lib).load_state_dict({"w": lib.zeros(2)}),
    lambda lib: tree(lib).load_state_dict({"w": lib.zeros(3)}, strict=False),
    lambda lib: tree(lib).load_state_dict([1]),
    lambda lib: lib.nn.Sequential(lib.nn.ReLU())[1],
    lambda lib: lib.nn.Sequential(lib.nn.ReLU())["0"],
    lambda lib: lib.nn.Sequential(3),
    lambda lib: lib.nn.ModuleDict()["a"],
    lambda lib: lib.nn.ParameterList()[0],
    lambda lib: lib.nn.ParameterList(lib.zeros(2)),
    lambda lib: lib.nn.Linear(2, 3)(lib.zeros(4, 3)),
    lambda lib: lib.nn.Embedding(3, 2)(lib.tensor([3])),
    lambda lib: lib.nn.Dropout(1.5),
    lambda lib: lib.nn.LayerNorm(3)(lib.zeros(2, 4)),
    lambda lib: lib.nn.CrossEntropyLoss()(lib.zeros(1, 2), lib.tensor([2])),
    lambda lib: lib.nn.BCELoss()(lib.tensor([1.5]), lib.tensor([1.0])) if lib is sg else _value_error(),
]


def _value_error() -> None:
    raise ValueError("PyTorch raises a RuntimeError, stepgrad a ValueError")


@pytest.mark.parametrize("case", REFUSED, ids=range(len(REFUSED)))
def test_the_same_things_are_refused_so_that_the_same_except_clause_catches_them(torch, case):
    with pytest.raises(Exception) as theirs:
        case(torch)
    with pytest.raises(sg.StepgradError) as ours:
        case(sg)
    assert isinstance(ours.value, theirs.type)


# ------------------------------------------------------------------------------------------- containers


def changed(make: Any, *changes: Any) -> Any:
    def case(lib: Any) -> Any:
        container = make(lib)
        results = [change(lib, container) for change in changes]
        return (
            [r for r in results if r is not container and r is not None],
            container,
            list(container.state_dict()),
        )

    return case


def layers(lib: Any) -> list[Any]:
    return [lib.nn.Linear(1, 2), lib.nn.ReLU(), lib.nn.Linear(2, 3), lib.nn.Tanh()]


def named(lib: Any) -> Any:
    return lib.nn.Sequential(OrderedDict(zip(("a", "b", "c", "d"), layers(lib))))


LISTS = [lambda lib: lib.nn.Sequential(*layers(lib)), lambda lib: lib.nn.ModuleList(layers(lib)), named]
CHANGES = [
    lambda lib, c: c[-1], lambda lib, c: c[1:3], lambda lib, c: c[::-1], lambda lib, c: c[::2],
    lambda lib, c: c.append(lib.nn.ELU()), lambda lib, c: c.extend([lib.nn.ELU(), lib.nn.ELU()]),
    lambda lib, c: c.__delitem__(1), lambda lib, c: c.__delitem__(-1),
    lambda lib, c: c.__delitem__(slice(0, 2)),
    lambda lib, c: c.__setitem__(1, lib.nn.ELU()), lambda lib, c: c.__setitem__(-1, lib.nn.ELU()),
    lambda lib, c: c.pop(1), lambda lib, c: c.pop(-1), lambda lib, c: c + c, lambda lib, c: len(c),
    lambda lib, c: c[0] in c,
]  # fmt: skip
INSERTS = [lambda lib, c, i=i: c.insert(i, lib.nn.ELU()) for i in (0, 1, 4)]
DICTS = [
    lambda lib, c: c.__setitem__("a", lib.nn.Tanh()), lambda lib, c: c.update({"z": lib.nn.ELU()}),
    lambda lib, c: c.update([("z", lib.nn.ELU())]), lambda lib, c: c.pop("a"), lambda lib, c: c.clear(),
    lambda lib, c: list(c), lambda lib, c: c["b"], lambda lib, c: "a" in c,
]  # fmt: skip
PARAMETERS = [
    lambda lib, c: c[1:], lambda lib, c: c.append(lib.zeros(7)), lambda lib, c: c.extend([lib.zeros(7)]),
    lambda lib, c: c.__setitem__(-1, lib.zeros(7)), lambda lib, c: c.__iadd__([lib.zeros(7)]),
]  # fmt: skip
CONTAINERS = [
    *(changed(make, change) for make in LISTS for change in CHANGES),
    *(changed(make, change) for make in LISTS[:2] for change in INSERTS),
    *(changed(lambda lib: lib.nn.ModuleDict(zip("ab", layers(lib))), change) for change in DICTS),
    *(
        changed(lambda lib: lib.nn.ParameterList([lib.zeros(1), lib.zeros(2)]), change)
        for change in PARAMETERS
    ),
]


@pytest.mark.parametrize("case", CONTAINERS, ids=range(len(CONTAINERS)))
def test_containers_change_in_the_same_way(torch, case):
    assert plain(case(sg)) == plain(case(torch))


# ----------------------------------------------------------------------------------- numbers and gradients


def compare_backward(torch: Any, theirs: Any, ours: Any, theirs_in: list[Any], ours_in: list[Any]) -> None:
    assert_same(ours, theirs)
    g = np.random.default_rng(3).uniform(0.5, 1.5, tuple(theirs.shape))
    theirs.backward(torch.tensor(g))
    ours.backward(sg.tensor(g))
    for right, found in zip(theirs_in, ours_in, strict=True):
        assert_same(found.grad, right.grad)


BATCH_NORMS = [
    {"momentum": momentum, "affine": affine, "track_running_stats": tracked}
    for momentum, affine, tracked in itertools.product((0.1, None, 0.0, 1.0), (True, False), (True, False))
]


@pytest.mark.parametrize("options", BATCH_NORMS, ids=str)
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2)])
def test_batch_norm_over_several_batches(torch, options, shape):
    theirs, ours = (lib.nn.BatchNorm1d(3, **options).double() for lib in (torch, sg))
    random = np.random.default_rng(0)
    for training in (True, True, False, True):
        x = random.normal(2, 3, shape)
        a, b = torch.tensor(x, requires_grad=True), sg.tensor(x, requires_grad=True)
        theirs.train(training)
        ours.train(training)
        theirs.zero_grad()
        ours.zero_grad()
        compare_backward(torch, theirs(a), ours(b), [a, *theirs.parameters()], [b, *ours.parameters()])
        for right, found in zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True):
            assert_same(found, right)


LOSS_CASES = list(itertools.product(
    ("CrossEntropyLoss", "NLLLoss"), ("mean", "sum", "none"), ((), (3,), (2, 2)), (False, True), (-100, 1),
    (0.0, 0.2),
))  # fmt: skip


@pytest.mark.parametrize("name, reduction, more, weighted, ignored, smoothing", LOSS_CASES)
def test_losses_with_classes(torch, name, reduction, more, weighted, ignored, smoothing):
    if name == "NLLLoss" and smoothing:
        return
    random = np.random.default_rng(1)
    x, t, w = (
        random.normal(size=(4, 3, *more)) * 4,
        random.integers(0, 3, (4, *more)),
        random.uniform(0.5, 2, 3),
    )
    t.flat[:2] = 0, 1
    extra = {"label_smoothing": smoothing} if smoothing else {}
    theirs, ours = (
        getattr(lib.nn, name)(
            weight=lib.tensor(w) if weighted else None, reduction=reduction, ignore_index=ignored, **extra
        )
        for lib in (torch, sg)
    )
    a, b = torch.tensor(x, requires_grad=True), sg.tensor(x, requires_grad=True)
    compare_backward(torch, theirs(a, torch.tensor(t)), ours(b, sg.tensor(t)), [a], [b])
    if name == "CrossEntropyLoss" and ignored == -100:
        q = random.dirichlet(np.ones(3), (4, *more))
        q = np.moveaxis(q, -1, 1)
        a, b = torch.tensor(x, requires_grad=True), sg.tensor(x, requires_grad=True)
        compare_backward(torch, theirs(a, torch.tensor(q)), ours(b, sg.tensor(q)), [a], [b])


EXTREMES = {
    "BCELoss": ([0.0, 1.0, 0.0, 1.0, 1e-40, 1e-10], [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
    "BCEWithLogitsLoss": ([1e30, -1e30, 1e4, -1e4, 0.0, -50.0], [1.0, 0.0, 0.0, 1.0, 0.0, 0.3]),
    "MSELoss": ([1e30, -1e30, float("inf"), 0.0], [1.0, 0.0, 1.0, 0.0]),
    "HuberLoss": ([1e30, -1e30, float("inf"), 0.0], [1.0, 0.0, 1.0, 0.0]),
    "CrossEntropyLoss": ([[1e4, -1e4], [1e30, 0.0], [float("-inf"), 0.0]], [1, 0, 1]),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_extremes(torch, name, reduction):
    x, t = EXTREMES[name]
    theirs, ours = (getattr(lib.nn, name)(reduction=reduction) for lib in (torch, sg))
    a = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    b = sg.tensor(x, dtype=sg.float64, requires_grad=True)
    kind = {} if isinstance(t[0], int) else {"dtype": "float64"}
    target = np.array(t, **kind)
    y, z = theirs(a, torch.tensor(target)), ours(b, sg.tensor(target))
    assert_same(z, y)
    y.sum().backward()
    z.sum().backward()
    # PyTorch keeps p (1 − p) above 1e-12 as a float32 has it.
    np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-8)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("limit", [0.0, 0.7, 100.0])
def test_clipping(torch, order, limit):
    gradients = [np.array([3.0, -4.0]), np.array([[12.0]])]
    norms, clipped = [], []
    for lib in (torch, sg):
        parameters = [lib.nn.Parameter(lib.tensor(np.zeros_like(g))) for g in gradients]
        for p, g in zip(parameters, gradients):
            p.grad = lib.tensor(g)
        norms.append(lib.nn.utils.clip_grad_norm_(parameters, limit, order).item())
        clipped.append(np.concatenate([p.grad.numpy().ravel() for p in parameters]))
    assert norms[0] == pytest.approx(norms[1], rel=1e-12)
    np.testing.assert_allclose(*clipped, rtol=1e-12)


def network(lib: Any) -> Any:
    return lib.nn.Sequential(
        lib.nn.Embedding(9, 4, padding_idx=0), lib.nn.Flatten(), lib.nn.Linear(12, 8), lib.nn.BatchNorm1d(8),
        lib.nn.PReLU(8), lib.nn.Linear(8, 8, bias=False), lib.nn.LayerNorm(8), lib.nn.GELU(),
        lib.nn.Linear(8, 3),
    ).double()  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
def test_a_network_with_the_state_of_pytorch_gives_the_same_outputs_and_gradients(torch, training):
    theirs, ours = network(torch).train(training), network(sg).train(training)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({key: to_stepgrad(value) for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).integers(0, 9, (6, 3))
    compare_backward(
        torch, theirs(torch.tensor(x)), ours(sg.tensor(x)), list(theirs.parameters()), list(ours.parameters())
    )
    back = {key: torch.from_numpy(value.numpy()) for key, value in ours.state_dict().items()}
    assert repr(theirs.load_state_dict(back)) == "<All keys matched successfully>"


def test_gains(torch):
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        assert sg.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def trace_of_states(lib):
    """What hooks see while a state is written and read; those after reading come last in stepgrad, which
    reads all or nothing.
    """
    net, trace, after = (
        lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.Sequential(lib.nn.BatchNorm1d(1))),
        [],
        [],
    )
    for name, module in net.named_modules():
        module.register_state_dict_pre_hook(lambda m, *more, n=name: trace.append(("save", n, more)))
        module.register_state_dict_post_hook(
            lambda m, state, prefix, _, n=name: trace.append(("saved", n, prefix, list(state)))
        )
        module.register_load_state_dict_pre_hook(
            lambda m, state, prefix, _, strict, missing, unexpected, errors, n=name: trace.append(
                ("load", n, list(state), prefix, strict, list(missing), list(unexpected), list(errors))
            )
        )
        module.register_load_state_dict_post_hook(lambda m, found, n=name: after.append(n))
    state = net.state_dict()
    del state["1.0.running_mean"]
    state["more"] = state["1.more"] = state["1.0.more.still"] = lib.zeros(1)
    return trace, after, tuple(net.load_state_dict(state, strict=False))


def test_hooks_on_states(torch):
    assert trace_of_states(sg) == trace_of_states(torch)
