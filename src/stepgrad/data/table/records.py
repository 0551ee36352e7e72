"""From the bytes of a CSV file to blocks of text cells, in memory that does not grow with the file.

The file is read in pieces of some megabytes, cut where a record ends, decoded, checked and split into cells.
A block whose every record has the right number of cells and whose quotes are all where they belong goes
through polars; from the first block on that is not so tidy, the rest of the file goes through the slower
`csv` module, which forgives more (a quote inside a cell, a blank line) and can say which line is wrong.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy

from stepgrad.errors import DataError, FileError, suggest_file

if TYPE_CHECKING:
    import polars

PIECE = 1 << 23  # bytes read at once
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_ROWS_AT_ONCE = 50_000  # of the csv module
_RECORD_LIMIT = 1 << 26  # bytes between two record ends, above which a quote is taken to be open


class Records:
    """The records of a CSV file, plain or gzip-compressed.

    Attributes: `path`, `separator` (found by itself), `names` (the cells of the first record), and after
    `blocks` has run to its end `encoding` ("UTF-8", "UTF-16" or "CP949"). Raises `FileError` if the file
    cannot be read, `DataError` if it is not a table.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.encoding = "UTF-8"
        first = next(self._text_blocks(), b"")
        if not first.strip():
            raise DataError(f"'{path}' is empty; it needs a line of column names and rows below it.")
        self.separator, self.names, self._header_lines = _read_header(first, path)

    def blocks(self) -> Iterator[polars.DataFrame]:
        """Read the file from its start and return its rows (without the header) as frames of texts, null
        where empty.
        """
        blocks = self._text_blocks()
        first = next(blocks)
        body = first.split(b"\n", self._header_lines)[self._header_lines]
        line = self._header_lines + 1
        blocks = itertools.chain([body], blocks)
        for block in blocks:
            if not block:
                continue
            if not _is_regular(block, self.separator, len(self.names)):
                yield from self._careful_blocks(itertools.chain([block], blocks), line)
                return
            yield _split_cells(block, self.separator, len(self.names))
            line += block.count(b"\n")

    def _text_blocks(self) -> Iterator[bytes]:
        """Return the file as UTF-8 blocks that end where a record ends, without byte order mark."""
        pieces = _pieces(self.path)
        piece = next(pieces, b"")
        _refuse_other_formats(piece, self.path)
        pieces = itertools.chain([piece], pieces)
        if piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.encoding = "UTF-16"
            pieces = _from_utf16(pieces, self.path)
        elif piece.startswith(codecs.BOM_UTF8):
            pieces = itertools.chain([piece[len(codecs.BOM_UTF8) :]], itertools.islice(pieces, 1, None))
        line, settled = 1, self.encoding == "UTF-16"
        for block in _whole_records(pieces, self.path):
            if b"\0" in block:
                raise DataError(
                    f"'{self.path}' is not a text file: line {_line_of(block, 0, line)} has NUL bytes."
                )
            if not block.isascii():
                if not settled:
                    self.encoding, settled = ("UTF-8" if _decodes(block, "utf-8") else "CP949"), True
                block = self._to_utf8(block, line)
            yield block
            line += block.count(b"\n")

    def _to_utf8(self, block: bytes, line: int) -> bytes:
        codec = "cp949" if self.encoding == "CP949" else "utf-8"
        try:
            text = block.decode(codec)
        except UnicodeDecodeError as error:
            where = line + block.count(b"\n", 0, error.start)
            tried = "neither UTF-8 nor CP949" if codec == "cp949" else "not UTF-8 as the lines before it"
            raise DataError(
                f"'{self.path}' cannot be decoded: line {where:,} is {tried} "
                f"(byte 0x{block[error.start]:02x}); save the file as UTF-8."
            ) from None
        return text.encode() if codec == "cp949" else block

    def _careful_blocks(self, blocks: Iterable[bytes], line: int) -> Iterator[polars.DataFrame]:
        """Split the rest of the file with the csv module; `line` is the number of its first line."""
        import polars

        lines = itertools.chain.from_iterable(io.StringIO(block.decode(), newline="") for block in blocks)
        reader = csv.reader(lines, delimiter=self.separator, skipinitialspace=True, strict=True)
        width = len(self.names)
        rows: list[list[str]] = []
        schema = {str(i): polars.String for i in range(width)}
        while True:
            at = line + reader.line_num
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise DataError(_quote_problem(self.path, at, error)) from None
            if rows and (row is None or len(rows) == _ROWS_AT_ONCE):
                frame = polars.DataFrame(rows, schema=schema, orient="row")
                yield frame.with_columns(polars.all().replace("", None))
                rows = []
            if row is None:
                return
            if len(row) == width:
                rows.append(row)
            elif row:
                raise DataError(self._ragged(at, row))

    def _ragged(self, line: int, row: list[str]) -> str:
        word = SEPARATOR_WORDS[self.separator]
        advice = f'if a cell contains one of the {word} itself, put the cell in quotes ("…")'
        return (
            f"line {line:,} of '{self.path}' has {_cells(len(row))}, the header has "
            f"{_cells(len(self.names))} (separated by {word}); {advice}."
        )


def _cells(count: int) -> str:
    return f"{count} cell" + ("s" if count != 1 else "")


