"""A headless Chromium without a network, and what to ask of a page that is opened in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

# Every visible element that stands out of the window to the left or right, or out of its own box, but for
# what lies in a box that scrolls.
STICKING_OUT = """() => {
  const scrolls = (e) => ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX);
  const found = [];
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height || (box.left >= -1 && box.right <= innerWidth + 1)) continue;
    let inside = false;
    for (let p = e.parentElement; p; p = p.parentElement) inside = inside || scrolls(p);
    if (!inside) found.push(`${e.tagName}.${e.getAttribute("class")} ${box.left} to ${box.right}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the window");
  return found;
}"""


class Opened:
    """A page in the browser: `asked` are the addresses it asked for, `complaints` what the console says."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self._heard(message))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def unfold(self) -> None:
        """Open all that is folded."""
        self.page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")

    def sticking_out(self) -> list[str]:
        """Return what stands out of the window."""
        return self.page.evaluate(STICKING_OUT)

    def keep(self, name: str) -> None:
        """Take a picture, if STEPGRAD_SCREENSHOTS names a folder for them."""
        if folder := os.environ.get("STEPGRAD_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser: one in the PATH, or the one that `playwright install chromium` brings."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = [
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    ]
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(executable_path=found[0] if found else None, args=QUIET)
        except playwright.Error as error:
            pytest.skip(f"no Chromium can be started: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Any]:
    """Open a file in a window of some width, in the light or the dark scheme, offline."""
    contexts = []

    def open_one(path: Path, width: int = 1400, scheme: str = "light") -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.goto(path.absolute().as_uri())
        return opened

    yield open_one
    for context in contexts:
        context.close()
