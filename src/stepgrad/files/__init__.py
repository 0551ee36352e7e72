"""Files: atomic writes, tensors in the safetensors format, models. Nothing that is read here can run code."""

from stepgrad.files.atomic import write_atomically
from stepgrad.files.model import load, load_weights, read_record, save
from stepgrad.files.tensor_file import read_tensors, write_tensors

__all__ = [
    "load",
    "load_weights",
    "read_record",
    "read_tensors",
    "save",
    "write_atomically",
    "write_tensors",
]
