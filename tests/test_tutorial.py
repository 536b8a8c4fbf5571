"""The tutorial as it is typed: its ratings, its configuration, its run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import reelflow

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"


@pytest.mark.slow
def test_the_tutorials_model_is_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    (shop,) = re.findall(r"<<'END'\n(.*?)\nEND\n", text, re.DOTALL)
    (config,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (run,) = re.findall(r"^\.venv/bin/reelflow (run .* --output shop-output)$", text, re.MULTILINE)
    (tmp_path / "shop").mkdir()
    subprocess.run([sys.executable, "-c", shop], cwd=tmp_path, check=True)
    (tmp_path / "shop.toml").write_text(config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ended = reelflow(*run.split())
    assert ended.code == 0, ended.output
    assert [*(tmp_path / "shop-output" / "serving" / "reelflow").glob("*/saved_model.pb")]
