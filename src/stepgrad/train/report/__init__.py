"""`report.html`: what a person wants to know about a run, on one page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepgrad.train.table.failed import FailedRun
    from stepgrad.train.table.result import TableResult
    from stepgrad.train.table.tune import TuneResult


def write_report(
    result: TableResult,
    path: str | os.PathLike[str],
    language: str = "en",
    tuning: TuneResult | None = None,
) -> None:
    """Write the report of a finished run to `path`, as one HTML file that opens offline; `language` is "en"
    or "ko". With `tuning`, the search that found the settings is told as well.

    Everything that comes from the table is escaped. Raises `FileError` if the file cannot be written.
    """
    from stepgrad.files.atomic import write_atomically
    from stepgrad.train.report.page import report_page
    from stepgrad.words.language import Words

    write_atomically(path, report_page(result, Words(language), tuning).encode("utf-8", "replace"))


def write_failed_report(run: FailedRun, path: str | os.PathLike[str], language: str = "en") -> None:
    """Write the report of a run that ended in NaN or infinity; see `write_report`."""
    from stepgrad.files.atomic import write_atomically
    from stepgrad.train.report.failed import failed_page
    from stepgrad.words.language import Words

    write_atomically(path, failed_page(run, Words(language)).encode("utf-8", "replace"))
