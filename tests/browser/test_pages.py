"""The pages that stepgrad writes, opened in a real browser: they load nothing, complain of nothing, fit into
the window, and show where a number comes from.
"""

from pathlib import Path
from typing import Any

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.cli import main
from stepgrad.explain.example import example_step
from tests.cli.conftest import write_flowers, write_houses

pytestmark = pytest.mark.browser

WIDTHS = (1500, 1000, 390)  # a desk, a tablet, a telephone
MOST_BYTES = 2_000_000
HANGUL = "/[가-힣]/"


def large_network() -> Any:
    sg.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )  # fmt: skip
    adam = sg.optim.Adam(net.parameters(), lr=1e-3)
    x, y = sg.rand(1, 784), sg.tensor([3])
    return sg.explain(net, nn.CrossEntropyLoss(), adam, x, y, path="0.weight[3,17]")


def small_batch() -> Any:
    sg.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 4))
    adam = sg.optim.Adam(net.parameters(), lr=1e-2)
    x, y = sg.randn(6, 5), sg.tensor([0, 1, 2, 3, 0, 1])
    return sg.explain(net, nn.CrossEntropyLoss(), adam, x, y, layout="matrix")


STEPS = {"example": example_step, "batch": small_batch, "large": large_network}


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> dict[str, Path]:
    """The worked steps in both languages."""
    folder = tmp_path_factory.mktemp("steps")
    made = {}
    for name, make in STEPS.items():
        worked = make()
        for language in ("en", "ko"):
            made[f"{name} {language}"] = path = folder / f"{name}-{language}.html"
            path.write_text(worked.html(language), encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def reports(tmp_path_factory) -> dict[str, Path]:
    """Reports of runs: classes, numbers, one with a fault, and one that ended in NaN; in both languages."""
    folder = tmp_path_factory.mktemp("runs")
    flowers, houses = write_flowers(folder / "flowers.csv"), write_houses(folder / "houses.csv")
    runs = {
        "classes": (0, [flowers, "--target", "kind", "--epochs", "12"]),
        "numbers": (0, [houses, "--target", "price", "--epochs", "12"]),
        "slow": (0, [flowers, "--target", "kind", "--lr", "1e-8", "--epochs", "6"]),
        "failed": (1, [houses, "--target", "price", "--optimizer", "sgd", "--lr", "1e9"]),
    }
    made = {}
    for name, (code, arguments) in runs.items():
        for language in ("en", "ko"):
            run = folder / f"{name}-{language}"
            given = ["train", *map(str, arguments), "--out", str(run), "--lang", language, "--quiet"]
            assert main(given) == code
            made[f"{name} {language}"] = run / "report.html"
    return made


def assert_it_stands_alone(opened: Any, path: Path) -> None:
    assert [url for url in opened.asked if not url.startswith("data:")] == [path.absolute().as_uri()]
    assert opened.complaints == []
    assert path.stat().st_size < MOST_BYTES


def assert_it_fits(open_page: Any, path: Path, name: str) -> None:
    for width in WIDTHS:
        opened = open_page(path, width, "dark" if width == 1000 else "light")
        opened.unfold()
        opened.keep(f"{name.replace(' ', '-')}-{width}")
        assert opened.sticking_out() == [], width
        assert_it_stands_alone(opened, path)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", STEPS)
def test_a_worked_step_stands_alone_and_fits(open_page, pages, name, language):
    path = pages[f"{name} {language}"]
    assert_it_fits(open_page, path, f"step {name} {language}")
    page = open_page(path).page
    assert page.get_attribute("html", "lang") == language
    assert page.evaluate(f"{HANGUL}.test(document.querySelector('h1').textContent)") == (language == "ko")
    assert page.locator("article.line math").count() > 10


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", STEPS)
def test_a_click_on_a_value_marks_where_it_comes_from(open_page, pages, name, language):
    opened = open_page(pages[f"{name} {language}"])
    opened.unfold()
    page = opened.page
    lines, some = page.locator("article.line"), False
    for number in sorted({0, lines.count() // 2, lines.count() - 1}):
        line = lines.nth(number)
        wanted = set((line.get_attribute("data-refs") or "").split())
        line.locator(".result").last.click()
        picked = page.locator("article.line.picked")
        assert picked.count() == 1
        assert picked.get_attribute("data-id") == line.get_attribute("data-id")
        assert page.inner_text("#panel code") == line.get_attribute("data-id")
        shown = "all => all.map((each) => each.dataset.id)"
        marked = set(page.eval_on_selector_all("article.line.is-from, .chip.is-from", shown))
        # Each of them is marked that the page shows: a large network's givens are not all written out.
        there = set(page.eval_on_selector_all("article.line, .chip", shown))
        assert marked == wanted & there
        some = some or bool(marked)
    assert some
    assert opened.complaints == []


def test_the_panel_leads_on_and_keys_do_what_clicks_do(open_page, pages):
    page = open_page(pages["example en"]).page
    loss = page.locator("article.line.loss").first
    loss.focus()
    page.keyboard.press("Enter")
    assert page.locator("article.picked").get_attribute("data-id") == loss.get_attribute("data-id")
    button = page.locator("#panel button").first
    wanted = button.get_attribute("data-pick")
    button.click()
    assert page.inner_text("#panel code") == wanted
    assert page.locator(f'.picked[data-id="{wanted}"]').count() > 0
    assert page.locator(".drawing g.picked, .drawing g.is-from, .drawing g.is-to").count() > 0


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["classes", "numbers", "slow", "failed"])
def test_a_report_stands_alone_and_fits(open_page, reports, name, language):
    path = reports[f"{name} {language}"]
    assert_it_fits(open_page, path, f"report {name} {language}")
    page = open_page(path).page
    assert page.get_attribute("html", "lang") == language
    headings = page.locator("h2").all_inner_texts()
    assert len(headings) >= 3
    assert page.evaluate(f"{HANGUL}.test(document.querySelector('h2').textContent)") == (language == "ko")


@pytest.mark.parametrize("what", ["small", "deep"])
def test_the_picture_of_a_graph_stands_alone_and_holds_its_texts(open_page, tmp_path, what):
    x = sg.randn(4, 3)
    depth = 1 if what == "small" else 6
    layers = [layer for _ in range(depth) for layer in (nn.Linear(3, 3), nn.Tanh())]
    net = nn.Sequential(*layers, nn.Linear(3, 1))
    loss = nn.MSELoss()(net(x), sg.zeros(4, 1))
    path = tmp_path / "graph.svg"
    path.write_text(sg.graph(loss, dict(net.named_parameters())).svg(), encoding="utf-8")
    opened = open_page(path)
    assert_it_stands_alone(opened, path)
    outside = opened.page.evaluate(
        """() => {
          const root = document.documentElement, all = root.getBBox(), found = [];
          const view = root.viewBox.baseVal;
          for (const text of root.querySelectorAll("text")) {
            const box = text.getBBox();
            if (box.x < view.x || box.x + box.width > view.x + view.width) found.push(text.textContent);
          }
          const fits = all.width <= view.width + 1 && all.height <= view.height + 1;
          return fits ? found : ["the drawing itself"];
        }"""
    )
    assert outside == []
    assert opened.page.locator("text").count() > 5
    shown = tmp_path / "notebook.html"  # as a notebook shows it
    shown.write_text(
        f"<!doctype html><meta charset=utf-8>{path.read_text(encoding='utf-8')}", encoding="utf-8"
    )
    opened = open_page(shown)
    opened.keep(f"graph-{what}")
    assert opened.sticking_out() == []
    assert opened.complaints == []
