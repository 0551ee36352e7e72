"""The arrangements in memory: all give the same bits, and changes made from outside are seen."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import DtypeError, ShapeError
from stepgrad.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    plan,
)  # fmt: skip

SHAPES = [(5, 3), (3,), (), (17,), (0,), (6, 7)]
RULES = [
    lambda p: SGD(p, lr=0.1),
    lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.1),
    lambda p: Adam(p, amsgrad=True, weight_decay=0.1),
    lambda p: AdamW(p),
    lambda p: Adagrad(p, lr_decay=0.1),
    lambda p: RMSprop(p, momentum=0.9, centered=True),
    lambda p: Adadelta(p),
    lambda p: Adamax(p),
    lambda p: NAdam(p),
    lambda p: RAdam(p, betas=(0.9, 0.7)),
    lambda p: Rprop(p),
    lambda p: ASGD(p, t0=1),
]


def make(rule, dtype="float32", layout=numpy.ascontiguousarray):
    generator = numpy.random.default_rng(0)
    arrays = [numpy.asarray(generator.normal(size=s), dtype) for s in SHAPES]
    params = [sg.from_numpy(layout(a) if a.ndim else a).requires_grad_() for a in arrays]
    return params, rule(params)


def run(params, optimizer, steps, without=lambda step, i: False):
    for step in steps:
        generator = numpy.random.default_rng(step + 100)
        for i, p in enumerate(params):
            gradient = sg.tensor(generator.normal(size=p.shape), dtype=p.dtype)
            p.grad = None if without(step, i) else gradient
        optimizer.step()
    return [numpy.ascontiguousarray(p.detach().numpy()).tobytes() for p in params], {
        (i, name): t.numpy().tobytes()
        for i, own in optimizer.state_dict()["state"].items()
        for name, t in own.items()
    }


def by_columns(array):
    return numpy.asfortranarray(array)


def with_gaps(array):
    wide = numpy.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def alone(monkeypatch):
    monkeypatch.setattr(plan, "SMALL", -1)


def in_pieces(monkeypatch):
    alone(monkeypatch)
    monkeypatch.setattr(plan, "PIECE", 4)


def vector_in_pieces(monkeypatch):
    monkeypatch.setattr(plan, "PIECE", 7)


def sometimes_none(step, i):
    return (step + i) % 3 == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("arrange", [alone, in_pieces, vector_in_pieces])
@pytest.mark.parametrize("layout", [numpy.ascontiguousarray, by_columns, with_gaps])
@pytest.mark.parametrize("without", [lambda step, i: False, sometimes_none])
def test_every_arrangement_gives_the_same_bits(monkeypatch, rule, arrange, layout, without):
    expected = run(*make(rule), range(5), without)
    arrange(monkeypatch)
    assert run(*make(rule, layout=layout), range(5), without) == expected


def test_a_parameter_without_a_gradient_keeps_its_own_count():
    params, optimizer = make(RULES[2])
    run(params, optimizer, range(6), sometimes_none)
    assert [optimizer.state[p]["step"].item() for p in params] == [4.0] * 6
    run(params, optimizer, [6], lambda step, i: i != 2)
    assert [optimizer.state[p]["step"].item() for p in params] == [4, 4, 5, 4, 4, 4]


def test_parameters_of_two_dtypes_are_kept_apart():
    a = sg.tensor([1.0], dtype=sg.float32, requires_grad=True)
    b = sg.tensor([1.0], dtype=sg.float64, requires_grad=True)
    optimizer = Adam([a, b], lr=0.1)
    a.grad, b.grad = sg.tensor([3.0]), sg.tensor([3.0], dtype=sg.float64)
    optimizer.step()
    assert optimizer.state[b]["exp_avg"].dtype is sg.float64
    assert a.item() != b.item() == pytest.approx(0.9, abs=1e-8)


@pytest.fixture(params=["together", "alone"])
def trained(request, monkeypatch):
    """Three parameters after two steps, in both arrangements, and a second set that took the same steps."""
    if request.param == "alone":
        alone(monkeypatch)
    pairs = []
    for _ in range(2):
        params, optimizer = make(RULES[2])
        run(params, optimizer, range(2))
        pairs.append((params, optimizer))
    return pairs


def test_state_may_be_changed_in_place(trained):
    (params, optimizer), (others, other) = trained
    optimizer.state[params[0]]["exp_avg"].zero_()
    other.state[others[0]]["exp_avg"] = sg.zeros(5, 3)
    result = run(params, optimizer, [2])
    assert result == run(others, other, [2])
    assert result != run(*make(RULES[2]), range(3))


def test_state_may_be_replaced(trained):
    (params, optimizer), (others, other) = trained
    optimizer.state.clear()
    other.state = {}
    fresh = RULES[2]([p.detach().clone().requires_grad_() for p in params])
    expected = run(fresh.param_groups[0]["params"], fresh, [2])
    assert run(params, optimizer, [2]) == expected
    assert run(others, other, [2]) == expected


def test_a_count_may_be_changed(trained):
    (params, optimizer), (others, other) = trained
    optimizer.state[params[1]]["step"].fill_(9.0)
    other.state[others[1]]["step"] = 9
    assert run(params, optimizer, [2]) == run(others, other, [2])
    assert [optimizer.state[p]["step"].item() for p in params] == [3, 10, 3, 3, 3, 3]


def test_parameters_may_be_changed_in_place_and_replaced(trained):
    (params, optimizer), (others, other) = trained
    with sg.no_grad():
        params[0].mul_(2.0)
    others[0].data = others[0].detach() * 2.0
    assert run(params, optimizer, [2]) == run(others, other, [2])


def test_a_tensor_of_the_state_stays_the_same_object(trained):
    (params, optimizer), _ = trained
    kept = optimizer.state_dict()["state"][0]["exp_avg"]
    run(params, optimizer, range(2, 5), sometimes_none)
    assert optimizer.state_dict()["state"][0]["exp_avg"] is kept
    assert kept.numpy().tobytes() == optimizer.state[params[0]]["exp_avg"].numpy().tobytes()


def test_a_parameter_taken_out_of_its_group_is_left_alone(trained):
    (params, optimizer), _ = trained
    before = params[1].tolist()
    del optimizer.param_groups[0]["params"][1]
    run(params, optimizer, [2])
    assert params[1].tolist() == before


def test_state_follows_its_parameter_to_another_dtype(trained):
    (params, optimizer), _ = trained
    for p in params:
        p.data = p.detach().double()
    run(params, optimizer, [2])
    assert {optimizer.state[p]["exp_avg"].dtype for p in params} == {sg.float64}


def test_a_gradient_that_does_not_fit_is_named_and_nothing_changes(trained):
    (params, optimizer), _ = trained
    before = [p.tolist() for p in params], [o["step"].item() for o in optimizer.state.values()]
    params[3].grad = sg.ones(4)
    with pytest.raises(
        ShapeError, match=r"gradient of parameter number 3 of the group has shape \[4\], not \[17\]"
    ):
        optimizer.step()
    params[3].grad = sg.ones(17, dtype=sg.float64)
    with pytest.raises(
        DtypeError, match=r"number 3 of the group is float64, the parameter float32. Convert it with"
    ):
        optimizer.step()
    assert before == ([p.tolist() for p in params], [o["step"].item() for o in optimizer.state.values()])


def test_state_of_a_wrong_shape_is_named(trained):
    (params, optimizer), _ = trained
    optimizer.state[params[0]]["exp_avg"] = sg.zeros(2)
    with pytest.raises(
        ShapeError, match=r"the state 'exp_avg' of a parameter of shape \[5, 3\] has another one: \[2\]"
    ):
        optimizer.step()


def test_names_are_used_in_messages():
    w = sg.zeros(2, requires_grad=True)
    w.grad = sg.zeros(3)
    with pytest.raises(ShapeError, match=r"the gradient of parameter head.weight"):
        SGD([("head.weight", w)]).step()


def test_a_large_parameter_with_many_pieces():
    generator = numpy.random.default_rng(3)
    start, gradient = generator.normal(size=(2, 300, 301)).astype("float32")
    p = sg.from_numpy(start.copy()).requires_grad_()
    p.grad = sg.from_numpy(gradient)
    SGD([p], lr=0.5).step()
    assert (p.detach().numpy() == start - numpy.float32(0.5) * gradient).all()


@pytest.mark.parametrize("compile", [lambda f: f, sg.compile])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_parameters_that_share_memory_are_updated_one_after_the_other(compile, momentum):
    a, b = sg.nn.Parameter(sg.tensor([1.0, 2.0])), sg.nn.Parameter(sg.tensor([3.0, 4.0]))
    b.data = a.data
    optimizer = SGD([a, b], lr=0.1, momentum=momentum)

    @compile
    def step():
        optimizer.zero_grad()
        ((2 * a).sum() + b.square().sum()).backward()
        optimizer.step()

    expected, first, second = numpy.array([1.0, 2.0]), 0.0, 0.0
    for _ in range(4):
        by_a, by_b = numpy.full(2, 2.0), 2 * expected
        first, second = momentum * first + by_a, momentum * second + by_b
        expected = expected - 0.1 * first - 0.1 * second
        step()
        numpy.testing.assert_allclose(a.detach().numpy(), expected, rtol=1e-5)
        assert b.tolist() == a.tolist()
