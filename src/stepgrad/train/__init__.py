"""Training: `Trainer`, callbacks, metrics, checkpoints, and the job behind ``stepgrad train``."""

from stepgrad.train import metrics
from stepgrad.train.callbacks import Callback, EpochLog, LambdaCallback, Progress
from stepgrad.train.checkpoint import (
    Checkpoint,
    checkpoint_path,
    checkpoint_paths,
    delete_older,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from stepgrad.train.health.callback import HealthCheck
from stepgrad.train.history import History
from stepgrad.train.rate_finder import RateRange, find_rate
from stepgrad.train.table.model import TableModel, load_table_model
from stepgrad.train.table.predictions import Predictions, read_outputs
from stepgrad.train.table.tune import TuneResult, tune_table
from stepgrad.train.trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoint",
    "EpochLog",
    "HealthCheck",
    "History",
    "LambdaCallback",
    "Predictions",
    "Progress",
    "RateRange",
    "TableModel",
    "Trainer",
    "TuneResult",
    "checkpoint_path",
    "checkpoint_paths",
    "delete_older",
    "find_rate",
    "load_table_model",
    "metrics",
    "newest_checkpoint",
    "read_checkpoint",
    "read_outputs",
    "tune_table",
    "write_checkpoint",
]
