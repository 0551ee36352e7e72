"""Random numbers as `torch.random` names them: seeds, states, and `fork_rng`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays.random import default_generator as default_generator
from stepgrad.arrays.random import get_rng_state as get_rng_state
from stepgrad.arrays.random import initial_seed as initial_seed
from stepgrad.arrays.random import manual_seed as manual_seed
from stepgrad.arrays.random import set_rng_state as set_rng_state
from stepgrad.names import teller


def seed() -> int:
    """Seed every default stream with a number that nobody knows before, and return it.

    >>> import stepgrad as sg
    >>> first, second = sg.seed(), sg.seed()
    >>> first == second
    False
    """
    number = int(numpy.random.SeedSequence().entropy) % (1 << 63)  # type: ignore[arg-type]
    manual_seed(number)
    return number


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **_: Any) -> Iterator[None]:
    """Within ``with fork_rng():`` draw what you like; afterwards the streams stand where they stood.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0); a = sg.rand(2); _ = sg.manual_seed(0)
    >>> with sg.random.fork_rng():
    ...     _ = sg.rand(5)
    >>> bool((a == sg.rand(2)).all())
    True
    """
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
