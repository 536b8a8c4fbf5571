"""Tests for `reelflow.base.untrusted`."""

import io
import json
import logging

import pytest

from reelflow.base.untrusted import (
    keep_logs_printable,
    no_formula,
    printable,
    printable_json,
)

HOSTILE = "Alien\x1b]0;owned\x07\x1b[2J \x9b31m\u202egnp.exe\r\x08\x7f"
"""A title that sets the window's name, clears the screen, colours, turns around, overwrites."""


def test_control_sequences_lose_what_makes_them_work_and_all_other_text_stays():
    assert printable(HOSTILE) == "Alien]0;owned[2J 31mgnp.exe"
    text = "Amélie\t(2001)\nПривет 你好 🎬 עברית"
    assert printable(text) == text


def test_json_keeps_its_value():
    text = json.dumps({"title": HOSTILE}, ensure_ascii=False)
    assert "\x9b" in text
    assert printable(printable_json(text)) == printable_json(text)
    assert json.loads(printable_json(text)) == {"title": HOSTILE}


def test_logs_of_any_logger_are_printable_tracebacks_too():
    before = logging.getLogRecordFactory()
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("of.a.library")
    logger.addHandler(handler)
    try:
        keep_logs_printable()
        logger.warning("no movie %s", HOSTILE)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
        logging.setLogRecordFactory(before)
    assert "no movie Alien]0;owned" in out.getvalue()
    assert "ValueError: Alien" in out.getvalue()
    assert printable(out.getvalue()) == out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example","x")',
        "+1+cmd|' /C calc'!A0",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\x1b=1",
        " =1",
        "＝1",
    ],
)
def test_no_cell_begins_a_formula(text):
    assert no_formula(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["-1", "-0.25", "+3", "-1e-05", "12 Monkeys", "", "a=b"])
def test_numbers_and_plain_texts_stay_as_they_are(cell):
    assert no_formula(cell) == cell
