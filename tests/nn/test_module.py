"""Modules: the tree of parameters, buffers and submodules, its state, its modes, its text."""

import copy
import math
import multiprocessing
import pickle
from collections import OrderedDict

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, MissingNameError, ShapeError
from tests.nn.trees import BUFFERS, NAMES, Tree


def names(pairs):
    return [name for name, _ in pairs]


# ------------------------------------------------------------------------------------------------ walk


def test_parameters_come_in_the_order_of_the_tree_and_shared_ones_once():
    tree = Tree()
    assert names(tree.named_parameters()) == NAMES
    assert [id(p) for p in tree.parameters()] == [id(tree.get_parameter(name)) for name in NAMES]
    every = names(tree.named_parameters(remove_duplicate=False))
    assert every == ["w", "v", *NAMES[1:], "again.weight", "again.bias"]
    assert names(tree.named_parameters(prefix="net", recurse=False)) == ["net.w"]


def test_buffers_come_in_the_order_of_the_tree():
    tree = Tree()
    assert names(tree.named_buffers()) == BUFFERS
    assert len(list(tree.buffers(recurse=False))) == 2
    assert names(tree.named_buffers("net", recurse=False)) == ["net.kept", "net.passing"]


def test_modules_come_each_once():
    tree = Tree()
    paths = ["", "first", "second", "second.0", "second.1", "second.2"]
    assert names(tree.named_modules()) == paths
    assert names(tree.named_modules("net")) == ["net", *(f"net.{path}" for path in paths[1:])]
    assert names(tree.named_modules(remove_duplicate=False)) == [*paths, "again"]
    assert names(tree.named_children()) == ["first", "second"]
    assert list(tree.children()) == [tree.first, tree.second]
    assert next(tree.modules()) is tree


def test_entries_are_found_by_their_paths():
    tree = Tree()
    assert tree.get_submodule("second.1") is tree.second[1]
    assert tree.get_submodule("") is tree
    assert tree.get_parameter("first.weight") is tree.first.weight
    assert tree.get_buffer("second.1.running_var") is tree.second[1].running_var
    with pytest.raises(MissingNameError, match=r"Tree has no module 'secnd'\. Did you mean 'second'\?"):
        tree.get_submodule("secnd.1")
    with pytest.raises(MissingNameError, match="Tree has no parameter 'first'"):
        tree.get_parameter("first")
    with pytest.raises(MissingNameError, match=r"Linear has no parameter 'wieght'\. Did you mean 'weight'\?"):
        tree.get_parameter("first.wieght")
    with pytest.raises(MissingNameError, match="Tree has no module 'w'"):
        tree.get_submodule("w")
    with pytest.raises(MissingNameError, match="Tree has no buffer 'w'"):
        tree.get_buffer("w")


def test_apply_goes_from_the_inside_out():
    seen = []
    tree = Tree()
    assert tree.apply(lambda m: seen.append(type(m).__name__)) is tree
    assert seen == ["Linear", "Linear", "BatchNorm1d", "Dropout", "Sequential", "Tree"]


# ------------------------------------------------------------------------------------------ attributes


def test_an_unknown_attribute_suggests_the_nearest():
    tree = Tree()
    tree.width = 3
    for wrong, right in (
        ("frist", "first"),
        ("kpet", "kept"),
        ("widht", "width"),
        ("named_modul", "named_modules"),
    ):
        with pytest.raises(AttributeError, match=f"Tree has no attribute '{wrong}'. Did you mean '{right}'?"):
            getattr(tree, wrong)
    assert not hasattr(tree, "something_else")


def test_a_property_that_fails_says_its_own_error():
    class Net(nn.Module):
        @property
        def size(self):
            return self.not_there.shape

    with pytest.raises(AttributeError, match="Net has no attribute 'not_there'"):
        _ = Net().size


def test_all_entries_are_listed():
    assert {"first", "w", "v", "kept", "missing", "forward"} <= set(dir(Tree()))


def test_assigning_replaces_at_the_same_place():
    tree = Tree()
    tree.w = nn.Parameter(sg.zeros(5))
    tree.register_parameter("v", nn.Parameter(sg.zeros(6)))
    tree.first = nn.Linear(4, 4)
    tree.kept = sg.ones(7)
    assert names(tree.named_parameters())[:3] == ["w", "v", "first.weight"]
    assert tree.w.shape == (5,)
    assert tree.get_buffer("kept").shape == (7,)
    assert list(tree.state_dict())[:3] == ["w", "v", "kept"]


