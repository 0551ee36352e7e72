"""Reading CSV and Parquet files: what a file may look like, and what is said when it is wrong."""

import gzip

import numpy
import polars
import pytest

from stepgrad.data.table import records
from stepgrad.data.table.columns import Booleans, Dates, Numbers, Texts
from stepgrad.data.table.frame import Table
from stepgrad.data.table.read import read_table
from stepgrad.errors import DataError, FileError


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return a function that writes a file and reads it as a table."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(content: str | bytes, name: str = "data.csv") -> Table:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(name)

    return write_and_read


def cells(table: Table) -> list[list]:
    """Return the columns as lists of Python values, None where missing."""
    found = []
    for _, column in table:
        values = column.texts() if isinstance(column, Texts) else column.values.tolist()
        found.append([None if gone else v for v, gone in zip(values, column.missing(), strict=True)])
    return found


KOREAN = "이름,나이\n철수,20\n영희,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_encodings(read, encoding) -> None:
    table = read(KOREAN.encode(encoding))
    assert table.names == ["이름", "나이"]
    assert cells(table) == [["철수", "영희"], [20.0, None]]
    notes = {"utf-16": ["'data.csv' was read as UTF-16."], "cp949": ["'data.csv' was read as CP949."]}
    assert table.notes == notes.get(encoding, [])


def test_encoding_shows_itself_only_far_down(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 1000)
    content = "name,n\n" + "x,1\n" * 5000 + "철수,2\n"
    assert cells(read(content.encode("cp949")))[0][-1] == "철수"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(read, separator, end) -> None:
    rows = ["a,b,c", "1,x y,2024-01-01", '2,"p,q",2024-01-02', ""]
    content = end.join(row.replace(",", separator) for row in rows)
    table = read(content)
    assert table.names == ["a", "b", "c"]
    assert cells(table)[:2] == [[1.0, 2.0], ["x y", f"p{separator}q"]]


def test_gzip_without_the_last_newline(read) -> None:
    assert cells(read(gzip.compress(b"a,b\n1,2\n3,4"), "data.csv.gz")) == [[1.0, 3.0], [2.0, 4.0]]


def test_quoted_cells(read) -> None:
    table = read('"a","b, c"\n"x\n1,\r\ny","say ""hi"""\n"","z"\n')
    assert table.names == ["a", "b, c"]
    assert cells(table) == [["x\n1,\r\ny", None], ['say "hi"', "z"]]


@pytest.mark.parametrize("content", ['a,b\n5" pipe,2\n6",3\n', 'a, b\n"5"" pipe", 2\n\n\n "6""",3\n\n'])
def test_untidy_quotes_spaces_and_blank_lines(read, content) -> None:
    assert cells(read(content)) == [['5" pipe', '6"'], [2.0, 3.0]]


def test_missing_cells(read) -> None:
    table = read("n,t,b,d\n1,x,yes,2024-01-01\nNA,N/A,NaN,null\n?,,#N/A,\n-,-,-,-\nnone,none,none,none\n")
    assert [type(column) for _, column in table] == [Numbers, Texts, Booleans, Dates]
    assert [column.missing().tolist() for _, column in table] == [
        [False, True, True, True, True],
        [False, True, True, False, False],  # among texts "-" and "none" may be answers
        [False, True, True, True, True],
        [False, True, True, True, True],
    ]


def test_a_column_without_any_cell(read) -> None:
    table = read("a,b\n1,\n2,NA\n")
    assert numpy.isnan(table.column("b").values).all()


def test_header_cells_are_stripped_and_named_if_empty(read) -> None:
    assert read(",  size ,\n1,2,3\n").names == ["unnamed 1", "size", "unnamed 3"]


def test_first_line_that_looks_like_data_is_noted(read) -> None:
    assert "looks like data" in read("1,2\n3,4\n").notes[0]


