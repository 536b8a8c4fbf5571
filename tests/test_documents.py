"""What the documents show: commands whose options exist, configurations that are valid."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.cli.app import SUBCOMMANDS
from pipeline.cli.app import load as load_command
from reelflow.config.loading import load as load_config

ROOT = Path(__file__).resolve().parents[1]
OWN_PAGES = [ROOT / "README.md", ROOT / "kubeflow" / "README.md"]
PAGES = [*OWN_PAGES, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> Iterator[str]:
    """Code blocks of a language; "" for those without one."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for named, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if named == language:
            yield block


def commands() -> Iterator[tuple[str, str]]:
    """Every `reelflow ...` line of a code block, with its page."""
    names = "|".join(SUBCOMMANDS)
    for page in PAGES:
        for block in blocks(page, ""):
            for line in re.findall(rf"(?<!`)\breelflow ((?:{names})\b.*)", block):
                yield page.name, line


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_and_options_exist(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    command = load_command(words.pop(0))
    # A group may do something by itself, as `reelflow schedule` does.
    while hasattr(command, "commands") and not words[0].startswith("--"):
        command = command.commands[words.pop(0)]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= {*options, "--help"}
    load_config(None, [value for option, value in pairwise(words) if option == "--set"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_are_valid(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        load_config(file)


def test_there_is_something_to_look_at() -> None:
    assert len(list(commands())) > 20
    assert sum(len(list(blocks(page, "toml"))) for page in PAGES) > 5
