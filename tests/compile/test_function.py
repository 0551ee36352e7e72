"""`compile`: what may change from call to call, what is an error, what runs eagerly, and inference."""

import contextlib
import copy
import gc
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.assemble import Native
from stepgrad.compile.program.value import NotCompiled
from stepgrad.errors import CaptureError, GradientError
from stepgrad.nn import functional as F
from stepgrad.tensor import Tensor
from tests.compile.steps import CLASSES, INPUTS, OPTIMIZERS, Run, flat, sgd

# ------------------------------------------------------------------------------------- what may change


def compiled_step(run: Run) -> Any:
    def step(x: Tensor, t: Tensor) -> Tensor:
        run.optimizer.zero_grad()
        loss = F.cross_entropy(run.model(x), t)
        loss.backward()
        run.optimizer.step()
        return loss

    return step


def small() -> nn.Module:
    first = nn.Linear(INPUTS, 4, bias=False)
    return nn.Sequential(first, nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, CLASSES))


def side_by_side(use: Callable[[Run, Any], list[Any]], optimizer: Any = OPTIMIZERS["momentum"]) -> None:
    """What `use(run, step)` returns is the same when the step is compiled as when it is not."""
    ends = []
    for compiled in (False, True):
        run = Run(small, optimizer)
        step = compiled_step(run)
        sg.manual_seed(1)
        ends.append((use(run, sg.compile(step) if compiled else step), run.model.state_dict()))
    for native, eager in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-10, atol=1e-12)


def test_switching_between_training_and_evaluation():
    def use(run: Run, step: Any) -> list[Any]:
        losses = []
        for mode in (True, True, False, False, True):
            run.model.train(mode)
            losses.append(step(run.x[0], run.classes[0]))
        run.model[2].eval()
        return [*losses, step(run.x[1], run.classes[1])]

    side_by_side(use)


def test_shapes_that_change():
    def use(run: Run, step: Any) -> list[Any]:
        return [step(run.x[0][:n], run.classes[0][:n]) for n in (6, 4, 6, 3, 4)]

    side_by_side(use)


def test_each_shape_is_compiled_once():
    run = Run(small, sgd)
    f = sg.compile(compiled_step(run))
    for n in (6, 4, 6, 4, 6):
        f(run.x[0][:n], run.classes[0][:n])
    assert len(f.programs) == 2
    before = f.programs
    f(run.x[0], run.classes[0])
    assert f.programs == before


def test_a_learning_rate_that_changes_between_steps():
    def use(run: Run, step: Any) -> list[Any]:
        losses = []
        schedule = sg.optim.lr_scheduler.StepLR(run.optimizer, 1, gamma=0.3)
        for x, t in zip(run.x, run.classes, strict=True):
            losses.append(step(x, t))
            schedule.step()
        run.optimizer.param_groups[0]["lr"] = 0.0
        return [*losses, step(run.x[0], run.classes[0])]

    side_by_side(use)
    side_by_side(use, OPTIMIZERS["adam"])


def test_parameters_that_are_replaced_or_loaded():
    def use(run: Run, step: Any) -> list[Any]:
        losses = [step(run.x[0], run.classes[0])]
        saved = {name: t.clone() for name, t in run.model.state_dict().items()}
        state = run.optimizer.state_dict()
        losses += [step(x, t) for x, t in zip(run.x, run.classes, strict=True)]
        run.model.load_state_dict(saved)
        run.optimizer.load_state_dict(state)
        losses.append(step(run.x[0], run.classes[0]))
        with sg.no_grad():
            run.model[0].weight.mul_(0.5)
        losses.append(step(run.x[0], run.classes[0]))
        run.model[0].weight.data = sg.ones(4, INPUTS, dtype=sg.float64)
        return [*losses, step(run.x[0], run.classes[0])]

    side_by_side(use)


def test_batches_in_other_layouts():
    def use(run: Run, step: Any) -> list[Any]:
        x, t = run.x[0], run.classes[0]
        by_columns = sg.from_numpy(numpy.asfortranarray(x.numpy()))
        twice = sg.cat([x, x])
        return [step(b, t) for b in (x, by_columns, twice[::2], x.flip(0).flip(0), x)]

    side_by_side(use)


