"""Renderings of the worked example and of others: what they hold, and that both languages are whole."""

import itertools
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.explain.render.terminal import terminal
from stepgrad.words.language import Words
from tests.explain.examples import example

HANGUL = re.compile("[가-힣]")


class Page(HTMLParser):
    """What a page has: its elements with their attributes, whether they close, and all text by element."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def ids(self, tag):
        return [attrs["data-id"] for name, attrs in self.elements if name == tag and "data-id" in attrs]


def classifier():
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(), nn.LayerNorm(2), nn.Linear(2, 3))
    x, y = sg.randn(2, 3), sg.tensor([0, 2])
    return sg.explain(model, nn.CrossEntropyLoss(), sg.optim.AdamW(model.parameters()), x, y)


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("make", [example, classifier])
def test_the_page_has_every_line_and_asks_nobody_for_anything(make, lang):
    worked = make()
    text = worked.html(lang)
    page = Page(text)
    assert page.open == []
    assert set(page.ids("article")) == {line.id for line in worked}
    known = {each.id for each in (*worked.lines, *worked.given)}
    assert set(page.ids("mrow")) <= known
    for name, attrs in page.elements:
        for key in ("src", "href", "action"):
            assert attrs.get(key, "data:,") == "data:,", (name, attrs)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "default-src 'none'" in unescape(text)
    assert len(text.encode()) < 2_000_000


def test_the_policy_of_the_page_lets_its_own_script_run():
    import base64
    import hashlib

    text = example().html()
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in unescape(text)


def test_the_page_in_korean_says_nothing_in_english():
    for make in (example, classifier):
        page = Page(make().html("ko"))
        readable = [t for tag, t in page.texts if tag in ("h1", "h2", "h3", "p", "dt", "summary", "small")]
        assert any(HANGUL.search(text) for text in readable)
        for text in readable:
            words = re.findall(r"[A-Za-z]{4,}", text)
            assert not set(words) - {"Linear", "Sigmoid", "LeakyReLU", "LayerNorm", "True", "stepgrad"}, text


def test_the_network_is_drawn_with_values_and_gradients():
    page = Page(example().html())
    drawn = {attrs["data-id"] for tag, attrs in page.elements if tag in ("g", "text") and "data-id" in attrs}
    assert {
        "given/x[0]",
        "forward/0/z[1]",
        "forward/3/a[0]",
        "loss",
        "grad/0/z[1]",
        "given/0.weight[1,0]",
    } <= drawn
    edges = [(a["data-from"], a["data-to"]) for tag, a in page.elements if tag == "line"]
    assert ("forward/1/a[1]", "forward/2/z[0]") in edges
    assert len(edges) == 4 + 2 + 2 + 1 + 1


def test_no_label_of_a_weight_lies_upon_another():
    page = Page(example().html())
    labels = [attrs for tag, attrs in page.elements if tag == "text" and attrs.get("class") == "weight v"]
    assert len(labels) == 6
    places = {label["data-id"]: (float(label["x"]), float(label["y"])) for label in labels}
    for (x, y), (a, b) in itertools.combinations(places.values(), 2):
        assert abs(x - a) > 40 or abs(y - b) >= 14
    # Of the weights that cross, each stands nearer to the input that it belongs to.
    assert places["given/0.weight[1,0]"][1] < places["given/0.weight[0,1]"][1]
    assert "on a line: the weight" in example().html()


def test_the_picture_of_a_path_shows_its_weight_and_its_input():
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 3), nn.Tanh(), nn.Linear(3, 1))
    worked = sg.explain(model, nn.MSELoss(), None, sg.rand(1, 20), sg.rand(1, 1), path="0.weight[1,17]")
    page = Page(worked.html())
    drawn = [attrs["data-id"] for tag, attrs in page.elements if tag == "g" and "data-id" in attrs]
    assert [id for id in drawn if id.startswith("given/x")] == ["given/x[0,17]"]
    assert [a["data-from"] for tag, a in page.elements if a.get("class") == "edge path"] == ["given/x[0,17]"]
    assert "given/0.weight[1,17]" in [a.get("data-id") for tag, a in page.elements if tag == "text"]
    assert "and 19 units more" in worked.html()
    assert "외 뉴런 19개" in worked.html("ko")


def test_many_lines_of_one_array_are_folded():
    model = nn.Sequential(nn.Linear(40, 2), nn.Tanh(), nn.Linear(2, 1))
    adam = sg.optim.Adam(model.parameters())
    worked = sg.explain(model, nn.MSELoss(), adam, sg.rand(1, 40), sg.ones(1, 1), neuron=1, layer=1)
    text = worked.html()
    assert text.count("<summary>and 34 more</summary>") == 6  # the gradients, m, v, m̂, v̂ and the new weights
    assert text.count('<article class="line') == len(worked)
    assert "외 34개" in worked.html("ko")
    assert "<details" not in "".join(re.findall(r'class="alike".*', example().html()))


def test_of_many_inputs_those_that_are_not_0_are_listed():
    model = nn.Sequential(nn.Linear(100, 1))
    x = sg.zeros(1, 100)
    x[0, 70] = 2.5
    worked = sg.explain(model, nn.MSELoss(), None, x, sg.ones(1, 1), path="0.weight[0,70]")
    listed = "".join(map(str, terminal(worked, Words("en"))))
    assert "Input: x₇₁ = 2.5, and 99 more, all 0" in listed
    assert "$x_{71} = 2.5$, 외 99개는 모두 0" in worked.markdown("ko")
    assert "x₁ = 0" not in listed


def test_a_long_path_is_cut_and_can_be_unfolded():
    sg.manual_seed(0)
    layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)]
    model = nn.Sequential(*layers)
    optimizer = sg.optim.Adam(model.parameters())
    worked = sg.explain(
        model, nn.CrossEntropyLoss(), optimizer, sg.rand(1, 784), sg.tensor([3]), path="0.weight[3,17]"
    )
    text = worked.html()
    assert len(text.encode()) < 2_000_000
    assert "all terms (779 more)" in text
    assert worked["forward/0/z[0,3]"].substituted in text
    assert max(map(len, worked.markdown().splitlines())) < 3000


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_markdown_has_every_line(lang):
    worked = example()
    text = worked.markdown(lang)
    for line in worked:
        assert f"`{line.id}`" in text
    assert r"z^{(1)}_{1} &= w^{(1)}_{11} \cdot x_{1} + w^{(1)}_{12} \cdot x_{2} + b^{(1)}_{1} \\" in text
    assert r"\frac{\partial \hat{y}}{\partial z^{(2)}} &= \hat{y} \cdot \left(1 - \hat{y}\right)" in text
    assert bool(HANGUL.search(text)) == (lang == "ko")
    assert text.count("$$") == 2 * len(worked)
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_json_gives_everything_back():
    worked = classifier()
    said = json.loads(json.dumps(worked.to_dict(), allow_nan=False))
    assert [line["id"] for line in said["lines"]] == [line.id for line in worked]
    assert said["lines"][0]["substituted"] == worked.lines[0].substituted
    assert {each["id"] for each in said["given"]} == {each.id for each in worked.given}


def test_the_terminal_shows_what_the_lines_say():
    from io import StringIO

    from rich.console import Console

    from stepgrad.explain.render.terminal import terminal

    worked = example()
    written = StringIO()
    Console(file=written, width=400, highlight=False).print(*terminal(worked, Words()), sep="\n")
    for line in worked:
        assert f"  {line}\n" in written.getvalue()


def test_a_notebook_gets_a_part_of_a_page(monkeypatch):
    monkeypatch.setenv("STEPGRAD_LANG", "ko")
    text = example()._repr_html_()
    assert "<script" not in text
    assert "<html" not in text
    assert HANGUL.search(text)
    assert Page(text).open == []
