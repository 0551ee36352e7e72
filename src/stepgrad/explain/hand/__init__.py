"""Hand calculations, checked: the first wrong line, what it should be, and the likely slip."""

from stepgrad.explain.hand.judging import WorkChecked, Wrong, check_work
from stepgrad.explain.hand.reading import Entry, read_work
from stepgrad.explain.hand.slips import Slip

__all__ = ["Entry", "Slip", "WorkChecked", "Wrong", "check_work", "read_work"]
