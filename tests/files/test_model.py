"""Models, states and values in files: equal when they come back, and clear words when they cannot."""

import io
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DeviceError, FileError, MissingNameError
from stepgrad.files import load_weights, read_record, read_tensors, write_tensors


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, hidden), nn.BatchNorm1d(hidden), nn.Tanh(), nn.Dropout(0.5))
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def trained():
    """A network whose every weight and buffer has moved from its first value."""
    sg.manual_seed(1)
    model = Net(5)
    model(sg.randn(8, 4))
    return model


def assert_same_state(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype is b[name].dtype
        assert a[name].shape == b[name].shape
        assert a[name].numpy().tobytes() == b[name].numpy().tobytes()


def test_a_model_comes_back_with_equal_outputs(path):
    model = trained().eval()
    sg.save(model, path)
    again = sg.load(path, classes=[Net])
    assert type(again) is Net
    assert_same_state(again.state_dict(), model.state_dict())
    x = sg.randn(3, 4)
    assert (again(x) == model(x)).all()


def test_modes_and_frozen_parameters_come_back(path):
    model = trained()
    model.body[1].eval()
    model.head.weight.requires_grad_(False)
    sg.save(model, path)
    again = sg.load(path, classes=[Net])
    assert [part.training for part in again.modules()] == [part.training for part in model.modules()]
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in model.parameters()]
    assert all(p.is_leaf for p in again.parameters())


@pytest.mark.parametrize("dtype", [sg.float16, sg.float64])
def test_the_dtype_of_the_weights_comes_back(path, dtype):
    model = trained().to(dtype)
    sg.save(model, path)
    assert_same_state(sg.load(path, classes=[Net]).state_dict(), model.state_dict())


