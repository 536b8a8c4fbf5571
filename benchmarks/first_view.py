"""The page's first view in headless Chromium: `python -m benchmarks.first_view --model DIR`.

`reelflow serve` runs in a process of its own, on the same machine as the browser. Each visit is one
of a new browser, which keeps nothing; the page is complete when its posters to click are painted.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from benchmarks import common
from benchmarks.serving_http import server

VISITS: Final = 15
FLAGS: Final = "--headless --window-size=1280,900 --no-sandbox --disable-gpu --no-first-run".split()
COMPLETE: Final = """
const done = arguments[arguments.length - 1];
(function look() {
  if (!document.querySelector("#picks > li, #cards > li")) return setTimeout(look, 5);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const all = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    const sum = (name) => all.reduce((total, one) => total + one[name], 0);
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    done([performance.now(), paint?.startTime ?? NaN, all.length, sum("encodedBodySize"),
      sum("decodedBodySize")]);
  }));
})();
"""
"""Milliseconds until complete and until the first paint, requests, their bytes as sent and as read.
"""


def visit(address: str) -> list[float]:
    """Open the page in a new browser; returns what `COMPLETE` measures."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium") or shutil.which("chromium-browser"))
    options.page_load_strategy = "none"
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        browser.set_script_timeout(60)
        browser.get(address)
        found: list[float] = browser.execute_async_script(COMPLETE)
        return found
    finally:
        browser.quit()


def main() -> None:
    """Print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--model", required=True, help="Folder of a model or of versions.")
    given = parser.parse_args()
    number = 3 if given.short else given.repeats or VISITS
    with server(Path(given.model)) as (port, _):
        visits = np.array([visit(f"http://127.0.0.1:{port}/") for _ in range(number)])
    rows: list[dict[str, Any]] = []
    for column, name in enumerate(("complete", "first paint")):
        median, high = np.percentile(visits[1:, column], [50, 95])
        first = visits[0, column]
        rows.append({"what, ms": name, "first": first, "median of the rest": median, "p95": high})
    requests, sent, read = visits[-1, 2:].astype(int).tolist()
    weight = {"requests": requests, "bytes sent": sent, "bytes unpacked": read}
    title = f"The page's first view, {number} visits: {weight}"
    common.report("first_view", title, rows, short=given.short, details=weight)


if __name__ == "__main__":
    main()
