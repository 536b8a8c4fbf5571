"""Whatever bytes a folder has: BadInput, or counts that add up and rows that are found again.

The folders are those of `fuzz.py`. Each goes through `inspect`, which takes every step of
ExampleGen in this process; some dozens go through ExampleGen itself, with Beam. All 20,000 take
some 90 seconds of one core of one core, the share that is not marked as slow a few seconds.
"""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import itertools
import lzma
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.loading import load
from reelflow.data import inspection
from reelflow.data.formats.adapter import Form
from reelflow.data.formats.source import Source
from reelflow.data.ingest.checks import find_problems
from reelflow.data.ingest.outcome import Outcome, rehearse
from reelflow.data.ingest.results import IngestSummary
from reelflow.data.quarantine import find_rows
from tests.reelflow.data import fuzz
from tests.reelflow.data.ingest.runs import execute

QUICK = 400
ALL = 20_000
BY_BEAM = 12


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    """Keep pyarrow from walking all objects of the process after each file.

    Its reader of CSV looks for cycles of exceptions with `gc.get_referrers`, whose cost is that of
    all objects which the collector knows: in a process with TensorFlow more than that of the file.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the files, in memory where there is such a file system, as for all scratch."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as base:
        monkeypatch.setattr(tempfile, "tempdir", base)
        yield Path(base) / "files"


def write(number: int, folder: Path) -> None:
    """Write the folder of a number."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in fuzz.folder(number).items():
        (folder / name).write_bytes(content)


def configuration(number: int) -> Config:
    """Return the configuration that goes with a folder.

    Raises:
        BadInput: it is none.
    """
    partitions = 1 + number % 4 // 3  # mostly one, which is quicker
    return load(None, [f"data.partitions={partitions}", *fuzz.settings(number)])


def content_of(path: str) -> bytes:
    """Read a file as it is inside of its container, by the standard library alone."""
    stored, _, member = path.partition("!")
    data = Path(stored).read_bytes()
    if member:
        data = zipfile.ZipFile(io.BytesIO(data)).read(member)
    for magic, unpack in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)):
        if data.startswith(magic):
            return bytes(unpack.decompress(data))  # type: ignore[attr-defined]
    return data


def check_counts(summary: IngestSummary) -> None:
    """Every row that was read is in one of the counts, and in one only."""
    rows = summary.rows
    assert rows.kept == rows.train + rows.validation + rows.test
    left = summary.refused + summary.unrated + summary.repeated + sum(summary.filtered.values())
    assert rows.read == rows.kept + left


def check_rows(source: Source, outcome: Outcome) -> None:
    """The refused rows are the bytes of the files at their places, each once, and counted."""
    rejected = outcome.tally.rejected
    found = list(find_rows(rejected, source.ratings_files))
    assert Counter(row.reason for row in found) == outcome.summary.quarantined
    places = set(zip(*(rejected.column(at).to_pylist() for at in range(2)), strict=True))
    assert len(places) == len(found) == rejected.num_rows
    by_file: dict[int, list[int]] = {}
    for file, offset in sorted(places):
        by_file.setdefault(file, []).append(offset)
    rows = iter(found)
    for index, file in enumerate(source.ratings_files):
        if file.layout.form is Form.PARQUET:  # whose rows have no bytes of their own
            assert all(next(rows).row.startswith(b"{") for _ in by_file.get(index, []))
            continue
        content = content_of(file.path)
        for offset in by_file.get(index, []):
            row = next(rows)
            assert row.file == file.name
            assert content[offset:].startswith(row.row)
            behind = content[offset + len(row.row) :]
            assert not behind or behind.startswith(file.layout.line_end[-1:])
            before = content[:offset]
            assert not before[file.data_start :] or before.endswith(file.layout.line_end[-1:])
            assert row.line == before.count(file.layout.line_end[-1:]) + 1


def check_lines(source: Source, read: int) -> None:
    """Lines with anything but delimiters, blanks and quotes are rows; blank ones are none."""
    least = most = 0
    for file in source.ratings_files:
        if file.layout.form is not Form.DELIMITED:
            return
        for line in content_of(file.path)[file.data_start :].split(file.layout.line_end[-1:]):
            most += bool(line.strip(b"\r"))
            least += bool(line.strip(b' \t\r"' + file.layout.delimiter))
    assert least <= read <= most


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Source, Outcome]]:
    """All that `inspect` has found on its way."""
    seen: list[tuple[Source, Outcome]] = []

    def spy(source: Source, *arguments: Any) -> Outcome:
        outcome = rehearse(source, *arguments)
        seen.append((source, outcome))
        return outcome

    monkeypatch.setattr(inspection, "rehearse", spy)
    return seen


@dataclass
class Trial:
    """Tries folders one after the other in the same place."""

    place: Path
    outcomes: list[tuple[Source, Outcome]]

    def readable(self, number: int) -> bool:
        """Return True if a folder can be read; check what came of it, whatever it is."""
        self.outcomes.clear()
        write(number, self.place)
        try:
            found = inspection.inspect(configuration(number), str(self.place))
        except BadInput:
            return False
        ((source, outcome),) = self.outcomes
        assert outcome.summary == found.summary
        check_counts(outcome.summary)
        check_rows(source, outcome)
        check_lines(source, outcome.summary.rows.read)
        return True


@pytest.fixture
def trial(place: Path, outcomes: list[tuple[Source, Outcome]]) -> Trial:
    return Trial(place, outcomes)


def test_random_folders_are_read_or_refused_in_words(trial: Trial) -> None:
    readable = sum(map(trial.readable, range(QUICK)))
    assert QUICK / 5 < readable < 4 * QUICK / 5  # neither is rare


@pytest.mark.slow
def test_twenty_thousand_folders(trial: Trial) -> None:
    for number in range(QUICK, ALL):
        trial.readable(number)


def test_folders_without_damage_are_mostly_readable(trial: Trial) -> None:
    whole = [at for at in range(QUICK) if not fuzz.damages(at) and not fuzz.settings(at)]
    assert sum(map(trial.readable, whole)) > 0.6 * len(whole)


@pytest.mark.slow
def test_example_gen_says_the_same(trial: Trial, tmp_path: Path) -> None:
    """Counts of the component, which runs with Beam, are those of the inspection."""
    by_beam = 0
    for number in itertools.count(ALL):
        readable = trial.readable(number)
        config = configuration(number)
        refused, expected = True, None
        if readable:
            ((_, outcome),) = trial.outcomes
            expected = outcome.summary
            found = find_problems(expected, config.data, config.split, outcome.movies)
            refused = not all(finding.warning for finding in found)
        try:
            run = execute(tmp_path / str(number), trial.place, config.data, config.split)
        except BadInput:
            assert refused
        else:
            assert not refused
            assert expected is not None
            assert run.report["rows"] == expected.rows.model_dump()
            assert run.report["quarantined"] == expected.quarantined
        by_beam += readable
        if by_beam == BY_BEAM:
            break