def test_what_is_assigned_changes_its_kind_where_that_makes_sense():
    tree = Tree()
    tree.first = nn.Parameter(sg.zeros(1))  # a module, then a parameter
    tree.kept = nn.Parameter(sg.zeros(1))  # a buffer, then a parameter
    tree.passing = nn.Parameter(sg.zeros(1))  # and no longer one that is not saved
    tree.plain = 3
    tree.plain = nn.Linear(1, 1)
    assert names(tree.named_children()) == ["second", "again", "plain"]
    assert names(tree.named_buffers(recurse=False)) == []
    assert {"first", "kept", "passing", "plain.weight"} <= set(tree.state_dict())


def test_what_is_assigned_must_not_lose_a_parameter_by_accident():
    tree = Tree()
    for name, value, message in (
        ("w", sg.zeros(2), r"'w' is a parameter of Tree; it cannot become Tensor. Wrap it in nn.Parameter"),
        ("w", 3, "'w' is a parameter of Tree; it cannot become int. Take it out first, with del."),
        ("w", nn.ReLU(), "'w' is a parameter of Tree; it cannot become ReLU."),
        ("first", 3, "'first' is a module of Tree; it cannot become int."),
        ("first", nn.ReLU, "'first' is a module of Tree; it cannot become the class ReLU."),
        ("kept", [0.0], "'kept' is a buffer of Tree; it cannot become list."),
    ):
        with pytest.raises(TypeError, match=message):
            setattr(tree, name, value)
    assert names(tree.named_parameters()) == NAMES


def test_none_keeps_the_place_and_del_takes_it():
    tree = Tree()
    tree.w = tree.first = tree.kept = None
    assert tree.w is None
    assert names(tree.named_children()) == ["second", "again"]
    assert "  (first): None\n" in repr(tree)
    tree.w = nn.Parameter(sg.zeros(1))
    assert names(tree.named_parameters())[0] == "w"
    del tree.w, tree.first, tree.kept, tree.passing
    assert not hasattr(tree, "w")
    assert "first" not in tree._modules
    tree.register_buffer("passing", sg.zeros(1))
    assert "passing" in tree.state_dict()
    tree.empty = None
    del tree.empty
    with pytest.raises(AttributeError, match="never"):
        del tree.never


@pytest.mark.parametrize(
    "register, value",
    [
        (nn.Module.register_parameter, nn.Parameter(sg.zeros(1))),
        (nn.Module.register_buffer, sg.zeros(1)),
        (nn.Module.add_module, nn.ReLU()),
        (nn.Module.register_module, nn.ReLU()),
    ],
)
def test_registered_names_and_values_are_checked(register, value):
    tree = Tree()
    for name, kind, message in (
        ("a.b", ArgumentError, "needs a name without dots, not 'a.b'"),
        ("", ArgumentError, "needs a name without dots, not ''"),
        (3, DtypeError, "is a text, not 3"),
        ("forward", ArgumentError, "the class Tree has an attribute 'forward' already"),
        ("training", ArgumentError, "Tree has an attribute 'training' already"),
    ):
        with pytest.raises(kind, match=message):
            register(tree, name, value)
    with pytest.raises(DtypeError, match="or None, not int"):
        register(tree, "new", 3)
    register(tree, "new", value)
    assert tree.new is value
    register(tree, "none", None)
    assert tree.none is None


def test_a_name_that_is_taken_by_another_kind_is_refused():
    tree = Tree()
    with pytest.raises(ArgumentError, match="Tree has an attribute 'first' already"):
        tree.register_buffer("first", sg.zeros(1))
    with pytest.raises(ArgumentError, match="Tree has an attribute 'w' already"):
        tree.add_module("w", nn.ReLU())
    with pytest.raises(DtypeError, match="a parameter is a Parameter or None, not Tensor"):
        tree.register_parameter("new", sg.zeros(1))


def test_an_attribute_of_the_class_must_not_hide_a_parameter():
    class Net(nn.Module):
        scale = None

        def act(self):
            pass

    with pytest.raises(ArgumentError, match="the class Net has an attribute 'scale' already"):
        Net().scale = nn.Parameter(sg.zeros(1))
    with pytest.raises(ArgumentError, match=r"'act' already\. Give the module another name"):
        Net().act = nn.ReLU()
    with pytest.raises(ArgumentError, match="needs a name without dots"):
        setattr(Net(), "layer.1", nn.ReLU())


