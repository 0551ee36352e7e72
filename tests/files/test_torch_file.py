"""PyTorch's files: what is read, and that nothing else is."""

import re
import struct
import zipfile

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import FileError
from stepgrad.files import load_weights
from tests.files.torch_files import (
    dict_of,
    name,
    number,
    numbers,
    pickled,
    state,
    storage,
    tensor,
    text,
    write_legacy,
    write_zip,
)  # fmt: skip

WEIGHT = np.arange(6, dtype="f4").reshape(2, 3)
ARRAYS = {
    "weight": WEIGHT,
    "double": np.array([1.5, np.inf]),
    "half": np.array([0.25, -2], "f2"),
    "steps": np.array(7),
    "small": np.array([-1, 2], "i4"),
    "bytes": np.array([255], "u1"),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 3), "f4"),
}


def write(path, layout, value, storages):
    if layout == "zip":
        return write_zip(path, value, {key: array.tobytes() for key, array in storages.items()})
    return write_legacy(path, value, storages)


@pytest.fixture(params=["zip", "legacy"])
def layout(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pt"


def refused(path, message):
    with pytest.raises(FileError, match=message) as caught:
        sg.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600


# ------------------------------------------------------------------------------------- what is read


def test_a_state_dict(path, layout):
    found = sg.load(write(path, layout, *state(**ARRAYS)))
    assert list(found) == list(ARRAYS)
    for key, array in ARRAYS.items():
        assert found[key].shape == array.shape
        assert found[key].dtype.name == array.dtype.name
        np.testing.assert_array_equal(found[key].numpy(), array)
        found[key].zero_()  # its memory is its own


def test_weights_go_into_a_module(path, layout):
    net = sg.nn.Linear(3, 2)
    load_weights(net, write(path, layout, *state(weight=WEIGHT, bias=np.ones(2, "f4"))))
    np.testing.assert_array_equal(net(sg.ones(3)).detach().numpy(), [4, 13])
    with pytest.raises(FileError, match=r"does not fit the model\. Not in the model: 'bias'"):
        load_weights(sg.nn.Linear(3, 2, bias=False), path)


def test_a_checkpoint(path, layout):
    value, storages = state(w=WEIGHT)
    rate = struct.pack(">d", 0.1)
    whole = dict_of(epoch=number(3), model=value, rate=b"G" + rate, done=b"N", betas=b"(G" + rate + b"Nt")
    found = sg.load(write(path, layout, whole, storages))
    assert found.keys() == {"epoch", "model", "rate", "done", "betas"}
    assert (found["epoch"], found["rate"], found["done"], found["betas"]) == (3, 0.1, None, (0.1, None))
    with pytest.raises(FileError, match=r"not a dict of tensors by name; it holds 'epoch', 'model', .*Pick"):
        load_weights(sg.nn.Linear(3, 2), path)


def test_views_and_shared_memory(path, layout):
    whole = storage("Float", "0", 6)
    value = dict_of(
        whole=tensor(whole, (2, 3), (3, 1)),
        turned=tensor(whole, (3, 2), (1, 3)),
        part=tensor(whole, (2,), (3,), first=1),
        one=tensor(whole, (), (), first=5),
        expanded=tensor(whole, (4, 2), (0, 1)),
        trained=name("torch._utils._rebuild_parameter") + tensor(whole, (6,), (1,)) + b"\x88}\x87R",
    )
    found = sg.load(write(path, layout, value, {"0": WEIGHT}))
    np.testing.assert_array_equal(found["turned"].numpy(), WEIGHT.T)
    assert (found["part"].tolist(), found["one"].item()) == ([1, 4], 5)
    assert isinstance(found["trained"], sg.nn.Parameter)
    found["whole"][0, 0] = 9.0
    assert found["turned"][0, 0].item() == found["trained"].detach()[0].item() == 9
    assert found["expanded"].tolist() == [[0, 1]] * 4  # a copy


def test_bfloat16_becomes_float32(path):
    value = tensor(storage("BFloat16", "0", 2), (2,), (1,))
    data = np.array([1.5, -3.0e38], "f4").view("u4") >> 16
    found = sg.load(write_zip(path, value, {"0": data.astype("<u2").tobytes()}))
    assert found.dtype == sg.float32
    assert found.tolist() == (data.astype("u4") << 16).view("f4").tolist()


def test_other_plain_values(path):
    called = name("torch.Size") + b"(" + numbers((2, 3)) + b"tR"
    device = name("torch.device") + b"(" + text("cpu") + b"tR"
    numpy_type = name("numpy.dtype") + b"(" + text("f8") + b"\x89\x88tR(K\x03" + text("<") + b"tb"
    encoded = name("_codecs.encode") + b"(" + text("\x00" * 6 + "\x08@") + text("latin1") + b"tR"
    scalar = name("numpy._core.multiarray.scalar") + numpy_type + encoded + b"\x86R"
    ordered = name("collections.OrderedDict") + b")R(" + text("a") + number(1) + b"u}" + text("_m") + b"}sb"
    unique = name("__builtin__.set") + b"](K\x01K\x02e\x85R"
    value = dict_of(
        size=called, device=device, scalar=scalar, ordered=ordered, unique=unique, kind=name("torch.float32")
    )
    assert sg.load(write_zip(path, value, {})) == {
        "size": (2, 3), "device": sg.device("cpu"), "scalar": 3.0, "ordered": {"a": 1}, "unique": {1, 2},
        "kind": sg.float32,
    }  # fmt: skip


def test_a_big_endian_machine(path):
    value, _ = state(w=WEIGHT)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickled(value))
        archive.writestr("net/byteorder", "big")
        archive.writestr("net/data/0", WEIGHT.astype(">f4").tobytes())
    np.testing.assert_array_equal(sg.load(path)["w"].numpy(), WEIGHT)


