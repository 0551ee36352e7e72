"""A long file is read in memory that does not grow with it beyond the table itself."""

import subprocess
import sys

import pytest

MEGABYTE = 1 << 20
ROWS_AT_ONCE, TIMES = 20_000, 100
READ = r"""
import re, sys
from stepgrad.data.table import read_table
table = read_table(sys.argv[1])
# Not getrusage: its peak begins with that of the program which started this one.
print(len(table), re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read in Linux's way")
def test_two_million_rows_of_ten_columns(tmp_path) -> None:
    lines = [
        f'{i / 7:.3f},{i / 11:.3f},{i},{i % 97},{i * i},"city, {i % 50}",{"yes" if i % 3 else "no"},'
        f"2024-01-{i % 28 + 1:02},kind {i % 5},{i % 2}\n"
        for i in range(ROWS_AT_ONCE)
    ]
    block = "".join(lines)
    path = tmp_path / "long.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("a,b,c,d,e,city,flag,day,kind,y\n")
        for _ in range(TIMES):
            file.write(block)
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == ROWS_AT_ONCE * TIMES
    # The table takes 122 MB; twice that for a while where columns are joined, and the reader's own.
    assert peak * 1024 < 600 * MEGABYTE