def test_many_steps_in_one_call_are_the_same_steps():
    ends = []
    for scanned in (False, True):
        run = Run(small, OPTIMIZERS["momentum"])
        f = sg.compile(compiled_step(run))
        sg.manual_seed(1)
        if scanned:
            losses = f.scan(sg.stack(run.x), sg.stack(run.classes))
        else:
            losses = sg.stack([f(x, t) for x, t in zip(run.x, run.classes, strict=True)])
        ends.append((losses, run.model.state_dict()))
    for once, one_by_one in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_array_equal(once, one_by_one)


# ------------------------------------------------------------------------------- what cannot be compiled

READS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda y: y.item(),
    "float": float,
    "if": lambda y: 1 if y > 0 else 2,
    "numpy": lambda y: y.detach().numpy(),
    "tolist": lambda y: y.tolist(),
    "format": lambda y: f"{y:.3f}",
    "print": repr,
    "range": lambda y: list(range(int(y))),
}


@pytest.mark.parametrize("name", READS)
def test_asking_for_a_value_inside_is_an_error_that_names_the_operation(name: str):
    @sg.compile
    def step(x: Tensor) -> Tensor:
        y = x.square().sum()
        return x * len(str(READS[name](y)))

    x = sg.ones(3)
    with pytest.raises(CaptureError, match=r"value of <(sum|gt|detach|mul)") as raised:
        step(x)
    assert "stepgrad.where" in str(raised.value)


def test_asking_for_the_value_of_an_argument_is_an_error():
    f = sg.compile(lambda x, n: x * n.item())
    with pytest.raises(CaptureError, match=r"value of its argument int64\[\]"):
        f(sg.ones(3), sg.tensor(2))


def test_after_such_an_error_nothing_has_changed():
    run = Run(small, OPTIMIZERS["momentum"])
    before = {name: t.clone() for name, t in run.model.state_dict().items()}

    @sg.compile
    def step(x: Tensor, t: Tensor) -> float:
        return compiled_step(run)(x, t).item()

    with pytest.raises(CaptureError):
        step(run.x[0], run.classes[0])
    for name, t in run.model.state_dict().items():
        assert t.equal(before[name]), name
    assert compiled_step(run)(run.x[0], run.classes[0]).item() > 0


def test_a_value_that_the_step_finds_may_be_read_and_is_watched():
    scale = sg.tensor(2.0)
    f = sg.compile(lambda x: x * scale.item())
    assert f(sg.ones(2)).tolist() == [2, 2]
    scale.fill_(3.0)
    assert f(sg.ones(2)).tolist() == [3, 3]


def test_an_index_that_is_an_argument():
    f = sg.compile(lambda x, i: x[i] * 2)
    x = sg.arange(5).float()
    assert [f(x, sg.tensor(i)).item() for i in (1, 3, -1)] == [2, 6, 8]
    with pytest.raises(sg.errors.ShapeError, match="outside"):
        f(x, sg.tensor(7))


def test_a_tensor_that_the_step_makes_and_keeps():
    """What is made once becomes state; what is made anew every time runs eagerly, since it must be made."""
    state: dict[str, Tensor] = {}

    def remembers(x: Tensor) -> Tensor:
        with sg.no_grad():
            if "sum" not in state:
                state["sum"] = sg.zeros(3)
            return state["sum"].add_(x) * 1

    f = sg.compile(remembers)
    assert [f(sg.ones(3)).tolist()[0] for _ in range(4)] == [1, 2, 3, 4]
    assert f.programs
    assert not f.runs_eagerly

    def replaces(x: Tensor) -> Tensor:
        state["last"] = x * 2
        return x + 1

    g = sg.compile(replaces)
    g(sg.ones(3))
    with pytest.warns(UserWarning, match="keeps a tensor that it made"):
        g(sg.full((3,), 2.0))
    g(sg.full((3,), 5.0))
    assert state["last"].tolist() == [10, 10, 10]


