"""What a plan for a matrix product tells, be it one by vectors (`contract`) or one by AMX (`amx`)."""

from __future__ import annotations

from typing import Protocol

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register
from stepgrad.compile.memory import Buffer


class ProductPlan(Protocol):
    """How a product A · B is computed.

    `a`, `b`: the factors. `units`: into how many parts the work can be cut, 0 if it cannot; `packing_units`:
    the same of the packing before. `fetches`: whether memory that the epilogue touches is fetched between the
    products. `pitch_b`: how many columns are computed together.
    """

    a: Buffer
    b: Buffer
    units: int
    packing_units: int
    fetches: bool
    pitch_b: int

    @property
    def scratch_bytes(self) -> int:
        """The memory that one thread needs that does everything."""

    @property
    def packed_elements(self) -> int:
        """How many numbers are packed before."""

    @property
    def next_tile(self) -> tuple[int, int]:
        """How many rows and columns lie between a tile and the one that is mostly computed after it."""

    def loops(self) -> str:
        """Return the loop nest in words."""

    def write_packing(
        self, w: Writer, a_base: Register, b_base: Register, to: Register, part: tuple[Register, Register]
    ) -> None:
        """Write the code that packs before, a range of `packing_units`, into the function that is open.

        `a_base`, `b_base`: addresses of the storages. `to`: where it packs to.
        """
