"""How layers begin, against PyTorch: every parameter from the same distribution."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

import stepgrad as sg

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

# Large enough that its numbers say what a parameter was drawn from.
LAYERS: dict[str, Any] = {
    "Linear": lambda nn: nn.Linear(300, 200),
    "Bilinear": lambda nn: nn.Bilinear(50, 40, 300),
    "Conv1d": lambda nn: nn.Conv1d(60, 300, 3),
    "Conv2d": lambda nn: nn.Conv2d(24, 300, (3, 5), groups=2),
    "Conv3d": lambda nn: nn.Conv3d(8, 300, 3),
    "ConvTranspose1d": lambda nn: nn.ConvTranspose1d(300, 90, 3),
    "ConvTranspose2d": lambda nn: nn.ConvTranspose2d(100, 300, 3, groups=2),
    "ConvTranspose3d": lambda nn: nn.ConvTranspose3d(20, 300, 3),
    "Embedding": lambda nn: nn.Embedding(400, 40),
    "Embedding with padding": lambda nn: nn.Embedding(400, 40, padding_idx=3),
    "EmbeddingBag": lambda nn: nn.EmbeddingBag(400, 40),
    "RNN": lambda nn: nn.RNN(60, 300, num_layers=2, bidirectional=True),
    "LSTM": lambda nn: nn.LSTM(40, 80, num_layers=2, proj_size=20),
    "GRU": lambda nn: nn.GRU(40, 100),
    "RNNCell": lambda nn: nn.RNNCell(60, 300),
    "LSTMCell": lambda nn: nn.LSTMCell(40, 100),
    "GRUCell": lambda nn: nn.GRUCell(40, 100),
    "MultiheadAttention": lambda nn: nn.MultiheadAttention(120, 4),
    "MultiheadAttention of other widths": lambda nn: nn.MultiheadAttention(
        120, 4, kdim=80, vdim=90, add_bias_kv=True
    ),
    "TransformerEncoderLayer": lambda nn: nn.TransformerEncoderLayer(120, 4, 300),
    "TransformerDecoderLayer": lambda nn: nn.TransformerDecoderLayer(120, 4, 300),
    "Transformer": lambda nn: nn.Transformer(120, 4, 1, 1, 300),
    "BatchNorm2d": lambda nn: nn.BatchNorm2d(5),
    "LayerNorm": lambda nn: nn.LayerNorm((3, 4)),
    "GroupNorm": lambda nn: nn.GroupNorm(2, 6),
    "InstanceNorm2d": lambda nn: nn.InstanceNorm2d(5, affine=True, track_running_stats=True),
    "RMSNorm": lambda nn: nn.RMSNorm(7),
    "PReLU": lambda nn: nn.PReLU(3),
    "AdaptiveLogSoftmaxWithLoss": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(128, 900, [300, 600]),
}


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("name", LAYERS)
def test_the_default_of_every_layer(torch, name):
    sg.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = LAYERS[name](sg.nn), LAYERS[name](torch.nn)
    wanted = {key: value.detach().numpy() for key, value in theirs.state_dict().items()}
    found = {key: value.detach().numpy() for key, value in ours.state_dict().items()}
    assert list(found) == list(wanted)
    for key, expected in wanted.items():
        own = found[key]
        assert (own.shape, own.dtype) == (expected.shape, expected.dtype), key
        if np.ptp(expected) == 0:
            np.testing.assert_array_equal(own, expected, key)
            continue
        assert ks_2samp(own.ravel(), expected.ravel()).pvalue > 1e-3, key
        if not name.startswith("Embedding"):  # which are normal, so that their ends are far and random
            ends = np.array([[x.min(), x.max()] for x in (own, expected)])
            spread = 12 / expected.size  # the uniform ones: 1/n of the range beyond the last, on average
            np.testing.assert_allclose(ends[0], ends[1], atol=spread * np.ptp(expected), rtol=0, err_msg=key)
        np.testing.assert_array_equal((own == 0).all(-1), (expected == 0).all(-1), key)  # padding


def test_every_layer_that_draws_is_compared():
    drawing = {
        name
        for name, value in vars(sg.nn).items()
        if isinstance(value, type)
        and (hasattr(value, "reset_parameters") or hasattr(value, "_reset_parameters"))
        and not name.startswith("Lazy")
    }
    compared = {type(m).__name__ for make in LAYERS.values() for m in make(sg.nn).modules()}
    same_as = {  # by inheritance: they differ only in the number of dimensions
        name for name in drawing for other in compared if name[:-2] == other[:-2] and name[-1] == "d"
    }
    own = {"Perceptron", "RNNBase", "RNNCellBase"}  # PyTorch has no such layer; two that others inherit from
    assert drawing - compared - same_as - own == set()