def test_a_loaded_model_can_be_trained(path):
    sg.save(trained(), path)
    model = sg.load(path, classes=[Net])
    model(sg.randn(8, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_saving_and_loading_leave_the_random_streams_alone(path):
    model = trained()
    before = sg.get_rng_state()
    sg.save(model, path)
    sg.load(path, classes=[Net])
    assert sg.get_rng_state() == before


def test_the_same_model_gives_the_same_bytes(path, tmp_path):
    sg.save(trained(), path, record={"epochs": 3})
    sg.save(trained(), tmp_path / "b", record={"epochs": 3})
    assert path.read_bytes() == (tmp_path / "b").read_bytes()


def test_shared_modules_and_weights(path):
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    sg.save(model, path)
    again = sg.load(path)
    assert again[0] is again[2]
    assert_same_state(again.state_dict(), model.state_dict())


def test_a_model_in_a_fresh_process_needs_its_class(path):
    sg.save(trained(), path)
    program = """
        import sys
        import stepgrad as sg
        try:
            sg.load(sys.argv[1])
        except AttributeError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert done.stdout.strip() == (
        f"'{path}' needs the module class Net, and a file brings no code along. Define or import it and "
        f"hand it over: stepgrad.load(path, classes=[Net])."
    )


def test_a_state_comes_back(path):
    state = trained().state_dict()
    sg.save(state, path)
    again = sg.load(path)
    assert_same_state(again, state)
    assert not any(tensor.requires_grad for tensor in again.values())
    other = Net(5)
    other.load_state_dict(again)
    assert_same_state(other.state_dict(), state)


def test_every_dtype_and_shape_in_a_state(path):
    state = {
        f"{dtype.name} {shape}": sg.ones(*shape, dtype=dtype)
        for dtype in (
            sg.bool,
            sg.uint8,
            sg.int8,
            sg.int16,
            sg.int32,
            sg.int64,
            sg.float16,
            sg.float32,
            sg.float64,
        )
        for shape in ((), (0,), (2, 3))
    }
    sg.save(state, path)
    assert_same_state(sg.load(path), state)


def test_values_with_tensors_come_back(path):
    value = {
        "epoch": 3,
        "best": (0.25, float("nan"), float("-inf")),
        "state": {0: {"step": sg.tensor(4.0), "kind": sg.float16}},
        "array": np.arange(3),
        "parameters": [nn.Parameter(sg.ones(2))],
    }
    sg.save(value, path)
    again = sg.load(path)
    assert again["epoch"] == 3
    assert repr(again["best"]) == repr(value["best"])
    assert again["state"][0]["step"].item() == 4.0
    assert again["state"][0]["kind"] is sg.float16
    assert isinstance(again["array"], np.ndarray)
    assert again["parameters"][0].tolist() == [1.0, 1.0]
    sg.save(sg.ones(2), path)
    assert sg.load(path).tolist() == [1.0, 1.0]
    sg.save({}, path)
    assert sg.load(path) == {}


def test_the_record_is_kept(path):
    record = {"columns": ["나이", "price"], "loss": [0.1, float("inf")], "shape": (1, 2), 3: None}
    for obj in (trained(), trained().state_dict(), [1]):
        sg.save(obj, path, record=record)
        assert read_record(path) == record
    sg.save(trained(), path)
    assert read_record(path) is None
    with pytest.raises(ArgumentError, match=r"a record holds no arrays and tensors, but 'record\.a' is one"):
        sg.save(trained(), path, record={"a": np.zeros(2)})


def test_files_that_are_open_or_in_memory(path):
    model = trained().eval()
    memory = io.BytesIO()
    sg.save(model, memory)
    sg.save(model, path)
    assert memory.getvalue() == path.read_bytes()
    memory.seek(0)
    assert_same_state(sg.load(memory, classes=[Net]).state_dict(), model.state_dict())
    with path.open("wb") as file:
        file.write(b"mine")
        sg.save({"w": sg.arange(3)}, file)
    with path.open("rb") as file:
        assert file.read(4) == b"mine"
        assert sg.load(file)["w"].tolist() == [0, 1, 2]
        with pytest.raises(FileError, match=r"nothing is left in it after its position; call seek\(0\)"):
            sg.load(file)
    memory.seek(0)
    other = Net(5)
    load_weights(other, memory)
    assert_same_state(other.state_dict(), model.state_dict())
    with pytest.raises(FileError, match="'BytesIO' is damaged or not a safetensors file"):
        sg.load(io.BytesIO(b"something else"))
    with pytest.raises(ArgumentError, match="opened for reading text; open it with mode 'rb'"):
        sg.load(io.StringIO("text"))
    with pytest.raises(ArgumentError, match="the object first and the path second"):
        sg.save(memory, model)


def test_the_device_to_load_to(path):
    sg.save(trained(), path)
    assert next(sg.load(path, classes=[Net], map_location="cpu").parameters()).device == "cpu"
    assert next(sg.load(path, classes=[Net], map_location=sg.device("cpu")).parameters()).device == "cpu"
    with pytest.raises(DeviceError, match="there is no device 'tpu'"):
        sg.load(path, classes=[Net], map_location="tpu")
    for arguments in ((path, trained()), (trained(), path)):
        with pytest.raises(ArgumentError, match=r"load takes the path .*files\.load_weights\(model, path\)"):
            sg.load(*arguments)


def test_what_cannot_be_saved_is_refused_and_the_old_file_kept(path):
    class Optimizer:
        def state_dict(self):
            return {}

    changed = trained()
    changed.extra = nn.Linear(1, 1)
    sg.save(trained(), path)
    before = path.read_bytes()
    for obj, message in [
        (Optimizer(), "a file cannot hold a Optimizer; save its state: stepgrad.save(x.state_dict(), path)"),
        ({"net": trained()}, "'net' is a Net, which a file cannot hold"),
        (lambda: 0, "is a function, which a file cannot hold"),
        (changed, "the model is not what its constructor makes"),
    ]:
        with pytest.raises(ArgumentError) as caught:
            sg.save(obj, path)
        assert message in str(caught.value)
    with pytest.raises(ArgumentError, match="save takes the object first and the path second"):
        sg.save(path, trained())
    with pytest.raises(ArgumentError, match=r"load takes the path of a file alone"):
        sg.load(trained())
    assert path.read_bytes() == before


def test_another_architecture_says_which_names_differ(path):
    model = trained()
    sg.save(model, path)
    other = Net(7)
    del other.body[3]
    other.tail = nn.Linear(2, 2)
    other.head = nn.Linear(7, 2, bias=False)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(FileError) as caught:
        load_weights(other, path)
    reshaped = ["body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "body.1.running_mean"]
    assert str(caught.value).startswith(
        f"'{path}' does not fit the model. Missing in the file: 'tail.weight', 'tail.bias'. Not in the "
        f"model: 'head.bias'. Of another shape: 'body.0.weight' is (5, 4) in the file, (7, 4) in the model, "
    )
    for name in [*reshaped, "body.1.running_var", "head.weight"]:
        assert f"'{name}' is (" in str(caught.value)
    assert_same_state(other.state_dict(), before)


def test_weights_from_a_model_file_or_a_state_file(path, tmp_path):
    model = trained()
    sg.save(model, path)
    sg.save(model.state_dict(), tmp_path / "state")
    for file in (path, tmp_path / "state"):
        other = Net(5)
        load_weights(other, file)
        assert_same_state(other.state_dict(), model.state_dict())
    sg.save([1], path)
    with pytest.raises(FileError, match="holds values, not the weights of a model"):
        load_weights(other, path)


def test_weights_that_both_have(path):
    sg.save({"weight": sg.ones(2, 3), "scale": sg.ones(1)}, path)
    layer = nn.Linear(3, 2)
    bias = layer.bias.detach().clone()
    load_weights(layer, path, strict=False)
    assert layer.weight.tolist() == [[1.0] * 3] * 2
    assert (layer.bias == bias).all()
    sg.save({"weight": sg.ones(2, 4)}, path)
    with pytest.raises(FileError, match=r"'weight' is \(2, 4\) in the file, \(2, 3\) in the model"):
        load_weights(layer, path, strict=False)


def test_every_flipped_bit_of_a_model_is_found(path):
    sg.save(nn.Linear(2, 1), path, record=[1])
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    for position in generator.choice(8 * len(content), 300, replace=False).tolist():
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        for read in (sg.load, read_record):
            with pytest.raises(FileError, match="is damaged or not a safetensors file"):
                read(path)
    for length in generator.choice(len(content), 50, replace=False).tolist():
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match="is damaged or not a safetensors file"):
            sg.load(path)


def resealed(path, change):
    """Write a file again with changed arrays and metadata and a checksum that fits, as an attacker would."""
    arrays, metadata = read_tensors(path)
    change(arrays, metadata)
    write_tensors(path, arrays, metadata)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a, m: m.pop("stepgrad.architecture"), "the entry 'stepgrad.architecture' is missing from it"),
        (lambda a, m: m.pop("stepgrad.modes"), "the entry 'stepgrad.modes' is missing from it"),
        (lambda a, m: m.update({"stepgrad.modes": "[]"}), "its modes are not lists of names"),
        (
            lambda a, m: m.update({"stepgrad.modes": '{"evaluating":3,"frozen":[]}'}),
            "its modes are not lists",
        ),
        (lambda a, m: m.update({"stepgrad.architecture": "3"}), "its architecture is not a module"),
        (lambda a, m: m.update({"stepgrad.kind": "x" * 999}), "knows no files of the kind 'xxx"),
        (lambda a, m: a.pop("weight"), "Missing in the file: 'weight'."),
        (lambda a, m: a.update(more=np.zeros(2)), "Not in the model: 'more'."),
        (lambda a, m: a.update(weight=np.zeros(2)), "'weight' is (2,) in the file, (1, 2) in the model"),
        (lambda a, m: a.update(weight=np.zeros((1, 2), "uint64")), "stepgrad has no data type uint64"),
        (lambda a, m: a.update(weight=np.zeros((1, 2), "int64")), "'weight' is int64"),
    ],
)
def test_hostile_models(path, change, message):
    sg.save(nn.Linear(2, 1), path)
    resealed(path, change)
    with pytest.raises(FileError) as caught:
        sg.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_renamed_pickle_is_never_opened(path):
    path.write_bytes(pickle.dumps(np.zeros(3)))
    with pytest.raises(FileError, match="a PyTorch file or another pickle"):
        read_record(path)
    for read in (sg.load, lambda p: load_weights(nn.Linear(1, 1), p)):
        with pytest.raises(
            FileError, match=r"it holds 'numpy\..*would run code.*torch\.save\(model\.state_dict"
        ):
            read(path)


def test_a_missing_file(path):
    with pytest.raises(FileError, match=r"cannot read '.*model\.safetensors': there is no such file"):
        sg.load(path)


def test_a_class_of_ones_own_that_changed(path):
    class Part(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.layer = nn.Linear(size, 1)

    sg.save(Part(3), path)

    class Changed(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.layer = nn.Linear(size, 2)

    Changed.__name__ = "Part"
    with pytest.raises(FileError, match=r"does not fit the model. .*'layer.weight' is \(1, 3\) in the file"):
        sg.load(path, classes=[Changed])
    with pytest.raises(MissingNameError):
        sg.load(path)


# ------------------------------------------------------------------------------------ PyTorch


def torch_and_stepgrad(torch):
    """The same network in both, by the same names."""

    def network(nn, base):
        class Both(base):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(11, 3)
                self.body = nn.Sequential(
                    nn.Linear(3, 8),
                    nn.BatchNorm1d(8),
                    nn.GELU(),
                    nn.LayerNorm(8),
                    nn.PReLU(),
                    nn.Dropout(0.3),
                )
                self.head = nn.Linear(8, 2, bias=False)

            def forward(self, x):
                return self.head(self.body(self.embed(x)))

        return Both()

    return network(torch.nn, torch.nn.Module), network(nn, nn.Module)


@pytest.mark.oracle
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_state_of_pytorch_gives_equal_outputs_and_goes_back(path, precision):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    theirs, ours = torch_and_stepgrad(torch)
    theirs.to(getattr(torch, precision))
    ours.to(getattr(sg, precision))
    numbers = np.random.default_rng(0).integers(0, 11, 16)
    theirs(torch.from_numpy(numbers))  # so that the running statistics move
    files.save_file(theirs.state_dict(), path)

    ours.load_state_dict(sg.load(path))
    expected = theirs.eval()(torch.from_numpy(numbers)).detach().numpy()
    tolerance = 1e-9 if precision == "float64" else 1e-5
    found = ours.eval()(sg.from_numpy(numbers)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

    for saved in (ours, ours.state_dict()):
        sg.save(saved, path)
        back = files.load_file(path)
        assert back.keys() == theirs.state_dict().keys()
        for name, tensor in theirs.state_dict().items():
            assert back[name].dtype == tensor.dtype
            assert torch.equal(back[name], tensor)
        again, _ = torch_and_stepgrad(torch)
        again.to(getattr(torch, precision)).load_state_dict(back)
        assert np.array_equal(again.eval()(torch.from_numpy(numbers)).detach().numpy(), expected)


@pytest.mark.oracle
def test_bfloat16_of_pytorch_is_read_exactly(path):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    x = torch.randn(100, dtype=torch.bfloat16)
    files.save_file({"x": x}, path)
    np.testing.assert_array_equal(sg.load(path)["x"].numpy(), x.float().numpy())


def test_files_of_other_programs_with_types_that_stepgrad_lacks(path):
    arrays = {"a": np.array([65535], "uint16"), "b": np.array([2**32 - 1], "uint32"), "h": np.ones(2, "f2")}
    write_tensors(path, arrays)
    found = sg.load(path)
    assert [(t.dtype, t.tolist()) for t in found.values()] == [
        (sg.int32, [65535]), (sg.int64, [2**32 - 1]), (sg.float16, [1, 1]),
    ]  # fmt: skip
