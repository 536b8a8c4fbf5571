"""Durations, nested mappings and file locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.common import file_lock, flatten, format_duration, is_locked


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_leaves_of_nested_mappings() -> None:
    nested = {"a": 1, "b": {"c": 2, "d": {"e": None}}, "f": {}}
    assert flatten(nested, ".") == {"a": 1, "b.c": 2, "b.d.e": None}
    assert flatten(nested["b"], "/", "x/") == {"x/c": 2, "x/d/e": None}


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    assert not is_locked(path)
    with file_lock(path) as first, file_lock(path) as second:
        assert first
        assert not second
        assert is_locked(path)
    assert not is_locked(path)