def test_a_constant_made_inside_starts_anew_every_time():
    def step(x: Tensor) -> Tensor:
        total = sg.tensor(0.0)
        for i in range(3):
            total += x[i]
        return total

    f = sg.compile(step)
    assert [f(sg.ones(3)).item() for _ in range(3)] == [3, 3, 3]


def test_gradients_from_before_the_step_run_eagerly():
    run = Run(lambda: nn.Linear(INPUTS, CLASSES), sgd)

    def accumulate(x: Tensor, t: Tensor) -> Tensor:
        loss = F.cross_entropy(run.model(x), t)
        loss.backward()
        return loss

    accumulate(run.x[0], run.classes[0])
    f = sg.compile(accumulate)
    with pytest.warns(UserWarning, match="adds to gradients that were there before"):
        f(run.x[0], run.classes[0])
    once = run.model.weight.grad.clone()
    run.model.zero_grad()
    accumulate(run.x[0], run.classes[0])
    numpy.testing.assert_allclose(once.numpy(), 2 * run.model.weight.grad.numpy())


GRADIENTS = {
    "backward alone": "leaves gradients in .grad that nothing in it uses",
    "backward and clipping": "leaves gradients in .grad that nothing in it uses",
    "update alone": "uses gradients that were there before it",
    "update, then none": "uses gradients that were there before it",
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_step_that_is_only_a_part_runs_eagerly(name: str):
    """Its gradients come from outside, or are used there."""
    found = []
    for compiled in (False, True):
        sg.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def learn(x: Tensor, model=model, optimizer=optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            if name == "backward and clipping":
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            return loss

        def update(optimizer=optimizer) -> None:
            optimizer.step()
            if name == "update, then none":
                optimizer.zero_grad()

        parts: list[Any] = [learn, update]
        if compiled:
            which = name.startswith("update")
            parts[which] = sg.compile(parts[which])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for i in range(5):
                parts[0](sg.full((2, 3), i + 1.0))
                parts[1]()
        assert len(caught) == compiled
        assert all(GRADIENTS[name] in str(warning.message) for warning in caught)
        found.append(model.weight.tolist())
    assert found[0] == found[1]


def test_gradients_may_be_left_if_others_are_used_or_they_are_returned():
    sg.manual_seed(0)
    made, judge = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = optim.SGD(made.parameters(), lr=0.1)

    def generator_step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = judge(made(x)).mean()
        loss.backward()
        optimizer.step()
        return loss

    def with_gradients(x: Tensor) -> Any:
        judge.zero_grad()
        judge(x).square().mean().backward()
        return judge.weight.grad

    for step in (generator_step, with_gradients):
        compiled = sg.compile(step)
        first = compiled(sg.ones(3, 2))
        assert compiled.programs
        assert not compiled.runs_eagerly
        assert judge.weight.grad is None
    numpy.testing.assert_allclose(first.numpy(), with_gradients(sg.ones(3, 2)).numpy(), rtol=1e-6)


def test_arrays_as_arguments_are_an_error():
    with pytest.raises(sg.errors.ArgumentError, match="from_numpy"):
        sg.compile(lambda x: sg.tensor(x) * 2)(numpy.ones(3))
    with pytest.raises(sg.errors.ArgumentError, match="scan takes tensors, not a ndarray"):
        sg.compile(lambda x: x * 2).scan(numpy.ones(3))


# ------------------------------------------------------------------------------------------- inference


def test_a_compiled_model():
    run = Run(small, sgd)
    run.model.eval()
    f = sg.compile(run.model)
    for x in run.x:
        y = f(x)
        assert not y.requires_grad
        numpy.testing.assert_allclose(y.numpy(), run.model(x).detach().numpy(), rtol=1e-12, atol=1e-12)
    # What training changes afterwards, it sees.
    run.model.train()
    compiled_step(run)(run.x[0], run.classes[0])
    run.model.eval()
    numpy.testing.assert_allclose(
        f(run.x[0]).numpy(), run.model(run.x[0]).detach().numpy(), rtol=1e-12, atol=1e-12
    )


def test_a_training_loop_around_a_compiled_model_trains_as_ever():
    sg.manual_seed(0)
    plain = sg.nn.Sequential(sg.nn.Linear(2, 4), sg.nn.Tanh(), sg.nn.Linear(4, 1))
    compiled = sg.compile(copy.deepcopy(plain))
    x, y = sg.randn(8, 2), sg.randn(8, 1)
    for model in (plain, compiled):
        optimizer = sg.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            told = pytest.warns(UserWarning, match="a compiled module runs eagerly in training mode")
            with told if model is compiled and not step else contextlib.nullcontext():
                sg.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    assert not compiled.programs
    for name, value in plain.state_dict().items():
        assert (compiled.state_dict()[name] == value).all()
    compiled.eval()
    numpy.testing.assert_allclose(compiled(x).numpy(), plain(x).detach().numpy(), rtol=1e-5)
    assert len(compiled.programs) == 1


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))],  # noqa: S301 - its own
    ids=["deep", "same", "file"],
)
def test_a_compiled_model_is_copied_without_its_code(copied: Callable[[Any], Any]):
    compiled = sg.compile(nn.Linear(2, 1).eval())
    before = compiled(sg.ones(1, 2)).item()
    other = copied(compiled)
    assert not other.programs
    assert other(sg.ones(1, 2)).item() == before
    with sg.no_grad():
        compiled.bias.add_(1)
    assert compiled(sg.ones(1, 2)).item() == pytest.approx(before + 1)
    assert (other(sg.ones(1, 2)).item() == before) is (copied is not copy.copy)


