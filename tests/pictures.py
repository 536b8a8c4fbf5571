"""Take the pictures of the documents anew, `make pictures`: a run, its report, the page.

They go to docs/images: `run.svg` is what a terminal shows at the end of the run, the others are
screenshots by headless Chromium, of both widths and themes where the README shows both.
"""

from __future__ import annotations

import io
import os
import pty
import re
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from reelflow.serving.limits import Limits
from tests.command import EXECUTABLE
from tests.reelflow.serving.live import live
from tests.reelflow.serving.test_page import CHROMEDRIVER, CHROMIUM, FLAGS

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLUMNS = 100
PAUSE = 6
"""Seconds until a page has all of its rows."""
TASTE = "#user=103"
SHOTS = {
    "page.png": (1280, 1500, "light", TASTE),
    "page-dark.png": (1280, 1500, "dark", f"{TASTE}&open=12"),
    "page-phone.png": (390, 844, "light", ""),
}


def terminal(*command: str | Path) -> str:
    """Run a command in a terminal of its own; returns what it shows at the end, with colours."""
    shown = bytearray()

    def read(descriptor: int) -> bytes:
        shown.extend(data := os.read(descriptor, 1 << 16))
        return data

    os.environ["COLUMNS"] = str(COLUMNS)
    if pty.spawn([str(word) for word in command], read):
        raise SystemExit("The command has failed; see above.")
    text = shown.decode().replace("\r\n", "\n")
    # The live table is drawn again and again: the last one counts.
    return text.rpartition("\x1b[2K")[2]


def draw(text: str, title: str, file: Path) -> None:
    """Write what a terminal shows as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(text))
    picture = console.export_svg(title=title)
    # Its font would be loaded from another host.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    file.write_text(picture, encoding="utf-8")


def shoot(address: str, report: Path) -> None:
    """Photograph the page and the report."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS, "--hide-scrollbars"]:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    try:
        for name, (width, height, theme, path) in SHOTS.items():
            _look(browser, width, height, theme, address + path, IMAGES / name)
        _look(browser, 1280, 1500, "light", report.as_uri(), IMAGES / "report.png")
    finally:
        browser.quit()


def _look(
    browser: webdriver.Chrome, width: int, height: int, theme: str, address: str, file: Path
) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get("about:blank")
    browser.get(address)
    time.sleep(PAUSE)
    browser.save_screenshot(str(file))


def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        draw(terminal(EXECUTABLE, "run", "--output", output), "reelflow run", IMAGES / "run.svg")
        with live(output / "serving" / "reelflow", limits=Limits()) as address:
            shoot(address, (output / "latest" / "report.html").resolve())


if __name__ == "__main__":
    main()
