"""Tensors that share memory in one call and do not in another: the same numbers as eagerly in each."""

import pytest

import stepgrad as sg
from stepgrad import nn, optim


def _tensors():
    w, z = sg.tensor([1.0, 2.0]), sg.tensor([3.0, 4.0])
    return w, z, sg.tensor([5.0, 6.0, 7.0])


def reads_a_tensor_of_its_own():
    w, z, _ = _tensors()
    calls = [(w,), (z,), (w,), (w.detach(),), (z.detach(),)]
    return (lambda x: x * w), calls


def is_first_handed_a_view_of_its_own():
    w, z, _ = _tensors()
    return (lambda x: x * w), [(w.detach(),), (z,), (w,)]


def changes_a_tensor_of_its_own():
    w, z, _ = _tensors()

    def step(x):
        w.add_(1)
        return x * 2

    return step, [(z,), (w,), (z,), (w.detach(),), (w[:],), (w.flip(0),)]


def changes_an_argument():
    w, z, _ = _tensors()

    def step(x, y):
        x.add_(1)
        return y * 2

    return step, [(w, z), (w, w), (w, w.detach()), (z, w), (z.detach(), z)]


def changes_an_argument_that_it_also_reads():
    w, z, _ = _tensors()

    def step(x):
        x.add_(1)
        return w * 2

    return step, [(z,), (w,), (z,), (w.detach(),)]


def changes_a_part():
    _, z, longer = _tensors()

    def step(x, y):
        x.add_(1)
        return y * 2

    return step, [(longer[:2], z), (longer[:2], longer[1:]), (longer[1:], longer[:2]), (z, longer[:2])]


def tensors_that_come_together_between_calls():
    w, z, _ = _tensors()

    def step(x):
        w.add_(x)
        z.mul_(2)
        return w + z

    def join():
        z.data = w.data

    return step, [(sg.ones(2),), (sg.ones(2),), join, (sg.ones(2),), (sg.ones(2),)]


@pytest.mark.parametrize(
    "make",
    [
        reads_a_tensor_of_its_own,
        is_first_handed_a_view_of_its_own,
        changes_a_tensor_of_its_own,
        changes_an_argument,
        changes_an_argument_that_it_also_reads,
        changes_a_part,
        tensors_that_come_together_between_calls,
    ],
)
@pytest.mark.filterwarnings("ignore:this step runs eagerly")
def test_as_eagerly(make):
    found = []
    for compile in (lambda f: f, sg.compile):
        step, calls = make()
        step, results = compile(step), []
        for call in calls:
            if callable(call):
                call()
            else:
                results.append((step(*call).tolist(), [x.tolist() for x in call]))
        found.append(results)
    assert found[1] == found[0]


def test_batches_of_one_table_stay_native():
    table = sg.randn(32, 3)
    weight = nn.Parameter(sg.ones(3))
    optimizer = optim.SGD([weight], lr=0.1)

    @sg.compile
    def step(x):
        optimizer.zero_grad()
        loss = (x @ weight).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(8):
        step(table[4 * i : 4 * i + 4])
    assert len(step.programs) == 1
    assert not step.runs_eagerly
