"""A module with every kind of entry, and some of them twice."""

import stepgrad as sg
from stepgrad import nn


class Tree(nn.Module):
    """Every kind of entry, and some of them twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.w = nn.Parameter(sg.ones(2))
        self.v = self.w
        self.second = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.again = self.first
        self.register_buffer("kept", sg.zeros(1))
        self.register_buffer("passing", sg.zeros(1), persistent=False)
        self.register_buffer("nothing", None)
        self.register_parameter("missing", None)

    def forward(self, x):
        return self.second(self.first(x)) * self.w


NAMES = [
    "w", "first.weight", "first.bias", "second.0.weight", "second.0.bias", "second.1.weight", "second.1.bias",
]  # fmt: skip
BUFFERS = ["kept", "passing", "second.1.running_mean", "second.1.running_var", "second.1.num_batches_tracked"]