def test_parts_of_storages_in_old_files(path):
    part = storage("Float", "0", 6, b"(" + text("v") + number(2) + number(3) + b"t")
    found = sg.load(write_legacy(path, tensor(part, (3,), (1,)), {"0": WEIGHT}))
    assert found.tolist() == [2, 3, 4]
    part = storage("Float", "0", 6, b"(" + text("v") + number(4) + number(3) + b"t")
    refused(write_legacy(path, tensor(part, (3,), (1,)), {"0": WEIGHT}), "3 numbers from 4 of a storage of 6")


def test_another_device(path):
    with pytest.raises(sg.errors.DeviceError, match="tpu"):
        sg.load(write_zip(path, number(1), {}), "tpu")
    value, storages = state(w=WEIGHT)
    write(path, "zip", value, storages)
    assert sg.load(path, map_location="cpu", weights_only=True)["w"].device == "cpu"


# ------------------------------------------------------------------------------------- what is refused


def test_objects_of_classes(path, layout):
    net = name("__main__.Net") + b")\x81}b"
    refused(write(path, layout, dict_of(net=net), {}), r"it holds '__main__\.Net'.*torch\.save\(model\.state")


@pytest.mark.parametrize("called", ["os.system", "builtins.eval", "torch.load", "torch._utils.__builtins__"])
def test_code(path, layout, called):
    refused(write(path, layout, name(called) + text("echo") + b"\x85R", {}), "run code")


TWICE_AGAIN = number(1) + b"\x85q\x00" + b"0h\x00h\x00\x86q\x00" * 100  # 2¹⁰⁰ numbers
DEEP = b")" + b"\x85" * 100_000
LARGE = b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000


