"""Recurrent layers: against PyTorch in every option, native and eager, packed, messages, files."""

import warnings

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.nn.utils import rnn

KINDS = ["RNN", "LSTM", "GRU"]
OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bias": False, "batch_first": True, "num_layers": 2},
    {"batch_first": True, "bidirectional": True, "dropout": 0.5, "num_layers": 3},
]
LENGTHS = [5, 3, 3, 1]


def both(kind, **options):
    """The same module here and in PyTorch, with the same weights, not training."""
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, kind)(3, 4, dtype=torch.float64, **options).eval()
    ours = getattr(nn, kind)(3, 4, dtype=sg.float64, **options).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: sg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


def drawn(*shape, seed=0):
    return numpy.random.default_rng(seed).normal(size=shape)


def flat(x):
    return [y for part in x for y in flat(part)] if isinstance(x, (tuple, list)) else [x]


def assert_same(ours, theirs, inputs_ours, inputs_theirs):
    """The same results, and gradients of inputs and weights."""
    import torch

    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == tuple(b.shape)
        numpy.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)
    weights = [drawn(*a.shape, seed=i + 7) for i, a in enumerate(ours)]
    found = sg.autograd.grad(ours, inputs_ours, [sg.tensor(w) for w in weights])
    right = torch.autograd.grad(theirs, inputs_theirs, [torch.tensor(w) for w in weights])
    for a, b in zip(found, right, strict=True):
        numpy.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)


def states_of(kind, module, rows, hidden=4):
    layers = module.num_layers * (2 if module.bidirectional else 1)
    shapes = [(layers, rows, module.proj_size or hidden), (layers, rows, hidden)]
    return [drawn(*shape, seed=i + 1) for i, shape in enumerate(shapes[: 2 if kind == "LSTM" else 1])]


@pytest.mark.oracle
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_against_pytorch(kind, options, with_states):
    run_against_pytorch(kind, options, with_states)


@pytest.mark.oracle
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize(
    "options", [{"proj_size": 2}, {"proj_size": 3, "num_layers": 2, "bidirectional": True}]
)
def test_projections_against_pytorch(options, with_states):
    run_against_pytorch("LSTM", options, with_states)


def run_against_pytorch(kind, options, with_states):
    import torch

    ours, theirs = both(kind, **options)
    x = drawn(6, 5, 3)
    a, b = sg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    rows = 6 if options.get("batch_first") else 5
    given = states_of(kind, ours, rows) if with_states else []
    s, t = (
        [sg.tensor(g, requires_grad=True) for g in given],
        [torch.tensor(g, requires_grad=True) for g in given],
    )
    hx = None if not s else tuple(s) if kind == "LSTM" else s[0]
    their_hx = None if not t else tuple(t) if kind == "LSTM" else t[0]
    y, right = flat(ours(a, hx)), flat(theirs(b, their_hx))
    assert_same(y, right, [a, *s, *ours.parameters()], [b, *t, *theirs.parameters()])