@pytest.mark.parametrize(
    "content, values",
    [
        ("x;y\n1,5;1\n-2,25;2\n", [1.5, -2.25]),
        ("x;y\n1.234,5;1\n7;2\n", [1234.5, 7.0]),
        ("x;y\n1.5;1\n2.25;2\n", [1.5, 2.25]),
        ("x;y\n1.234;1,5\n2.000;2,5\n", [1234.0, 2000.0]),  # the other column has decimal commas
        ("x;y\n1.234;1.5\n2.000;2.5\n", [1.234, 2.0]),
        ('x,y\n"1,234.5",1\n"2,000",2\n', [1234.5, 2000.0]),
        ('x,y\n"1,5",1\n"2,25",2\n', [1.5, 2.25]),
        ("x,y\n12%,1\n3.5 %,2\n", [12.0, 3.5]),
        ('x,y\n"$1,200.50",1\n-₩3,2\n', [1200.5, -3.0]),
        ("x,y\n1e3,1\n+2E-1,2\n", [1000.0, 0.2]),
        ("x,y\n−1,1\n2,2\n", [-1.0, 2.0]),
    ],
)
def test_numbers(read, content, values) -> None:
    assert read(content).column("x").values.tolist() == values


@pytest.mark.parametrize(
    "words, labels",
    [
        ("True,false,TRUE", ["false", "True"]),
        ("yes,No,yes", ["No", "yes"]),
        ("Y,N,N", ["N", "Y"]),
        ("예,아니오,예", ["아니오", "예"]),
        ("참,거짓,참", ["거짓", "참"]),
    ],
)
def test_booleans_keep_their_words(read, words, labels) -> None:
    column = read("x\n" + words.replace(",", "\n") + "\n").column("x")
    assert isinstance(column, Booleans)
    assert column.labels()[1] == labels


def test_words_of_two_pairs_are_texts(read) -> None:
    assert isinstance(read("x\nyes\nfalse\n").column("x"), Texts)


@pytest.mark.parametrize(
    "texts, first",
    [
        (["2024-02-29", "2024-03-01"], "2024-02-29"),
        (["2024/2/9", "2024/10/11"], "2024-02-09"),
        (["2024. 2. 9.", "2024. 10. 11."], "2024-02-09"),
        (["2024-02-29 13:45", "2024-03-01 00:00"], "2024-02-29T13:45"),
        (["2024-02-29T13:45:10.25", "2024-03-01"], "2024-02-29T13:45:10.25"),
        (["2024-02-29T01:00:00+09:00", "2024-03-01T00:00:00Z"], "2024-02-28T16:00"),
        (["01/02/2024", "31/01/2024"], "2024-02-01"),
        (["01/02/2024", "01/31/2024"], "2024-01-02"),
        (["1/2/2024 12:30 AM", "1/31/2024 3:00 PM"], "2024-01-02T00:30"),
        (["31.12.2024", "01.02.2024"], "2024-12-31"),
    ],
)
def test_dates(read, texts, first) -> None:
    column = read("x\n" + "\n".join(texts) + "\n").column("x")
    assert isinstance(column, Dates)
    assert column.values[0] == numpy.datetime64(first, "us")


@pytest.mark.parametrize(
    "texts, first",
    [
        (["01 Jan 2024", "15 March 2024", "3 sept 2024"], "2024-01-01"),
        (["1-JAN-2024", "28-Feb-2023"], "2024-01-01"),
        (["29. February 2024", "1. May 2023"], "2024-02-29"),
        (["Jan 1, 2024", "December 31, 2023"], "2024-01-01"),
        (["Dec. 7 2024 13:05", "Oct. 1 2024 1:30 pm"], "2024-12-07T13:05"),
        (["2024년 1월 01일", "2023년 12월 31일"], "2024-01-01"),
        (["2024년 11월 5일 14:30:05", "2024년01월05일"], "2024-11-05T14:30:05"),
    ],
)
def test_dates_in_words(read, texts, first) -> None:
    column = read("x;y\n" + "".join(f"{text};1\n" for text in texts)).column("x")
    assert isinstance(column, Dates)
    assert column.values[0] == numpy.datetime64(first, "us")
    assert not column.missing().any()


