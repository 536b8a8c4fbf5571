"""Features that come as words, `name=value`, any number for a movie or a user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_COLUMN = "tokens"


@dataclass(frozen=True)
class Tokens:
    """Which of a vocabulary's words each row has."""

    words: list[str]
    """The vocabulary: `director=Ida Lupino`."""
    counts: Int32
    """[rows]: how many words each row has."""
    indices: Int32
    """[sum of counts], 0 to len(words) - 1, row after row."""

    @property
    def names(self) -> list[str]:
        """Which features there are, in order of their names."""
        return sorted({word.partition("=")[0] for word in self.words})

    @property
    def owners(self) -> Int32:
        """[sum of counts]: the row of each of `indices`."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)

    def take(self, rows: Int64) -> Tokens:
        """The given rows, in the given order."""
        starts = np.cumsum(self.counts) - self.counts
        counts = self.counts[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Tokens(self.words, counts, self.indices[np.repeat(starts[rows], counts) + within])

    def save(self, path: Path) -> None:
        """Write Arrow IPC: one column of lists of dictionary-encoded words."""
        path.parent.mkdir(parents=True, exist_ok=True)
        values = pa.DictionaryArray.from_arrays(
            pa.array(self.indices, pa.int32()), pa.array(self.words, pa.string())
        )
        offsets = pa.array(np.concatenate([[0], np.cumsum(self.counts)]), pa.int32())
        lists = pa.ListArray.from_arrays(offsets, values)
        batch = pa.RecordBatch.from_arrays([lists], names=[_COLUMN])
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read what `save` wrote."""
        with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
            lists = reader.get_batch(0).column(0)
        values = lists.flatten()
        return cls(
            words=values.dictionary.to_pylist(),
            counts=np.diff(lists.offsets.to_numpy()).astype(np.int32),
            indices=values.indices.to_numpy(),
        )


def tokens_of_rows(words: list[str], rows: Int64, indices: Int64, count: int) -> Tokens:
    """Tokens from pairs in order of their rows.

    Args:
        words: the vocabulary.
        rows: int64 [n], ascending.
        indices: int64 [n], into the vocabulary; what is beyond it is left out.
        count: how many rows there are.
    """
    known = indices < len(words)
    counts = np.bincount(rows[known], minlength=count).astype(np.int32)
    return Tokens(words, counts, indices[known].astype(np.int32))