def test_what_is_said_of_a_compiled_model_in_evaluation_mode():
    f = sg.compile(sg.nn.Linear(2, 1).eval())
    with pytest.raises(
        GradientError, match=r"compile\(module\) returns has gradients in training mode alone"
    ):
        f(sg.ones(1, 2)).sum().backward()
    with pytest.raises(AttributeError, match=r"Linear has no attribute 'nothing'"):
        _ = f.nothing
    with pytest.raises(AttributeError, match=r"a compiled function has no 'nothing'\.$"):
        _ = sg.compile(lambda x: x).nothing


def test_a_compiled_model_in_training_mode_draws_its_random_numbers():
    run = Run(small, sgd)
    f = sg.compile(run.model)
    for x in run.x:
        sg.manual_seed(3)
        with sg.no_grad():
            native = f(x)
        sg.manual_seed(3)
        numpy.testing.assert_allclose(native.numpy(), run.model(x).detach().numpy(), rtol=1e-12, atol=1e-12)


def test_the_same_random_numbers_natively_and_eagerly():
    def step(x: Tensor) -> list[Tensor]:
        return [
            sg.rand(3, 5),
            sg.randn(7),
            F.dropout(x, 0.4),
            sg.rand(4, dtype=sg.float64),
            sg.randn(3, dtype=sg.float64),
        ]

    f, x = sg.compile(step), sg.ones(9)
    for _ in range(2):
        sg.manual_seed(5)
        native = [f(x) for _ in range(3)]
        state = sg.get_rng_state()
        sg.manual_seed(5)
        eager = [step(x) for _ in range(3)]
        assert sg.get_rng_state() == state
        for a, b in zip(flat(native), flat(eager), strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-6)
            if len(a) != 7:
                numpy.testing.assert_allclose(a, b, rtol=1e-14 if a.dtype == "float64" else 0)


UNUSUAL: dict[str, Callable[[Tensor], Tensor]] = {
    "random integers": lambda x: x[sg.randperm(3)] * sg.rand(3),
    "a generator of one's own": lambda x: x * sg.rand(3, generator=OWN),
    "a seed set inside": lambda x: (sg.manual_seed(4), x * sg.rand(3))[1],
}
OWN = sg.Generator()


@pytest.mark.parametrize("name", UNUSUAL)
def test_random_numbers_that_are_not_compiled_are_the_same_still(name: str):
    x, f = sg.ones(3), sg.compile(UNUSUAL[name])
    sg.manual_seed(2)
    OWN.manual_seed(2)
    with pytest.warns(UserWarning, match="are not compiled"):
        native = [f(x) for _ in range(3)]
    sg.manual_seed(2)
    OWN.manual_seed(2)
    for a in native:
        assert a.equal(UNUSUAL[name](x))


