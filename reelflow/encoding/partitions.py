"""Encoding by parts, so that no step holds all ratings; the files are those of `encode.encode`.

Each file of examples is encoded by itself and put in the order of its users. Then ranges of users
are collected from all parts, sorted as timelines, and written into their place in the final
columns. Steps pass each other file names only, and a step that is repeated writes the same bytes,
so that a loop or Beam's workers can take them.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from reelflow.base import columns as f
from reelflow.data.parquet import open_own
from reelflow.encoding.encode import (
    Counted,
    Graph,
    Strangers,
    encode_catalogue,
    encode_split,
    new_users,
    sizes_of,
    timelines,
)
from reelflow.encoding.encoded import EncodedData, EncodedRatings, split_file
from reelflow.encoding.graph import load_graph

BATCH_ROWS: Final = 1 << 18
"""Rows that go through the graph at a time."""
RANGE_ROWS: Final = 1 << 20
"""Train rows of a range of users, about; a user is never divided."""


class Part(NamedTuple):
    """A file of examples."""

    split: str
    number: int
    """Among the files of its split, in their order."""
    path: str


class Range(NamedTuple):
    """Users whose timelines are written together; or a held-out part, whose `users` are None."""

    users: tuple[int, int] | None
    """The first, and the one behind the last."""
    part: Part | None
    start: int
    """Its first row in the final file."""


@dataclass(frozen=True)
class Encoder:
    """The encoding of one run's examples."""

    transform_graph: str
    """URI of the TransformGraph artifact."""
    parts: Sequence[Part]
    """All splits', in order."""
    folder: Path
    """That of the artifact, which every worker reaches."""

    def encode(self, part: Part) -> None:
        """Encode a part, and write it with its counts to the working folder."""
        graph = _graph(self.transform_graph)
        with open_own(part.path) as file:
            rows, unknown = encode_split(graph, file.iter_batches(BATCH_ROWS))
        counted = Counted.of(graph, rows)
        told: dict[str, Any] = {"counted": counted}
        if part.split == f.TRAIN:
            known = (rows.user_index < graph.users) & (rows.movie_index < graph.movies_count)
            places = np.flatnonzero(known)
            rows = rows.take(places[np.argsort(rows.user_index[places], kind="stable")])
        else:
            strangers = Strangers.of(graph, rows, unknown, part.split == f.TEST)
            strangers.rows.save(self._strangers_file(part))
            told["strangers"] = strangers.user_ids
        rows.save(self._part_file(part))
        self._told_file(part).write_text(json.dumps(told))

    def plan(self) -> list[Range]:
        """Make the files of the final columns, and say what is to be written into them.

        After all parts have been encoded.
        """
        self._work.mkdir(parents=True, exist_ok=True)
        counts = np.zeros(_graph(self.transform_graph).users, np.int64)
        for part in self._of(f.TRAIN):
            users = EncodedRatings.load(self._part_file(part)).user_index
            counts += np.bincount(users, minlength=len(counts))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        # What stands for an unknown user has no ratings.
        np.save(self._offsets_file, np.append(offsets, offsets[-1]))
        total = int(offsets[-1])
        EncodedRatings.reserve(split_file(self.folder, f.TRAIN), total)
        cuts = np.searchsorted(offsets, np.arange(0, total, RANGE_ROWS))
        cuts = np.unique(np.append(cuts, len(counts)))
        ranges = [
            Range((int(first), int(last)), None, int(offsets[first]))
            for first, last in pairwise(cuts)
        ]
        for split in (f.VALIDATION, f.TEST):
            start = 0
            for part in self._of(split):
                ranges.append(Range(None, part, start))
                start += self._counted(part).rows
            EncodedRatings.reserve(split_file(self.folder, split), start)
        return ranges

    def write(self, rows: Range) -> None:
        """Write timelines of users, or a held-out part with the ends of its histories."""
        if rows.users is not None:
            self._write_timelines(*rows.users, rows.start)
            return
        assert rows.part is not None, "a range has users or a part"
        offsets = np.load(self._offsets_file, mmap_mode="r", allow_pickle=False)
        part = EncodedRatings.load(self._part_file(rows.part))
        part = replace(part, history_end=np.asarray(offsets[part.user_index + 1]))
        part.write_at(split_file(self.folder, rows.part.split), rows.start)

    def _write_timelines(self, first: int, last: int, start: int) -> None:
        pieces = []
        for part in self._of(f.TRAIN):
            rows = EncodedRatings.load(self._part_file(part))
            begin, end = np.searchsorted(rows.user_index, np.array([first, last], np.int32))
            pieces.append(rows.take(np.arange(begin, end)))
        block = timelines(EncodedRatings.joined(pieces))
        block = replace(block, history_end=block.history_end + start)
        block.write_at(split_file(self.folder, f.TRAIN), start)

    def finish(self, movies: pa.Table, users: pa.Table | None) -> Mapping[str, int]:
        """Write what belongs to no part, and remove the working folder.

        Args:
            movies: as for `encode.encode`.
            users: as for `encode.encode`.

        Returns:
            Split to its number of rows.
        """
        graph = _graph(self.transform_graph)
        counted = {s: [self._counted(part) for part in self._of(s)] for s in f.RATING_SPLITS}
        splits = {s: EncodedRatings.load(split_file(self.folder, s)) for s in f.RATING_SPLITS}
        strangers = [
            Strangers(
                json.loads(self._told_file(part).read_text())["strangers"],
                EncodedRatings.load(self._strangers_file(part)),
                split == f.TEST,
            )
            for split in (f.VALIDATION, f.TEST)
            for part in self._of(split)
        ]
        EncodedData(
            **splits,
            catalogue=encode_catalogue(graph, movies),
            movie_features=None if graph.movie_features is None else graph.movie_features(movies),
            user_features=None if graph.user_features is None else graph.user_features(users),
            sizes=sizes_of(graph, counted),
            new_users=new_users(strangers),
        ).save_all_but_ratings(self.folder)
        shutil.rmtree(self._work)
        _graph.cache_clear()
        return {split: len(rows) for split, rows in splits.items()}

    def run(self) -> None:
        """Take all steps but the last here, one after the other."""
        for part in self.parts:
            self.encode(part)
        for rows in self.plan():
            self.write(rows)

    def _of(self, split: str) -> Iterator[Part]:
        return (part for part in self.parts if part.split == split)

    def _counted(self, part: Part) -> Counted:
        return Counted(*json.loads(self._told_file(part).read_text())["counted"])

    @property
    def _work(self) -> Path:
        return self.folder / "parts"

    @property
    def _offsets_file(self) -> Path:
        return self._work / "offsets.npy"

    def _part_file(self, part: Part) -> Path:
        return self._work / f"{part.split}-{part.number:05d}.arrow"

    def _strangers_file(self, part: Part) -> Path:
        return self._work / f"strangers-{part.split}-{part.number:05d}.arrow"

    def _told_file(self, part: Part) -> Path:
        return self._work / f"{part.split}-{part.number:05d}.json"


@functools.lru_cache(maxsize=1)
def _graph(transform_graph: str) -> Graph:
    """Load the graph, once in each process."""
    return load_graph(transform_graph)