@pytest.mark.parametrize(
    "texts", [["31 Feb 2024", "30 Feb 2023"], ["Mayor 1 2024", "Maybe 2 2024"], ["2024년 13월 1일"]]
)
def test_what_only_looks_like_a_date_in_words_stays_text(read, texts) -> None:
    assert isinstance(read("x;y\n" + "".join(f"{text};1\n" for text in texts)).column("x"), Texts)


def test_ambiguous_dates_stay_text_with_a_note(read) -> None:
    table = read("x\n01/02/2024\n03/04/2024\n")
    assert isinstance(table.column("x"), Texts)
    assert "day/month/year and as month/day/year; write them as 2024-12-31" in table.notes[0]


def test_days_that_do_not_exist_are_no_dates(read) -> None:
    assert isinstance(read("x\n2024-02-30\n2024-01-01\n").column("x"), Texts)


def test_few_bad_cells_in_a_column_of_numbers_count_as_missing(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 1000)  # many blocks: the bad cells are far from the first
    numbers = [str(i) for i in range(5000)]
    numbers[4000], numbers[4500] = "abc", "12 apples"
    table = read("x,y\n" + "".join(f"{text},1\n" for text in numbers))
    values = table.column("x").values
    assert numpy.flatnonzero(numpy.isnan(values)).tolist() == [4000, 4500]
    assert values[4999] == 4999
    assert table.notes == [
        "column 'x': 2 of 5,000 cells are not numbers and count as missing: 'abc' (row 4,001), "
        "'12 apples' (row 4,501)."
    ]


def test_many_bad_cells_make_a_column_text_with_a_note(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 1000)
    numbers = [str(i) for i in range(2000)] + ["abc"] * 100
    table = read("x,y\n" + "".join(f"{text},1\n" for text in numbers))
    assert table.column("x").texts()[:2] == ["0", "1"]
    assert table.column("x").texts()[-1] == "abc"
    assert "text, because 100 of 2,100 cells are not numbers: 'abc' (row 2,001)" in table.notes[0]


def test_a_column_is_read_again_when_later_rows_show_its_kind(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 1000)
    later = ["1,5", "2,5"] * 500
    rows = [f"{i}.125" for i in range(1, 11)] + later
    values = read("x;y\n" + "".join(f"{text};a\n" for text in rows)).column("x").values
    assert values[0] == 1125.0  # 1.125 is a thousand and more once decimal commas have turned up
    assert values[-1] == 2.5


def test_categories_are_in_order_whatever_the_order_of_rows(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 100)
    column = read("x,y\n" + "".join(f"{word},1\n" for word in ["c", "a", "b"] * 100)).column("x")
    assert column.categories == ["a", "b", "c"]
    assert column.texts()[-3:] == ["c", "a", "b"]


@pytest.mark.parametrize("piece", [7, 50, 1000])
def test_blocks_may_end_anywhere(read, monkeypatch, piece) -> None:
    content = 'a;b\n"x;\n""y""";1\n' + "".join(f'"t{i};\n";{i}\n' for i in range(200))
    expected = cells(read(content))
    monkeypatch.setattr(records, "PIECE", piece)
    assert cells(read(content)) == expected
    assert expected[1][-1] == 199