def _quote_problem(path: str, line: int, error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return f"a quote that is opened in line {line:,} of '{path}' is never closed; close it."
    return f"line {line:,} of '{path}' has something behind a closing quote; double a quote inside a cell."


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading. Raises `FileError` saying what is wrong with the path and what helps."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            raise FileError(f"there is no file '{path}': the folder '{folder}' does not exist.") from None
        raise FileError(f"there is no file '{path}'.{suggest_file(path)}") from None
    except IsADirectoryError:
        raise FileError(f"'{path}' is a folder; name the CSV or Parquet file in it.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"cannot read '{path}': {reason}.") from None


def _pieces(path: str) -> Iterator[bytes]:
    with open_binary(path) as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if compressed else file
        try:
            while piece := source.read(PIECE):
                yield piece
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise FileError(
                f"the compressed file '{path}' is damaged or cut short; fetch it again."
            ) from None
        except OSError as error:
            raise FileError(f"cannot read '{path}': {error.strerror}.") from None


def _refuse_other_formats(piece: bytes, path: str) -> None:
    known = {
        b"PK\x03\x04": f"'{path}' is a zip archive or an Excel workbook; save the sheet as CSV.",
        b"\xd0\xcf\x11\xe0": f"'{path}' is an old Excel or Office file; save the sheet as CSV.",
        b"%PDF": f"'{path}' is a PDF; take the table out of it as CSV.",
    }
    for start, message in known.items():
        if piece.startswith(start):
            raise DataError(message)
    if piece[1:2] == b"\0" or piece[:1] == b"\0":
        raise DataError(
            f"'{path}' is not a text file, or is UTF-16 without a byte order mark; save it as UTF-8."
        )


def _from_utf16(pieces: Iterable[bytes], path: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise DataError(f"'{path}' starts as UTF-16 but cannot be decoded; save it as UTF-8.") from None


def _whole_records(pieces: Iterable[bytes], path: str) -> Iterator[bytes]:
    """Cut the pieces anew so that each block ends where a record ends; the last one gets its newline."""
    rest = b""
    for piece in pieces:
        rest += piece
        if b"\n" not in rest and b"\r" in rest[:-1]:
            rest = rest.replace(b"\r", b"\n")  # line ends of old Macs
        end = _last_record_end(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > _RECORD_LIMIT:
            raise DataError(
                f"'{path}' has no line end within {_RECORD_LIMIT >> 20} MB; is a quote never closed?"
            )
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _last_record_end(block: bytes) -> int:
    """Return the length of the part of `block` that ends with its last record, 0 if no record ends in it."""
    last = block.rfind(b"\n") + 1
    if not last or not block.count(b'"', 0, last) % 2:
        return last
    data = numpy.frombuffer(block, dtype=numpy.uint8)
    ends = numpy.flatnonzero(data == _NEWLINE)
    outside = numpy.searchsorted(numpy.flatnonzero(data == _QUOTE), ends) % 2 == 0
    return int(ends[outside][-1]) + 1 if outside.any() else 0


def _is_regular(block: bytes, separator: str, width: int) -> bool:
    """Say whether every record of `block` has `width` cells and every quote stands at the edge of a cell or
    doubled.
    """
    data = numpy.frombuffer(block, dtype=numpy.uint8)
    marks = numpy.flatnonzero(data == ord(separator))
    ends = numpy.flatnonzero(data == _NEWLINE)
    if width == 1 and (ends[0] == 0 or b"\n\n" in block or b"\n\r\n" in block or block.startswith(b"\r\n")):
        return False  # blank lines would count as records
    if b'"' in block:
        quotes = numpy.flatnonzero(data == _QUOTE)
        if len(quotes) % 2 or not _quotes_fit(data, quotes, ord(separator)):
            return False
        marks = marks[numpy.searchsorted(quotes, marks) % 2 == 0]
        ends = ends[numpy.searchsorted(quotes, ends) % 2 == 0]
    counts = numpy.diff(numpy.searchsorted(marks, ends), prepend=0)
    return bool((counts == width - 1).all())


def _quotes_fit(data: numpy.ndarray, quotes: numpy.ndarray, separator: int) -> bool:
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[opening[opening > 0] - 1]
    after = data[closing[closing + 1 < len(data)] + 1]
    starts = (before == separator) | (before == _NEWLINE) | (before == _QUOTE)
    stops = (after == separator) | (after == _NEWLINE) | (after == _QUOTE) | (after == _RETURN)
    return bool(starts.all() and stops.all())


def _split_cells(block: bytes, separator: str, width: int) -> polars.DataFrame:
    import polars

    schema = {str(i): polars.String for i in range(width)}
    return polars.read_csv(io.BytesIO(block), has_header=False, separator=separator, schema=schema)


def _read_header(block: bytes, path: str) -> tuple[str, list[str], int]:
    """Return the separator, the column names, and how many lines the header takes."""
    text = block[: 1 << 20].decode(errors="replace")
    separator = max(SEPARATORS, key=lambda mark: _fit(text, mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        cells = next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error as error:
        raise DataError(_quote_problem(path, 1, error)) from None
    names = [cell.strip() for cell in cells]
    names = [name or f"unnamed {i}" for i, name in enumerate(names, start=1)]
    for i, name in enumerate(names):
        if name in names[:i]:
            first = names.index(name) + 1
            raise DataError(
                f"'{path}' has two columns named '{name}' ({first} and {i + 1}); rename one of them."
            )
    return separator, names, reader.line_num


def _fit(text: str, separator: str) -> tuple[float, int]:
    """Return how well a separator fits: the share of the records as wide as the header, and that width."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        widths = [len(row) for row in itertools.islice(reader, 200) if row]
    except csv.Error:
        return 0.0, 0
    if not widths or widths[0] == 1:
        return 0.0, 0
    # The last of the text that is looked at may be cut in the middle of a record.
    body = widths[1:-1] or widths[1:]
    return sum(width == widths[0] for width in body) / max(len(body), 1), widths[0]


def _decodes(block: bytes, codec: str) -> bool:
    try:
        block.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _line_of(block: bytes, byte: int, line: int) -> int:
    return line + block.count(b"\n", 0, block.index(byte))
