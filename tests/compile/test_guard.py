"""Guards see every object that is another one now, asked by native code and by Python alike."""

import gc
import sys
import threading
import weakref
from collections import OrderedDict, defaultdict

import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.follow import guard as guards
from stepgrad.compile.follow.guard import PATIENCE, Guard

X = sg.tensor([1.0, 2.0])
FACTOR = 1


class Held:
    """Something of each kind that a guard looks at."""

    def __init__(self):
        self.table = {"a": 1, "b": 0.0, "free": 5}
        self.empty, self.none, self.entries = {}, [], [1.0, None]
        self.globals = {"seen": None, "other": 1}
        variable = "text"
        self.cell = (lambda: variable).__closure__[0]

    def guard(self):
        return Guard(
            [(self.table, {"free"}), (self.empty, ()), (self.none, ()), (self.entries, ())],
            [(self.globals, ("seen", "missing"))],
            [self.cell],
        )


def replace_cell(held):
    held.cell.cell_contents = "texts"


def empty_cell(held):
    del held.cell.cell_contents


CHANGES = {
    "to True": lambda held: held.table.update(a=True),
    "to 1.0": lambda held: held.table.update(a=1.0),
    "to minus 0": lambda held: held.table.update(b=-0.0),
    "to None": lambda held: held.table.update(a=None),
    "removed": lambda held: held.table.pop("a"),
    "added": lambda held: held.table.update(c=1),
    "cleared": lambda held: held.table.clear(),
    "filled": lambda held: held.empty.update(a=1),
    "in a list": lambda held: held.entries.__setitem__(1, 2),
    "removed from a list": lambda held: held.entries.pop(),
    "all removed from a list": lambda held: held.entries.clear(),
    "added to a list": lambda held: held.entries.append(3),
    "added to an empty list": lambda held: held.none.append(3),
    "swapped": lambda held: held.entries.reverse(),
    "an entry": lambda held: held.globals.update(seen=3),
    "an entry that was missing": lambda held: held.globals.update(missing=1),
    "an entry of None that was missing": lambda held: held.globals.update(missing=None),
    "an entry that is missing now": lambda held: held.globals.pop("seen"),
    "a cell": replace_cell,
}


@pytest.fixture(params=["native", "Python"])
def way(request, monkeypatch):
    if request.param == "Python":
        monkeypatch.setattr(guards, "_interface", lambda: None)
    return request.param


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("asked", [0, PATIENCE + 2])
def test_every_change_is_seen(way, asked, change):
    held = Held()
    guard = held.guard()
    for _ in range(asked):
        assert not guard.differs()
    assert (guard.differs != guard._differs) == (way == "native" and asked > 0)
    CHANGES[change](held)
    assert guard.differs()
    assert guard.differs()


def test_only_natively_free_values_and_lost_contents_are_told_apart():
    held = Held()
    guard = held.guard()
    for _ in range(PATIENCE + 2):
        assert not guard.differs()
    held.table["free"] = 6
    held.globals["other"] = 2
    assert not guard.differs()
    empty_cell(held)
    assert guard.differs()
    replace_cell(held)
    assert guard.differs()


def test_what_changes_every_time_is_asked_natively_as_well():
    held = Held()
    guard = held.guard()
    for i in range(PATIENCE):
        held.table["free"] = float(i)
        assert guard.differs()
    assert guard.differs != guard._differs
    held.table["free"] = 7.5
    assert not guard.differs()
    held.table["a"] = 1.0
    assert guard.differs()


def test_what_goes_back_is_the_same_again(way):
    held = Held()
    guard = held.guard()
    for _ in range(PATIENCE + 2):
        assert not guard.differs()
    first = held.table["b"]
    held.table["b"] = 7.0
    assert guard.differs()
    held.table["b"] = first
    assert not guard.differs()


def test_a_guard_keeps_what_it_compares_with():
    """Another object cannot come to lie where one of these lay."""
    table = {f"{i}": float(i) for i in range(100)}
    guard = Guard([(table, ())])
    for _ in range(PATIENCE + 2):
        assert not guard.differs()
    for _ in range(200):
        for name in list(table):
            table[name] = float(len(table))
        assert guard.differs()


