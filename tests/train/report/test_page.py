"""The whole report: one file that opens offline, in two languages, whatever the table holds."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from stepgrad.errors import FileError
from stepgrad.train.report import write_report
from stepgrad.train.report.page import report_page
from stepgrad.train.table.result import Baseline, Example, InputImportance, ReadColumn, Score
from stepgrad.words.language import Words

HOSTILE = "</style><script>alert('x')</script><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and whether each was closed in turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_is_whole_and_loads_nothing(result, language):
    page = report_page(result, Words(language))
    elements = Elements(page)
    assert elements.open == []
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "iframe", "object", "embed", "base", "form"}
    for _, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "@import" not in page
    assert "url(" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert f'<html lang="{language}">' in page
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 200_000


def test_what_a_person_wants_to_know_is_there(make_result):
    page = report_page(make_result("classes"), Words())
    for text in (
        "species from penguins.csv",
        "96.2%",
        "95% interval: 87.0% to 98.9%",
        "always answering &#x27;Adelie&#x27;: 44.2%",
        "right answer for 50 of 52 test rows",
        "Loss over the epochs",
        "Wrong answers",
        "Right answers",
        "bill_length_mm",
        "31.0 points",
        "2 of 344 rows are left out because species is missing.",
        "training: 240 rows",
        "no improvement for 18 epochs",
        "Linear(9, 64)",
        "<code>hidden</code>",
        "stepgrad predict runs/penguins-1 new.csv -o predicted.csv",
        "load_table_model(&#x27;runs/penguins-1&#x27;)",
    ):
        assert text in page


def test_the_report_of_numbers(make_result):
    page = report_page(make_result("numbers"), Words())
    for text in (
        "545.2",
        "Predicted against actual price",
        "Farthest from the answer",
        "−6,812",
        "98.1% of the variance",
    ):
        assert text in page
    assert "always answering the mean, 3,933: 3,989" in page
    assert page.count("<circle") >= 300


def test_the_report_of_images_shows_them(make_result):
    page = report_page(make_result("digits"), Words())
    assert page.count('<img src="data:image/png;base64,') == 12
    assert "The pixels that the network looks at" in page
    assert "digit from digits" in page


def test_the_korean_report_is_korean(make_result):
    page = report_page(make_result("classes"), Words("ko"))
    text = re.sub(r"<style>.*?</style>|<pre>.*?</pre>|<code>.*?</code>|<[^>]+>", " ", page, flags=re.DOTALL)
    for word in (
        "정확도",
        "학습 과정",
        "틀린 답",
        "가장 중요한 입력",
        "매개변수",
        "95% 신뢰 구간",
        "새로 학습했습니다",
    ):
        assert word in text
    of_the_data = "species penguins csv Adelie Chinstrap Gentoo bill_length_mm island sex body_mass_g Dream"
    english = re.findall(r"[A-Za-z]{3,}", text)
    assert [word for word in english if word not in f"{of_the_data} stepgrad data cpu"] == []


def test_names_and_cells_of_the_table_cannot_become_markup(make_result):
    cells = {HOSTILE: HOSTILE, "sex": HOSTILE}
    result = make_result(
        "classes",
        target=HOSTILE,
        task_reason=HOSTILE,
        classes=[HOSTILE, "b", "c"],
        notes=[HOSTILE],
        stopped=HOSTILE,
        examples=[Example(1, cells, HOSTILE, HOSTILE, 0.5, False)],
        importance=[InputImportance(HOSTILE, 1.0, 0.5)],
        baseline=Baseline(HOSTILE, {"accuracy": 0.5}),
        run=HOSTILE,
        model=HOSTILE,
    )
    for language in ("en", "ko"):
        page = report_page(result, Words(language))
        tags = {tag for tag, _ in Elements(page).found}
        assert "script" not in tags
        assert "img" not in tags
        assert "<script" not in page
        assert page.count("</style>") == 1


def test_a_target_of_one_dot_and_an_empty_history_do_not_matter(make_result):
    import numpy as np

    one = np.array([1.0])
    page = report_page(make_result("numbers", actual=one, predicted=one, examples=[], importance=[]), Words())
    assert "Predicted against actual" in page
    assert "The most important inputs" not in page


def test_without_intervals_and_without_a_folder(make_result):
    result = make_result("classes", test={"accuracy": Score(1.0)}, run=None, model=None, refit_rows=None)
    page = report_page(result, Words())
    assert "95% interval:" not in page
    assert "This run was not written to a folder." in page
    assert "The weights of epoch 22 were kept." in page


def test_wide_tables_show_the_most_important_columns(make_result):
    cells = {f"c{i}": str(i) for i in range(30)}
    importance = [InputImportance(f"c{i}", 1.0, 1.0 - i / 100) for i in range(29, -1, -1)]
    result = make_result("classes", examples=[Example(1, cells, "a", "b", 0.5, False)], importance=importance)
    page = report_page(result, Words())
    assert "The 10 most important of 30 columns." in page
    assert '<th scope="col" class="data">c29</th>' in page
    assert '<th scope="col" class="data">c0</th>' not in page


def test_long_cells_are_cut_and_kept_in_the_title(make_result):
    long = "word " * 40
    result = make_result("classes", examples=[Example(1, {"text": long}, "a", "b", 0.5, False)])
    page = report_page(result, Words())
    assert f'title="{long}"' in page
    assert f">{long}<" not in page


def test_the_file_is_utf8_and_whole(tmp_path, make_result):
    path = tmp_path / "report.html"
    write_report(make_result("classes", target="가격 \udcff"), path, "ko")
    text = path.read_text(encoding="utf-8")
    assert "가격 ?" in text
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    with pytest.raises(FileError, match="there is no folder"):
        write_report(make_result("classes"), tmp_path / "none" / "report.html")


def test_the_limits_of_predictions_are_told_where_there_are_some(make_result):
    note = "Predictions stay within the range of the training rows and a tenth of it on either side."
    assert note in report_page(make_result("numbers"), Words())
    line = dataclasses.replace(make_result("numbers").settings, hidden=())
    assert note not in report_page(make_result("numbers", settings=line), Words())
    assert note not in report_page(make_result("classes"), Words())


def test_columns_are_grouped_by_how_they_were_read(make_result):
    many = [ReadColumn(f"p{i}", "number", 0, 0.0) for i in range(50)]
    other = [ReadColumn("<city>", "embedding", 312, 0.25), ReadColumn("id", "left out", 0, 0.0)]
    page = report_page(make_result("numbers", columns=[*many, *other]), Words())
    assert "p38, p39 and 10 other columns</td>" in page
    assert "&lt;city&gt; <small>(312 values, 25.0% missing)</small>" in page
    assert page.count("<h2>The data</h2>") == 1
    assert '<table class="columns">' not in report_page(make_result("numbers"), Words())
    assert "열을 읽은 방식" in report_page(make_result("numbers", columns=other), Words("ko"))


def test_scores_that_few_rows_do_not_have_are_dashes(make_result):
    scores = {"rmse": Score(3.0, None, None, "bootstrap"), "r2": Score(None, None, None, "bootstrap")}
    trivial = Baseline("5", {"rmse": 4.0, "r2": None})
    page = report_page(make_result("numbers", test=scores, baseline=trivial), Words())
    row = page[page.index('<th scope="row">R²</th>') :].split("</tr>")[0]
    assert row.count(">–</td>") == 3