def test_a_module_that_forgets_super_init_works():
    class Net(nn.Module):
        def __init__(self, size):
            self.layer = nn.Linear(size, 1)

    assert names(Net(3).named_parameters()) == ["layer.weight", "layer.bias"]
    assert Net(3).training
    assert Net(3)._constructor == ((3,), {})


def test_forward_has_to_be_defined():
    with pytest.raises(ArgumentError, match="ModuleList defines no forward"):
        nn.ModuleList()(1)


# ----------------------------------------------------------------------------------------------- modes


def test_train_and_eval_reach_every_module():
    tree = Tree()
    assert tree.eval() is tree
    assert not any(m.training for m in tree.modules())
    assert tree.train() is tree
    assert all(m.training for m in tree.modules())
    with pytest.raises(ArgumentError, match="takes True or False, not 'off'"):
        tree.train("off")


def test_a_submodule_may_refuse_to_train():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(Frozen(2), nn.BatchNorm1d(2)).train()
    assert [m.training for m in net] == [False, True]


def test_gradients_are_switched_and_forgotten():
    tree = Tree()
    assert tree.requires_grad_(False) is tree
    assert not any(p.requires_grad for p in tree.parameters())
    layer = nn.Linear(2, 1)
    layer(sg.ones(3, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0, 0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_a_dtype_reaches_all_floating_point_tensors_and_keeps_their_identity():
    tree = Tree()
    weight = tree.first.weight
    tree(sg.ones(4, 2)).sum().backward()
    assert tree.double() is tree
    assert tree.first.weight is weight
    assert weight.grad.dtype is sg.float64
    kinds = {name: x.dtype for name, x in tree.state_dict().items()}
    assert kinds.pop("second.1.num_batches_tracked") is sg.int64
    assert set(kinds.values()) == {sg.float64}
    assert tree.passing.dtype is sg.float64
    assert tree.float().w.dtype is sg.float32
    assert tree.half().w.dtype is sg.float16
    assert tree.to(sg.zeros(1, dtype=sg.float64)).w.dtype is sg.float64
    assert tree.to("cpu", sg.float32).w.dtype is sg.float32
    assert tree.to(device="cpu").cpu().w.dtype is sg.float32
    with pytest.raises(ArgumentError, match="floating point dtype, not to int64"):
        tree.to(sg.int64)


def test_going_where_it_is_already_does_not_disturb_a_graph():
    layer = nn.Linear(2, 2)
    y = layer(sg.ones(1, 2, requires_grad=True)).sum()
    layer.to("cpu").float()
    y.backward()
    assert layer.weight.grad is not None


# ---------------------------------------------------------------------------------------------- copies


def check_copy(copied, tree):
    assert copied.first is copied.again
    assert copied.w is copied.v
    assert copied.w is not tree.w
    assert isinstance(copied.w, nn.Parameter)
    assert copied.w.requires_grad
    assert list(copied.state_dict()) == list(tree.state_dict())
    x = sg.rand(3, 2)
    assert copied.eval()(x).tolist() == tree.eval()(x).tolist()
    with sg.no_grad():
        copied.w.zero_()
    assert tree.w.tolist() == [1, 1]


def test_copies_and_pickles_keep_what_is_shared():
    tree = Tree()
    check_copy(copy.deepcopy(tree), tree)
    check_copy(pickle.loads(pickle.dumps(tree)), tree)  # noqa: S301 - our own bytes
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    assert names(tied.named_parameters()) == ["0.weight", "0.bias", "1.bias"]
    again = copy.deepcopy(tied)
    assert again[0].weight is again[1].weight


def test_a_module_is_sent_to_another_process():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    x = sg.rand(4, 2)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with sg.no_grad():
        process = context.Process(target=pickled_answer, args=(net, x, sender))
        process.start()
        found = receiver.recv()
        process.join()
        assert found.tolist() == net(x).tolist()


def pickled_answer(module, x, sender):
    with sg.no_grad():
        sender.send(module(x))


# ----------------------------------------------------------------------------------------------- hooks


def test_hooks_see_and_change_calls():
    layer, seen = nn.Linear(1, 1, bias=False), []
    nn.init.ones_(layer.weight)
    x = sg.tensor([[2.0]])
    before = layer.register_forward_pre_hook(lambda m, args: seen.append(args[0].item()))
    after = layer.register_forward_hook(lambda m, args, y: seen.append(y.item()))
    layer(x)
    assert seen == [2, 2]
    before.remove()
    after.remove()
    layer(x)
    assert len(seen) == 2
    with layer.register_forward_pre_hook(lambda m, args: args[0] * 10):
        assert layer(x).item() == 20
    with layer.register_forward_hook(lambda m, args, y: y + 1):
        assert layer(x).item() == 3
    assert layer(x).item() == 2


def test_hooks_with_keywords_and_in_front():
    class Scaled(nn.Module):
        def forward(self, x, factor=1):
            return x * factor

    net, seen = Scaled(), []
    net.register_forward_hook(lambda m, a, y: seen.append("second"))
    net.register_forward_hook(lambda m, a, k, y: seen.append(k), prepend=True, with_kwargs=True)
    net.register_forward_pre_hook(lambda m, a, k: (a, {"factor": k["factor"] + 1}), with_kwargs=True)
    net.register_forward_pre_hook(lambda m, a: seen.append("first"), prepend=True)
    assert net(sg.ones(1), factor=2).item() == 3
    assert seen == ["first", {"factor": 3}, "second"]


def test_hooks_on_the_backward_pass_see_all_gradients_at_once():
    class Product(nn.Module):
        def forward(self, a, text, b):
            return a * b, a + b

    net, seen = Product(), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append(("after", gi, go)))
    net.register_full_backward_pre_hook(lambda m, go: seen.append(("before", go)))
    a, b = (sg.tensor([v], requires_grad=True) for v in (2.0, 3.0))
    product, total = net(a, "x", b)
    (10 * product + total).sum().backward()
    (before, outputs), (after, inputs, again) = seen
    assert (before, after) == ("before", "after")
    assert [g.item() for g in outputs] == [g.item() for g in again] == [10, 1]
    assert [g if g is None else g.item() for g in inputs] == [31, None, 21]
    assert (a.grad.item(), b.grad.item()) == (31, 21)


def test_hooks_on_the_backward_pass_change_gradients():
    layer, x = nn.Linear(2, 1, bias=False), sg.ones(1, 2, requires_grad=True)
    nn.init.ones_(layer.weight)
    with layer.register_full_backward_pre_hook(lambda m, go: 5 * go[0]):
        layer(x).backward()
    assert layer.weight.grad.tolist() == [[5, 5]]
    assert x.grad.tolist() == [[5, 5]]
    handle = layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,), prepend=True)
    layer(x).backward()
    assert x.grad.tolist() == [[5 + 4, 5 + 4]]
    assert layer.weight.grad.tolist() == [[6, 6]]
    handle.remove()
    layer(x).backward()
    assert x.grad.tolist() == [[9 + 2, 9 + 2]]


