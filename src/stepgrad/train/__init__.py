"""Training: `Trainer`, callbacks, metrics, checkpoints, and the job behind ``stepgrad train``."""

from stepgrad.train import metrics
from stepgrad.train.callbacks import Callback, EpochLog, LambdaCallback, Progress
from stepgrad.train.history import History
from stepgrad.train.trainer import Trainer

__all__ = ["Callback", "EpochLog", "History", "LambdaCallback", "Progress", "Trainer", "metrics"]
