"""A person's own tables: read them, find the task, split the rows, prepare the columns for a network.

The usual way through, on a file with a column `price`:

>>> import pathlib, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "houses.csv"
>>> lines = [f"{20 + i % 50},{'ABC'[i % 3]},{1000 + 7 * i}" for i in range(100)]
>>> _ = path.write_text("size,kind,price\\n" + "\\n".join(lines), encoding="utf-8")
>>> table = read_table(path)
>>> task = find_task(table, "price")
>>> split = split_rows(table.column("price"), task, seed=0)
>>> preparation = Preparation.fit(table, "price", task, split.train)
>>> inputs, targets = preparation.transform(table, split.train), preparation.target_values(table, split.train)
>>> task.kind, inputs.numbers.shape, targets.shape
('regression', (70, 4), (70,))
"""

from stepgrad.data.table.columns import Booleans, Column, Dates, Numbers, Texts
from stepgrad.data.table.frame import Table
from stepgrad.data.table.prepare import Preparation, Prepared, PreparedColumn
from stepgrad.data.table.read import read_table
from stepgrad.data.table.split import Split, split_rows
from stepgrad.data.table.task import Task, find_task

__all__ = [
    "Booleans",
    "Column",
    "Dates",
    "Numbers",
    "Preparation",
    "Prepared",
    "PreparedColumn",
    "Split",
    "Table",
    "Task",
    "Texts",
    "find_task",
    "read_table",
    "split_rows",
]
