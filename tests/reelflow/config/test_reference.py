"""docs/configuration.md is what the models say."""

from __future__ import annotations

from pathlib import Path

from reelflow.config import Config
from reelflow.config.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs` and commit the page"


def test_every_key_has_its_line() -> None:
    page = reference()
    for section, values in Config():
        assert f"\n## {section}\n" in page
        for key in type(values).model_fields:
            assert f"\n| `{key}" in page
    assert "| `max_quarantined` | number, ≥ 0, ≤ 1 | `0.1` | Share of rows" in page
    assert "| `test` | number or text | not set |" in page
    assert "| `delimiter` | text | not set | Column delimiter" in page
