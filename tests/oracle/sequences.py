"""Modules on sequences that are compared with PyTorch's."""

SEQUENCE_MODULES = ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]
