"""Networks: modules, layers, losses, in PyTorch's names and with its `state_dict` keys and shapes."""

from stepgrad.nn import functional, init, utils
from stepgrad.nn.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from stepgrad.nn.columns import EmbedColumns
from stepgrad.nn.container import ModuleDict, ModuleList, ParameterList, Sequential
from stepgrad.nn.linear import Embedding, Flatten, Identity, Linear, Unflatten, collapse
from stepgrad.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from stepgrad.nn.module import Module
from stepgrad.nn.normalization import BatchNorm1d, Dropout, LayerNorm
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.summaries import Summary, SummaryRow, summary

__all__ = [
    "ELU", "GELU", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "CrossEntropyLoss", "Dropout",
    "EmbedColumns", "Embedding", "Flatten", "HuberLoss", "Identity", "L1Loss", "LayerNorm", "LeakyReLU",
    "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "Module", "ModuleDict", "ModuleList", "NLLLoss",
    "PReLU", "Parameter", "ParameterList", "ReLU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss",
    "Softmax", "Softplus", "Summary", "SummaryRow", "Tanh", "Unflatten", "collapse", "functional", "init",
    "summary", "utils",
]  # fmt: skip