BAD_FILES = {
    "": r"'data\.csv' is empty; it needs a line of column names and rows below it\.",
    " \n\n": r"'data\.csv' is empty",
    "a,b\n": r"'data\.csv' has column names but no rows\.",
    "a,b,a\n1,2,3\n": r"'data\.csv' has two columns named 'a' \(1 and 3\); rename one of them\.",
    "a,b\n1,2\n\n3\n": r"line 4 of 'data\.csv' has 1 cell, the header has 2 cells \(separated by commas\)",
    "a;b\n1;2\n3;4;5\n": r'line 3 .* has 3 cells, .* contains one of the semicolons .* quotes \("…"\)',
    'a,b\n1,2\n3,"x\n4,5\n': r"a quote that is opened in line 3 of 'data\.csv' is never closed",
    'a,b\n1,2\n"x"y,3\n': r"line 3 of 'data\.csv' has something behind a closing quote",
    b"a,b\n1,2\n\xff\xff,3\n": r"line 3 is neither UTF-8 nor CP949 \(byte 0xff\); save the file as UTF-8",
    b"a,b\n1,2\n\x00\x01,3\n": r"'data\.csv' is not a text file: line 3 has NUL bytes",
    "a,b\n1,2\n".encode("utf-16-le"): r"UTF-16 without a byte order mark; save it as UTF-8",
    b"PK\x03\x04....": r"'data\.csv' is a zip archive or an Excel workbook; save the sheet as CSV",
    b"%PDF-1.7": r"'data\.csv' is a PDF",
}


@pytest.mark.parametrize("content", BAD_FILES)
def test_bad_files_say_what_is_wrong(read, content) -> None:
    with pytest.raises(DataError, match=BAD_FILES[content]):
        read(content)


def test_bytes_that_are_not_utf8_after_some_that_are(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 100)
    content = ("é,b\n" + "1,2\n" * 100).encode() + b"\xb0\xa1,3\n"
    with pytest.raises(DataError, match=r"line 102 is not UTF-8 as the lines before it \(byte 0xb0\)"):
        read(content)


def test_an_error_far_down_names_its_line(read, monkeypatch) -> None:
    monkeypatch.setattr(records, "PIECE", 100)
    with pytest.raises(DataError, match="line 1,002 of"):
        read("a,b\n" + "1,2\n" * 1000 + "3\n" + "1,2\n" * 1000)


def test_bad_paths_say_what_is_wrong(read, tmp_path) -> None:
    read("a\n1\n2\n", "people.csv")
    for path, message in {
        "peopel.csv": r"there is no file 'peopel\.csv'\. Did you mean 'people\.csv'\?",
        "nowhere/people.csv": "the folder '.*nowhere' does not exist",
        ".": r"'\.' is a folder; name the CSV or Parquet file in it",
        "a\0b": "cannot read",
    }.items():
        with pytest.raises(FileError, match=message):
            read_table(path)


def test_damaged_files_say_so(read) -> None:
    with pytest.raises(FileError, match=r"compressed file 'data\.csv\.gz' is damaged or cut short"):
        read(gzip.compress(b"a,b\n1,2\n" * 1000)[:-20], "data.csv.gz")
    with pytest.raises(FileError, match=r"the Parquet file 'data\.parquet' is damaged"):
        read(b"PAR1 and then nothing of use", "data.parquet")


def test_parquet(read, tmp_path) -> None:
    frame = polars.DataFrame({"n": [1, None], "t": ["a", ""], "b": [True, None], "l": [[1], [2]]})
    frame.write_parquet(tmp_path / "data.parquet")
    table = read_table(tmp_path / "data.parquet")
    assert cells(table) == [[1.0, None], ["a", None], [1, None]]
    assert table.notes == ["column 'l' is left out: a network cannot use its type List(Int64)."]


def test_parquet_without_rows_or_usable_columns(tmp_path) -> None:
    path = tmp_path / "data.parquet"
    polars.DataFrame({"l": [[1]]}).write_parquet(path)
    with pytest.raises(DataError, match="has no column that a network can use"):
        read_table(path)
    polars.DataFrame({"n": polars.Series([], dtype=polars.Int64)}).write_parquet(path)
    with pytest.raises(DataError, match="has column names but no rows"):
        read_table(path)