def test_asking_counts_no_references():
    thing = object()
    table = {"a": thing}
    cell = (lambda: thing).__closure__[0]
    guard = Guard([(table, ()), ([thing], ())], [(table, ("a",))], [cell])
    for _ in range(PATIENCE + 2):
        guard.differs()
    before = sys.getrefcount(thing)
    for _ in range(100):
        assert not guard.differs()
    assert sys.getrefcount(thing) == before


def test_dicts_of_odd_kinds_are_asked_in_python():
    class Key:
        def __hash__(self):
            return 1

    for place in (OrderedDict(a=1), {Key(): 1}):
        guard = Guard([(place, ())])
        for _ in range(PATIENCE + 2):
            assert not guard.differs()
        assert guard.differs == guard._differs
        place.clear()
        assert guard.differs()


def test_dicts_by_tensor_are_asked_natively():
    """As the state of an optimizer, which is by parameter."""
    place = defaultdict(dict, {sg.ones(2): {}, sg.ones(2): {}})
    guard = Guard([(place, ())])
    for _ in range(PATIENCE + 2):
        assert not guard.differs()
    assert guard.differs != guard._differs
    place[sg.ones(2)]
    assert guard.differs()
    place.popitem()
    assert not guard.differs()
    place[next(iter(place))] = {}
    assert guard.differs()


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Dropout(1.0)
        self.scale = 1

    def forward(self, x):
        return self.inner(x) * self.scale * FACTOR


def test_long_after_the_first_call_a_module_is_followed(way, monkeypatch):
    model = Scaled().eval()
    compiled = sg.compile(model)
    with sg.no_grad():

        def results():
            found = [compiled(X) for _ in range(PATIENCE + 4)]
            assert all(y.tolist() == found[0].tolist() and y.dtype == found[0].dtype for y in found)
            return found[0].tolist()

        assert results() == [1, 2]
        model.scale = 2
        assert results() == [2, 4]
        model.scale = True
        assert results() == [1, 2]
        model.train()
        assert results() == [0, 0]
        model.inner = nn.Identity()
        assert results() == [1, 2]
        monkeypatch.setitem(globals(), "FACTOR", 3)
        assert results() == [3, 6]
        model.register_forward_hook(lambda module, args, y: y + 1)
        with pytest.warns(UserWarning, match="has a hook"):
            assert results() == [4, 7]


def test_long_after_the_first_call_memory_and_optimizers_are_followed(way):
    weight = sg.ones(2, requires_grad=True)
    optimizer = optim.SGD([weight], lr=1.0)

    def step(x):
        optimizer.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = sg.compile(step)
    for i in range(2 * PATIENCE):
        optimizer.param_groups[0]["lr"] = float(i)
        before = weight[0].item()
        compiled(sg.ones(2))
        assert weight[0].item() == before - i
    for i in range(3):
        weight.data = sg.tensor([float(i), 0.0])
        for _ in range(2 * PATIENCE):
            optimizer.param_groups[0]["lr"] = 0.0
            assert compiled(sg.ones(2)).item() == i
        assert weight.tolist() == [i, 0]
    assert len(compiled.programs) == 1
    optimizer.param_groups[0]["weight_decay"] = 0.5
    optimizer.param_groups[0]["lr"] = 1.0
    compiled(sg.zeros(2))
    assert weight.tolist() == [1.0, 0.0]
    assert len(compiled.programs) == 2
    weight.data = sg.tensor([1.0, 0.0, 2.0])
    assert compiled(sg.tensor([1.0, 1.0, 2.0])).item() == 5


def test_guards_asked_by_many_threads():
    held = Held()
    guard = held.guard()
    wrong = []

    def ask():
        for _ in range(200):
            if guard.differs():
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_code_that_a_guard_runs_stays_while_it_does(monkeypatch):
    made = []

    def one_of_its_own():
        made.append(guards._Interface())
        return made[-1]

    # Of two threads that make native code at once, each has its own, of which only one is known afterwards.
    monkeypatch.setattr(guards, "_interface", one_of_its_own)
    guard = Held().guard()
    for _ in range(PATIENCE):
        assert not guard.differs()
    interface = weakref.ref(made.pop())
    gc.collect()
    assert interface() is not None
    assert not guard.differs()