@pytest.mark.oracle
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize(
    "kind, options",
    [(k, {"num_layers": 2, "bidirectional": True}) for k in KINDS]
    + [("LSTM", {"proj_size": 2, "bidirectional": True}), ("RNN", {"nonlinearity": "relu"})],
)
def test_packed_sequences_against_pytorch(kind, options, with_states):
    import torch

    ours, theirs = both(kind, **options)
    x, order = drawn(5, 4, 3), [2, 0, 3, 1]
    lengths = [LENGTHS[i] for i in order]
    a, b = sg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    packed = rnn.pack_padded_sequence(a, lengths, enforce_sorted=False)
    right = torch.nn.utils.rnn.pack_padded_sequence(b, lengths, enforce_sorted=False)
    numpy.testing.assert_array_equal(packed.batch_sizes.numpy(), right.batch_sizes.numpy())
    numpy.testing.assert_array_equal(packed.unsorted_indices.numpy(), right.unsorted_indices.numpy())
    given = states_of(kind, ours, 4) if with_states else []
    s, t = (
        [sg.tensor(g, requires_grad=True) for g in given],
        [torch.tensor(g, requires_grad=True) for g in given],
    )
    hx = None if not s else tuple(s) if kind == "LSTM" else s[0]
    their_hx = None if not t else tuple(t) if kind == "LSTM" else t[0]
    (y, last), (right_y, right_last) = ours(packed, hx), theirs(right, their_hx)
    padded, found = rnn.pad_packed_sequence(y, batch_first=True, padding_value=-1.0, total_length=6)
    right_padded, right_lengths = torch.nn.utils.rnn.pad_packed_sequence(right_y, True, -1.0, 6)
    assert found.tolist() == right_lengths.tolist() == lengths
    assert_same(
        flat([y.data, padded, last]), flat([right_y.data, right_padded, right_last]),
        [a, *s, *ours.parameters()], [b, *t, *theirs.parameters()],
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_packed_rows_are_what_each_sequence_gives_alone(kind):
    sg.manual_seed(0)
    module = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, dtype=sg.float64)
    sequences = [sg.tensor(drawn(n, 3, seed=n)) for n in LENGTHS]
    output, last = module(rnn.pack_sequence(sequences))
    for i, (alone, together) in enumerate(zip(sequences, rnn.unpack_sequence(output), strict=True)):
        y, h = module(alone)
        numpy.testing.assert_allclose(together.tolist(), y.tolist(), atol=1e-14)
        for a, b in zip(flat(last), flat(h)):
            numpy.testing.assert_allclose(a[:, i].tolist(), b.tolist(), atol=1e-14)


CELLS = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("LSTMCell", {}),
    ("GRUCell", {"bias": False}),
]


@pytest.mark.parametrize("name, options", CELLS)
def test_a_cell_step_by_step_is_the_layer(name, options):
    sg.manual_seed(1)
    cell = getattr(nn, name)(3, 4, dtype=sg.float64, **options)
    layer = getattr(nn, name.removesuffix("Cell"))(3, 4, dtype=sg.float64, **options)
    layer.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    x, state = sg.tensor(drawn(6, 2, 3)), None
    outputs = []
    for t in range(6):
        state = cell(x[t], state)
        outputs.append(state[0] if name == "LSTMCell" else state)
    y, _ = layer(x)
    numpy.testing.assert_allclose(sg.stack(outputs).tolist(), y.tolist(), atol=1e-14)
    assert flat(cell(x[0, 0]))[0].shape == (4,)


# ---------------------------------------------------------------------------------------------- compiled