def test_results_are_memory_of_their_own():
    p = sg.ones(64)

    def step(x: Tensor) -> list[Tensor]:
        y = x * 2
        with sg.no_grad():
            p.add_(1)
        return [y, y, x.clone(), p.clone(), y.reshape(8, 8), y[::2], y.sum(), sg.zeros(3)]

    f = sg.compile(step)
    x = sg.ones(64)
    first = f(x)
    kept = [t.numpy().copy() for t in first]
    second = f(sg.full((64,), 5.0))
    arena = f.programs[0].native._arena
    for t, array in zip(first, kept, strict=True):
        numpy.testing.assert_array_equal(t.numpy(), array)
    tensors = [*first, *second, x, p]
    for i, a in enumerate(tensors):
        assert not numpy.shares_memory(a.numpy(), arena)
        for b in tensors[:i]:
            assert not numpy.shares_memory(a.numpy(), b.numpy())


class Learner:
    """A model with its step as a compiled method."""

    def __init__(self, rate):
        self.weight = sg.ones(3, requires_grad=True)
        self.optimizer = sg.optim.SGD([self.weight], lr=rate)

    @sg.compile
    def step(self, x):
        """The usual step."""
        self.optimizer.zero_grad()
        loss = (self.weight * x).sum()
        loss.backward()
        self.optimizer.step()
        return loss

    @sg.compile(check=True)
    def twice(self, x, times=2):
        """A function of the weight."""
        return (self.weight * x).detach() * times


def test_methods():
    slow, fast = Learner(0.1), Learner(1.0)
    for _ in range(3):
        slow.step(sg.ones(3))
        fast.step(sg.ones(3))
    numpy.testing.assert_allclose(slow.weight.detach().numpy(), 0.7, rtol=1e-6)
    numpy.testing.assert_allclose(fast.weight.detach().numpy(), -2, rtol=1e-6)
    numpy.testing.assert_allclose(slow.twice(sg.ones(3)).numpy(), 1.4, rtol=1e-6)
    numpy.testing.assert_allclose(slow.twice(sg.ones(3), times=3).numpy(), 2.1, rtol=1e-6)
    assert len(Learner.step.programs) == 2
    assert not Learner.step.runs_eagerly
    assert "kernels" in slow.step.explain()
    model = sg.nn.Linear(3, 3).eval()
    Learner.model = sg.compile(model)
    assert slow.model.weight is model.weight


@pytest.mark.parametrize("clears", ["inside", "by hand", "outside", "after", "never"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_where_gradients_are_cleared(clears, momentum):
    ends = []
    for is_compiled in (False, True):
        sg.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=momentum)

        def step(x, model=model, optimizer=optimizer):
            if clears == "inside":
                optimizer.zero_grad()
            elif clears == "by hand":
                for p in model.parameters():
                    p.grad = None
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            if clears == "after":
                model.zero_grad()
            return loss

        run = sg.compile(step) if is_compiled else step
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for i in range(5):
                if clears == "outside":
                    optimizer.zero_grad()
                run(sg.full((4, 3), 1.0 + i))
        if is_compiled:
            assert run.runs_eagerly is (clears == "never")
            assert len(run.programs) == (clears != "never")
            texts = [str(w.message) for w in told]
            assert len(texts) == (clears == "never")
            assert all("adds to gradients that were there before it; call" in t for t in texts)
        ends.append(model.weight.detach().numpy())
    numpy.testing.assert_allclose(*ends, rtol=1e-5)


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_garbage_is_collected_again_after_compiling_if_it_was_before(monkeypatch, is_on, fails):
    found = []

    def native(program: Any) -> Any:
        found.append(gc.isenabled())
        if fails:
            raise NotCompiled("nothing is, for a test")
        return Native(program)

    monkeypatch.setattr("stepgrad.compile.compiled.Native", native)
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert sg.compile(lambda x: x * 2)(sg.ones(2)).tolist() == [2, 2]
        assert (found, gc.isenabled()) == ([False], is_on)
    finally:
        (gc.enable if was_on else gc.disable)()
