"""Hand calculations, checked: the first wrong line, what it should be, and the likely slip."""

from stepgrad.explain.hand.entries import Entry
from stepgrad.explain.hand.judging import check_work
from stepgrad.explain.hand.outcome import Remark, WorkChecked, Wrong
from stepgrad.explain.hand.reading import read_work
from stepgrad.explain.hand.slips import Slip

__all__ = ["Entry", "Remark", "Slip", "WorkChecked", "Wrong", "check_work", "read_work"]