@pytest.mark.parametrize("dtype", [sg.float32, sg.float64])
@pytest.mark.parametrize("rows", [1, 3, 37, 70])
@pytest.mark.parametrize("kind", KINDS)
def test_a_native_step_is_the_eager_one(kind, rows, dtype):
    # A part of the batch, whole parts and a rest, several directions and layers.
    ends = []
    for compiled in (False, True):
        sg.manual_seed(0)
        module = getattr(nn, kind)(3, 9, num_layers=2, bidirectional=True, dtype=dtype)
        optimizer = sg.optim.SGD(module.parameters(), lr=0.1)

        def step(x, module=module, optimizer=optimizer):
            optimizer.zero_grad()
            y, last = module(x)
            loss = (y * y).mean() + sum(s.abs().mean() for s in flat(last))
            loss.backward()
            optimizer.step()
            return loss

        run = sg.compile(step) if compiled else step
        for seed in range(3):
            loss = run(sg.tensor(drawn(7, rows, 3, seed=seed), dtype=dtype))
        ends.append([loss.item(), *(p.detach().numpy() for p in module.parameters())])
    tolerance = 1e-11 if dtype is sg.float64 else 2e-5
    for native, eager in zip(*ends[::-1]):
        numpy.testing.assert_allclose(native, eager, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences_in_a_native_step(kind):
    sg.manual_seed(0)
    module = getattr(nn, kind)(3, 5, bidirectional=True, dtype=sg.float64)

    def step(x):
        output, last = module(rnn.pack_padded_sequence(x, LENGTHS))
        loss = (output.data**2).sum() + sum((s**2).sum() for s in flat(last))
        return sg.autograd.grad(loss, list(module.parameters()))

    x = sg.tensor(drawn(5, 4, 3))
    for native, eager in zip(sg.compile(step)(x), step(x)):
        numpy.testing.assert_allclose(native.numpy(), eager.numpy(), rtol=1e-12, atol=1e-13)


def test_a_native_step_gives_the_same_bits_on_more_threads():
    ends = []
    before = sg.get_num_threads()
    for threads in (1, 2, 3):
        sg.set_num_threads(threads)
        sg.manual_seed(0)
        module = nn.LSTM(16, 64)
        step = sg.compile(lambda x, m=module: sg.autograd.grad((m(x)[0] ** 2).sum(), list(m.parameters())))
        ends.append([g.numpy().tobytes() for g in step(sg.tensor(drawn(12, 70, 16), dtype=sg.float32))])
    sg.set_num_threads(before)
    assert ends[0] == ends[1] == ends[2]


def test_second_derivatives():
    module = nn.GRU(2, 3, dtype=sg.float64)
    x = sg.tensor(drawn(3, 2, 2), requires_grad=True)
    sg.autograd.gradgradcheck(lambda x: module(x)[0].sum(), [x])


# ------------------------------------------------------------------------------------- files and messages


@pytest.mark.parametrize("kind", [*KINDS, "LSTMCell"])
def test_a_model_file_brings_it_back(kind, tmp_path):
    model = nn.ModuleList([getattr(nn, kind)(3, 4), nn.Linear(4, 2)])
    sg.save(model, tmp_path / "model.safetensors")
    again = sg.load(tmp_path / "model.safetensors")
    x = sg.tensor(drawn(5, 3), dtype=sg.float32)
    assert flat(again[0](x))[0].tolist() == flat(model[0](x))[0].tolist()


def test_initial_weights_lie_within_the_bound():
    module = nn.LSTM(100, 25, bidirectional=True)
    for p in module.parameters():
        assert 0.19 < p.abs().max().item() <= 0.2
    assert len(module.all_weights) == 2
    assert [len(weights) for weights in module.all_weights] == [4, 4]


def test_repr_is_pytorchs():
    assert repr(nn.LSTM(3, 4, 2, batch_first=True)) == "LSTM(3, 4, num_layers=2, batch_first=True)"
    assert repr(nn.LSTM(3, 4, proj_size=2)) == "LSTM(3, 4, proj_size=2)"


WRONG = [
    (lambda: nn.LSTM(3, 4)(sg.zeros(5, 2, 7)), ShapeError, r"\(steps, batch, features\) or .*with 3 fea"),
    (lambda: nn.GRU(3, 4, batch_first=True)(sg.zeros(7)), ShapeError, r"takes \(batch, steps, features\) or"),
    (lambda: nn.RNN(3, 4)(sg.zeros(0, 2, 3)), ShapeError, "at least one step"),
    (lambda: nn.RNN(3, 4)(sg.zeros(5, 2, 3).double()), DtypeError, "weights of float32 and got .* float64"),
    (lambda: nn.RNN(3, 4)([1.0]), DtypeError, "takes a tensor or a PackedSequence, not list"),
    (lambda: nn.RNN(3, 4)(sg.zeros(5, 2, 3), sg.zeros(1, 3, 4)), ShapeError, r"h_0 of shape \[1, 2, 4\] "),
    (lambda: nn.LSTM(3, 4)(sg.zeros(5, 2, 3), sg.zeros(1, 2, 4)), ArgumentError, r"a pair \(h_0, c_0\)"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ArgumentError, "proj_size to be 0, or for LSTM less than hidden_s"),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), ArgumentError, "'tanh' or 'relu', not 'sin'"),
    (lambda: nn.GRU(3, 0), ArgumentError, "hidden_size to be a whole number of 1 or more, not 0"),
    (lambda: nn.GRU(3, 4, dropout=2.0), ArgumentError, "dropout to be a probability, not 2.0"),
    (lambda: nn.GRUCell(3, 4)(sg.zeros(2, 5)), ShapeError, r"an input of 3 numbers, .*not shape \[2, 5\]"),
    (lambda: nn.GRUCell(3, 4)(sg.zeros(2, 3), sg.zeros(2, 5)), ShapeError, "a state of 4 numbers"),
    (lambda: rnn.pack_padded_sequence(sg.zeros(5, 2, 3), [3, 4]), ArgumentError, "from long to short; use"),
    (lambda: rnn.pack_padded_sequence(sg.zeros(5, 2, 3), [6, 4]), ArgumentError, "a length from 1 to 5 for"),
    (lambda: rnn.pad_sequence([]), ArgumentError, "needs at least one sequence"),
    (lambda: rnn.pad_sequence([sg.zeros(2, 3), sg.zeros(2, 4)]), ShapeError, r"sequence 1 has shape \[2, "),
    (lambda: rnn.pad_sequence([sg.zeros(2)], padding_side="top"), ArgumentError, "'right' or 'left', not"),
    (lambda: rnn.pad_packed_sequence(rnn.pack_sequence([sg.zeros(3)]), total_length=2), ArgumentError, "2"),
]  # fmt: skip


