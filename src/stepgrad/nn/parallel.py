"""Where PyTorch has networks on several devices. stepgrad trains on one machine: every name of it says so."""

from typing import TYPE_CHECKING

from stepgrad.names import teller

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, {})
