"""Data: datasets, samplers, collating, and the `DataLoader` with its worker processes."""

from typing import TYPE_CHECKING

from stepgrad.data.collate import default_collate, default_convert
from stepgrad.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
    stratified_split,
)
from stepgrad.data.distributed import DistributedSampler
from stepgrad.data.fetch import WorkerInfo, get_worker_info
from stepgrad.data.loader import DataLoader
from stepgrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from stepgrad.names import teller

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
    "stratified_split",
]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