@pytest.mark.parametrize("fails, error, message", WRONG)
def test_what_does_not_fit_is_named(fails, error, message):
    with pytest.raises(error, match=message):
        fails()


def test_dropout_of_a_single_layer_is_remarked_upon():
    with pytest.warns(UserWarning, match="drops out between layers, of which there is one"):
        nn.LSTM(3, 4, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(3, 4, 2, dropout=0.5)


def test_dropout_between_layers_while_training():
    sg.manual_seed(0)
    module = nn.GRU(3, 4, 2, dropout=0.9)
    x = sg.tensor(drawn(5, 2, 3), dtype=sg.float32)
    trained = module(x)[0].tolist()
    assert trained != module(x)[0].tolist()
    module.eval()
    assert module(x)[0].tolist() == module(x)[0].tolist()


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_there_and_back(side):
    sequences = [sg.tensor([[1.0, 2.0], [3.0, 4.0]]), sg.tensor([[5.0, 6.0]])]
    padded = rnn.pad_sequence(sequences, padding_value=9.0, padding_side=side)
    assert padded.shape == (2, 2, 2)
    row = [[5.0, 6.0], [9.0, 9.0]]
    assert padded[:, 1].tolist() == (row if side == "right" else row[::-1])
    if side == "right":
        assert [x.tolist() for x in rnn.unpad_sequence(padded, [2, 1])] == [x.tolist() for x in sequences]


def unrolled(compiled):
    """The losses of a step that calls a cell again and again: more kernels than one function calls."""
    sg.manual_seed(0)
    cell = nn.LSTMCell(3, 5, dtype=sg.float64)
    optimizer = sg.optim.Adam(cell.parameters(), lr=0.01)

    def step(x):
        optimizer.zero_grad()
        states = None
        for t in range(x.shape[0]):
            states = cell(x[t], states)
        loss = (states[0] ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step) if compiled else step
    losses = [run(sg.tensor(drawn(16, 4, 3, seed=i))).item() for i in range(4)]
    return losses, run


def test_a_cell_in_a_loop_is_compiled_once_for_all_steps():
    (eager, _), (native, run) = unrolled(False), unrolled(True)
    assert native == pytest.approx(eager, rel=1e-12)
    code = run.programs[0].native
    assert len(code.kernels) > 128
    assert code.text.count("define internal void @k") < 40