def test_a_hook_on_the_backward_pass_of_a_first_layer_sees_no_gradient_of_its_input():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].item())))
    layer(sg.ones(1, 2)).backward()
    assert seen == [((None,), 1)]
    with sg.no_grad():
        layer(sg.ones(1, 2))
    assert len(seen) == 1


def test_a_hook_on_the_backward_pass_returns_as_many_gradients():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: (None, None))
    with pytest.raises(ArgumentError, match="a hook on the backward pass returned 2 gradients for 1"):
        layer(sg.ones(1, 2, requires_grad=True)).backward()


def test_second_derivatives_pass_hooks_on_the_backward_pass():
    layer = nn.Sequential(nn.Tanh())
    layer.register_full_backward_hook(lambda m, gi, go: (2 * gi[0],))
    x = sg.tensor(0.5, dtype=sg.float64, requires_grad=True)
    (g,) = sg.autograd.grad(layer(x), x, create_graph=True)
    (h,) = sg.autograd.grad(g, x)
    y = math.tanh(0.5)
    assert g.item() == pytest.approx(2 * (1 - y * y))
    assert h.item() == pytest.approx(2 * -2 * y * (1 - y * y))


# ------------------------------------------------------------------------------------------------ text


def test_the_text_is_that_of_the_tree():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(OrderedDict(act=nn.ReLU()))

        def extra_repr(self):
            return "one\ntwo"

    assert repr(Named()) == "Named(\n  one\n  two\n  (inner): Sequential(\n    (act): ReLU()\n  )\n)"
    assert repr(nn.Module()) == "Module()"


def test_an_input_of_another_size_is_an_error_of_the_layer():
    with pytest.raises(ShapeError, match=r"linear takes 2 features .* \[4, 3\] \(weight \[3, 2\]\)\.$"):
        nn.Linear(2, 3)(sg.zeros(4, 3))