@pytest.mark.parametrize("value", [TWICE_AGAIN, DEEP, LARGE], ids=["wide", "deep", "large"])
@pytest.mark.parametrize(
    "place, message",
    [
        (b"%bQ", "is no storage|could run code|no persistent"),
        (b"%b\x85R", "is no function that tensors need"),
        (name("torch.device") + b"%b\x85R", "holds a device that is"),
        (name("numpy.dtype") + b"%b\x85R", "holds NumPy's type"),
        (
            name("torch._utils._rebuild_tensor_v2") + b"(" + storage("Float", "0", 6) + b"K\x00%b%b\x89}tR",
            "no possible shape",
        ),
    ],
    ids=["reference", "function", "device", "type", "shape"],
)
def test_an_error_shows_no_more_than_the_begin_of_a_value(path, layout, place, message, value):
    place = place.replace(b"%b", value)
    if message == "is no function that tensors need":
        place = value + place
    refused(write(path, layout, place, {"0": WEIGHT}), message)


LACKING = {
    "complex": (tensor(storage("ComplexFloat", "0", 3), (3,), (1,)), "complex numbers.*view_as_real"),
    "a complex number": (name("__builtin__.complex") + b"G" + bytes(8) + b"\x85R", "complex numbers"),
    "float8": (
        name("torch._utils._rebuild_tensor_v3") + b"(" + storage("Byte", "0", 24) + number(0) + numbers((6,))
        + numbers((1,)) + b"\x89}" + name("torch.float8_e4m3fn") + b"tR",
        r"numbers of the type float8_e4m3fn.*x\.float\(\)",
    ),
    "sparse": (name("torch._utils._rebuild_sparse_tensor") + b")R", r"a sparse tensor.*to_dense\(\)"),
    "quantised": (name("torch._utils._rebuild_qtensor") + b")R", r"a quantised tensor.*dequantize\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_what_stepgrad_lacks_is_said_to_be_lacking(path, layout, case):
    value, message = LACKING[case]
    refused(write(path, layout, dict_of(w=value), {"0": WEIGHT}), f"cannot read .*it holds {message}")


def test_every_cut_file_is_refused(path, layout):
    data = write(path, layout, *state(weight=WEIGHT, bias=np.ones(2, "f4"))).read_bytes()
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        with pytest.raises(FileError):
            sg.load(path)
    path.write_bytes(data + b"more")
    if layout == "legacy":
        refused(path, "storages that no tensor uses")


@pytest.mark.parametrize(
    "layout, count",
    [
        ("zip", 600),
        ("legacy", 300),
        pytest.param("zip", 3500, marks=pytest.mark.slow),
        pytest.param("legacy", 1500, marks=pytest.mark.slow),
    ],
)
def test_whatever_byte_is_damaged_one_kind_of_error_says_so(path, layout, count):
    """Where the damage is in a number, or in a byte that says nothing, the file is read."""
    device = name("torch.device") + text("cpu") + b"\x85R"
    x = tensor(storage("Float", "0", 6, b"N" if layout == "legacy" else b""), (2, 3), (3, 1))
    data = write(path, layout, dict_of(x=x, where=device, epoch=number(3)), {"0": WEIGHT}).read_bytes()
    data = bytearray(data)
    for found in re.finditer(rb"PK\x01\x02", data):
        data[found.start() + 9] |= 8  # the names of entries are UTF-8, as PyTorch says
    random = np.random.default_rng(0)
    errors = set()
    for step in range(count):
        damaged = bytearray(data)
        place = step % len(data)
        damaged[place] ^= int(random.choice([1, 0x80, 0xFF, random.integers(1, 256)]))
        path.write_bytes(damaged[: random.integers(len(data))] if step % 50 == 0 else damaged)
        try:
            sg.load(path)
        except FileError as error:
            errors.add(str(error))
    assert len(errors) > 20
    assert all(str(path) in error and len(error) < 600 for error in errors)


def test_an_archive_whose_names_are_no_text_is_damaged(path):
    data = bytearray(write(path, "zip", *state(weight=WEIGHT)).read_bytes())
    listed = data.index(b"PK\x01\x02")
    for place in (30, listed + 46):  # the name before the entry, and that in the list of entries
        damaged = bytearray(data)
        damaged[listed + 9] |= 8  # the name is UTF-8
        damaged[place] = 0xFF
        path.write_bytes(damaged)
        refused(path, "is damaged or not a PyTorch file: its archive is broken")


def test_a_changed_bit_of_an_archive_is_found(path):
    data = bytearray(write(path, "zip", *state(weight=WEIGHT)).read_bytes())
    place = data.index(WEIGHT.tobytes())
    data[place + 5] ^= 1
    path.write_bytes(data)
    refused(path, "archive is broken.*Bad CRC-32")


LAYOUTS = {
    "outside": (((3, 3), (3, 1), 0), "needs 9 numbers of a storage that has 6"),
    "after the end": (((2,), (1,), 5), "needs 7 numbers"),
    "far outside": (((2, 2), (2**62, 1), 0), "needs 4,611,686,018,427,387,906 numbers"),
    "before the begin": (((2,), (-1,), 1), "no possible shape"),
    "a negative size": (((-2,), (1,), 0), "no possible shape"),
    "a negative place": (((2,), (1,), -1), "no memory"),
    "other strides": (((2, 3), (1,), 0), "no possible shape"),
    "many dimensions": (((1,) * 65, (1,) * 65, 0), "no possible shape"),
    "a bomb": (((2**20, 2**20), (0, 0), 0), "expanded tensors would take more"),
    "a bomb of windows": (((2**40, 3), (0, 1), 0), "expanded tensors would take more"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_tensors_outside_of_their_memory(path, layout, case):
    (size, strides, first), message = LAYOUTS[case]
    value = tensor(storage("Float", "0", 6), size, strides, first)
    refused(write(path, layout, value, {"0": WEIGHT}), message)


def test_many_expanded_tensors(path):
    one = tensor(storage("Float", "0", 6), (2**24, 2), (0, 1))
    refused(write_zip(path, b"](" + one * 4 + b"e", {"0": WEIGHT.tobytes()}), "expanded tensors would take")


STORAGES = {
    "unknown": (storage("Decimal", "0", 6), "DecimalStorage"),
    "no storage": (text("storage") + b"Q", "no storage"),
    "no key": (b"(" + text("storage") + name("torch.FloatStorage") + b"NNK\x06tQ", "no storage"),
    "negative": (storage("Float", "0", -6), "no storage"),
    "larger": (storage("Float", "0", 7), "28 bytes|two ways|another length"),
    "another type": (storage("Long", "0", 6), "48 bytes|two ways|another length|has been cut"),
    "enormous": (storage("Float", "0", 2**60), r"need 4,\d+,\d+"),
    "missing": (storage("Float", "1", 6), "'data/1' of its archive is missing|no tensor uses"),
    "a number": (number(6), "has no memory"),
}


@pytest.mark.parametrize("case", STORAGES)
def test_wrong_storages(path, layout, case):
    reference, message = STORAGES[case]
    refused(write(path, layout, tensor(reference, (2,), (1,)), {"0": WEIGHT}), message)


def test_a_storage_described_in_two_ways(path, layout):
    value = b"](" + tensor(storage("Float", "0", 6), (2,), (1,))
    value += tensor(storage("Int", "0", 6), (2,), (1,)) + b"e"
    refused(write(path, layout, value, {"0": WEIGHT}), "described in two ways")


def test_compressed_archives_are_refused(path):
    bomb = {"0": bytes(50_000_000)}
    value = tensor(storage("Byte", "0", 50_000_000), (2,), (1,))
    refused(write_zip(path, value, bomb, compression=zipfile.ZIP_DEFLATED), "compressed or encrypted")


def test_an_archive_that_promises_more_than_it_has(path):
    data = bytearray(write(path, "zip", *state(weight=WEIGHT)).read_bytes())
    at = data.index(b"PK\x01\x02")  # the first entry of the directory at the end
    data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(data)
    refused(path, "says that it holds 2,147,483,")


def test_an_archive_with_an_entry_twice(path):
    value, _ = state(weight=WEIGHT)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickled(value))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("net/data.pkl", pickled(value))
    refused(path, "twice")


def test_booleans_are_booleans(path, layout):
    value = tensor(storage("Bool", "0", 2), (2,), (1,))
    refused(write(path, layout, value, {"0": np.array([1, 2], "u1").view("?")}), "other than 0 and 1")


def test_another_version_of_the_older_layout(path):
    refused(write_legacy(path, number(1), {}, version=1002), "version is 1002")


# ---------------------------------------------------------------------------------------- against torch


@pytest.mark.oracle
@pytest.mark.parametrize("modern", [True, False])
def test_files_of_torch_save(path, modern):
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.LSTM(4, 5))
    optimizer = torch.optim.Adam(net.parameters(), amsgrad=True)
    sum(p.sum() for p in net.parameters()).backward()
    optimizer.step()
    saved = {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "bf16": torch.randn(3).bfloat16(),
        "views": [torch.arange(6).view(2, 3).T, torch.arange(4)[1::2], torch.ones(1).expand(2, 3)],
        "parameter": net[0].weight,
        "best": np.float64(0.75),
        "size": torch.Size([1, 2]),
    }
    torch.save(saved, path, _use_new_zipfile_serialization=modern)
    found = sg.load(path)
    compare(found, saved)


def compare(found, saved):
    import torch

    if isinstance(saved, torch.Tensor):
        assert found.dtype.name == str(saved.dtype).removeprefix("torch.").replace("bfloat16", "float32")
        kept = saved.detach()
        np.testing.assert_array_equal(
            found.detach().numpy(), (kept + 0 * kept).to(kept.dtype).float().numpy()
        )
        assert found.requires_grad == saved.requires_grad
    elif isinstance(saved, dict):
        assert list(found) == list(saved)
        for key in saved:
            compare(found[key], saved[key])
    elif isinstance(saved, list):
        assert len(found) == len(saved)
        for a, b in zip(found, saved):
            compare(a, b)
    else:
        assert found == saved


@pytest.mark.oracle
def test_a_whole_module_of_torch_is_refused(path):
    import torch

    torch.save(torch.nn.Linear(2, 3), path)
    refused(path, r"it holds 'torch\.nn\.modules\.linear\.Linear'")


@pytest.mark.oracle
@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda torch: torch.ones(2, dtype=torch.complex128), "complex numbers"),
        (lambda torch: torch.ones(2).to(torch.float8_e5m2), "numbers of the type float8_e5m2"),
        (lambda torch: torch.ones(2, dtype=torch.uint32), "numbers of the type uint32"),
        (lambda torch: torch.eye(2).to_sparse(), "a sparse tensor"),
        (lambda torch: torch.eye(2).to_sparse_csr(), "a sparse tensor"),
        (lambda torch: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "a quantised tensor"),
        (lambda torch: torch.ones(2, device="meta"), "a tensor of the device meta"),
        (lambda torch: torch.nested.nested_tensor([torch.ones(2)]), "a nested tensor"),
        (lambda torch: 1j, "complex numbers"),
    ],
)
def test_files_of_torch_save_with_what_stepgrad_lacks(path, modern, make, message):
    import torch

    torch.save({"w": make(torch)}, path, _use_new_zipfile_serialization=modern)
    refused(path, f"it holds {message}, which stepgrad does not have")


@pytest.mark.oracle
@pytest.mark.parametrize("modern", [True, False])
def test_what_torch_saved_into_memory(modern):
    import io

    import torch

    file = io.BytesIO()
    torch.save({"w": torch.arange(3)}, file, _use_new_zipfile_serialization=modern)
    file.seek(0)
    assert sg.load(file)["w"].tolist() == [0, 1, 2]
