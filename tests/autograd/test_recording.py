"""Recording a step: every operation, forwards and backwards, in order, with its values."""

import numpy

import stepgrad as sg
from stepgrad.autograd.engine import apply
from stepgrad.autograd.recording import record
from stepgrad.ops import find
from stepgrad.ops.record import Absent


def test_a_record_holds_forward_and_backward_in_order():
    x = sg.tensor([1.0, 2.0])
    w = sg.tensor([3.0, 4.0], requires_grad=True)
    with record() as nodes:
        loss = (x * w).sigmoid().sum()
        loss.backward()
    assert [(n.name(), n.phase) for n in nodes][:3] == [
        ("mul", "forward"),
        ("sigmoid", "forward"),
        ("sum", "forward"),
    ]
    assert {n.phase for n in nodes[3:]} == {"backward"}
    assert [n.order for n in nodes] == sorted(n.order for n in nodes)
    y = numpy.array([1, 1]) / (1 + numpy.exp([-3.0, -8.0]))
    numpy.testing.assert_allclose(nodes[1].result, y, rtol=1e-6)
    numpy.testing.assert_allclose(w.grad.numpy(), y * (1 - y) * [1, 2], rtol=1e-4)
    assert nodes[-1].result.tolist() == w.grad.tolist()


def test_every_result_can_be_computed_again_from_the_results_before_it():
    sg.manual_seed(0)
    w = sg.rand(3, 2, dtype=sg.float64, requires_grad=True)
    x = sg.rand(4, 2, dtype=sg.float64)
    with record() as nodes:
        ((x @ w.T).tanh() * 2 + 1).exp().mean().backward()
    values = {}
    for node in nodes:
        inputs = []
        for source, saved in zip(node.inputs, node.saved or node.inputs, strict=True):
            if source is None:
                inputs.append(saved)
            else:
                inputs.append(sg.Tensor._of(values[id(source)]) if id(source) in values else source)
        if any(isinstance(i, Absent) or i is None for i in inputs):
            continue
        with sg.no_grad():
            values[id(node)] = apply(node.op, *inputs, **node.attrs)._array
        numpy.testing.assert_array_equal(values[id(node)], node.result)
    assert len(values) > 10


def test_gradients_of_a_recorded_step_are_those_of_any_other():
    sg.manual_seed(1)
    w = sg.rand(3, 2, requires_grad=True)
    x = sg.rand(4, 2)
    for step in (False, True):
        if step:
            with record():
                (x @ w.T).softmax(1).log().sum().backward()
        else:
            (x @ w.T).softmax(1).log().sum().backward()
            expected, w.grad = w.grad, None
    numpy.testing.assert_allclose(w.grad.numpy(), expected.numpy(), rtol=1e-6)


def test_a_recorded_update_leaves_the_parameter_a_leaf():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    with record() as nodes:
        (w * w).sum().backward()
        with sg.no_grad():
            w.sub_(w.grad * 0.5)
    assert w.requires_grad
    assert w.is_leaf
    assert w.grad_fn is None
    assert w.tolist() == [0, 0]
    assert nodes[-1].name() == "sub"
    assert nodes[-1].result.tolist() == [0, 0]
    assert [t is w for t, _ in nodes.writes] == [True]


def test_two_steps_in_one_record_both_have_gradients():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    with record():
        for _ in range(2):
            w.grad = None
            (w * w).sum().backward()
            assert w.grad.tolist() == [2 * v for v in w.tolist()]
            with sg.no_grad():
                w.sub_(w.grad * 0.25)
    assert w.tolist() == [0.25, 0.5]
    (w * w).sum().backward()


def test_a_gradient_from_a_record_can_be_added_to_later():
    x = sg.tensor([1.0, 2.0], requires_grad=True)
    y = sg.tensor([1.0, 2.0], requires_grad=True)
    with record() as nodes:
        (x + y).sum().backward()
    results = [n.result.copy() for n in nodes]
    (x * 3).sum().backward()
    x.grad.add_(1)
    assert y.grad.tolist() == [1, 1]
    assert x.grad.tolist() == [5, 5]
    for node, before in zip(nodes, results, strict=True):
        numpy.testing.assert_array_equal(node.result, before)


def test_records_nest_and_end():
    with record() as outer:
        sg.ones(1) + 1
        with record() as inner:
            sg.ones(1) * 2
        sg.ones(1) - 1
    assert [n.name() for n in inner] == ["full", "mul"]
    assert [n.name() for n in outer] == ["full", "add", "full", "sub"]
    before = len(outer)
    y = sg.ones(1) + 1
    assert len(outer) == before
    assert y._node is None


def test_operations_without_gradients_are_recorded_too():
    with record() as nodes, sg.no_grad():
        y = sg.tensor([1.0, -1.0])
        z = (y > 0).any()
        y.fill_(3)
        y[0] = 4
    assert [n.name() for n in nodes] == ["gt", "any", "full", "index_put"]
    assert z.item()
    assert y.tolist() == [4, 3]
    assert y._node is None


def test_the_name_of_an_operation_finds_its_record():
    assert find("sigmoid").name == "sigmoid"
