"""Encoded ratings: integer columns that the Trainer and the Evaluator read memory-mapped.

The train split is sorted by user, then time, so that it is every user's timeline: the history of a
row is the slice `[offsets[user_index], history_end)` of train.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.base import columns as f
from reelflow.encoding.tokens import Tokens

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedRatings:
    """One split; every array has shape [rows]."""

    user_index: Int32
    """0 to users - 1; `users` stands for a user that train does not have."""
    movie_index: Int32
    """0 to movies - 1; `movies` stands for a movie that the catalogue does not have."""
    rating: Float32
    """Stars."""
    timestamp: Int64
    """Seconds; 0 where missing."""
    day: Float32
    """Days since the first train rating; 0 where missing."""
    history_end: Int64
    """Position in train before which all of this user's ratings are strictly earlier."""

    def __len__(self) -> int:
        return len(self.user_index)

    def take(self, rows: Int64) -> EncodedRatings:
        """The given rows, in the given order."""
        return EncodedRatings(*(getattr(self, c.name)[rows] for c in fields(self)))

    def is_known(self, users: int, movies: int) -> npt.NDArray[np.bool_]:
        """Whether a row's user and movie are both in the vocabularies of these sizes, [rows]."""
        known: npt.NDArray[np.bool_] = (self.user_index < users) & (self.movie_index < movies)
        return known

    def only_known(self, users: int, movies: int) -> EncodedRatings:
        """The rows whose user and movie are known, in their own order."""
        known = self.is_known(users, movies)
        return self if known.all() else self.take(np.flatnonzero(known))

    def save(self, path: Path) -> None:
        """Write Arrow IPC with one record batch, so that `load` needs no copy."""
        write_batch(path, {c.name: pa.array(getattr(self, c.name)) for c in fields(self)})

    @classmethod
    def load(cls, path: Path) -> EncodedRatings:
        """Memory-map what `save` wrote."""
        batch = read_batch(path)
        return cls(
            *(batch.column(batch.schema.get_field_index(c.name)).to_numpy() for c in fields(cls))
        )


@dataclass(frozen=True)
class EncodedCatalogue:
    """Every movie once, in vocabulary order: row i is the movie with `movie_index` i."""

    movie_id: list[str]
    title: list[str]
    genres: list[list[str]]
    year: list[int | None]
    genre_indices: Int32
    """[sum of genre_counts], 0 to genres - 1."""
    genre_counts: Int32
    """[movies]: how many genres each movie has."""
    year_scaled: Float32
    """[movies]: z-score of the release year, 0 where missing."""

    def __len__(self) -> int:
        return len(self.movie_id)

    def save(self, path: Path) -> None:
        """Write Arrow IPC with one record batch."""
        genres = pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(self.genre_counts)]), pa.int32()),
            pa.array(self.genre_indices, pa.int32()),
        )
        write_batch(
            path,
            {
                f.MOVIE_ID: pa.array(self.movie_id, pa.string()),
                f.TITLE: pa.array(self.title, pa.string()),
                f.GENRES: pa.array(self.genres, pa.list_(pa.string())),
                f.YEAR: pa.array(self.year, pa.int64()),
                f.GENRE_INDICES: genres,
                f.YEAR_SCALED: pa.array(self.year_scaled),
            },
        )

    @classmethod
    def load(cls, path: Path) -> EncodedCatalogue:
        """Read what `save` wrote."""
        columns = read_batch(path).to_pydict()
        genre_indices = columns[f.GENRE_INDICES]
        return cls(
            movie_id=columns[f.MOVIE_ID],
            title=columns[f.TITLE],
            genres=columns[f.GENRES],
            year=columns[f.YEAR],
            genre_indices=np.array([i for row in genre_indices for i in row], np.int32),
            genre_counts=np.array([len(row) for row in genre_indices], np.int32),
            year_scaled=np.array(columns[f.YEAR_SCALED], np.float32),
        )


@dataclass(frozen=True)
class Sizes:
    """What the encoder counted."""

    users: int
    movies: int
    genres: int
    has_timestamps: bool
    unknown_users: dict[str, int]
    """Split to the number of its rows whose user is out of vocabulary."""
    unknown_movies: dict[str, int]
    """Split to the number of its rows whose movie is out of vocabulary."""


@dataclass(frozen=True)
class EncodedData:
    """The whole `encoded` artifact."""

    train: EncodedRatings
    """Known users and movies only: of nothing else there can be a timeline."""
    validation: EncodedRatings
    test: EncodedRatings
    catalogue: EncodedCatalogue
    sizes: Sizes
    movie_features: Tokens | None = None
    """A row for each movie; None unless columns are declared as features."""
    user_features: Tokens | None = None
    """A row for each user; None unless the configuration opts in to user attributes."""

    @property
    def offsets(self) -> Int64:
        """[users + 2]: where each user's slice of train begins; the unknown user's is empty."""
        users = np.arange(self.sizes.users + 2, dtype=np.int32)
        offsets: Int64 = np.searchsorted(self.train.user_index, users).astype(np.int64)
        return offsets

    def save(self, folder: Path) -> None:
        """Write the artifact's files below `folder`."""
        for split in f.RATING_SPLITS:
            getattr(self, split).save(split_file(folder, split))
        self.catalogue.save(split_file(folder, f.MOVIES))
        for split, tokens in ((f.MOVIES, self.movie_features), (f.USERS, self.user_features)):
            if tokens is not None:
                tokens.save(_features_file(folder, split))
        (folder / "sizes.json").write_text(json.dumps(asdict(self.sizes)))

    @classmethod
    def load(cls, folder: Path) -> EncodedData:
        """Memory-map what `save` wrote."""
        splits = {s: EncodedRatings.load(split_file(folder, s)) for s in f.RATING_SPLITS}
        features = [_features_file(folder, split) for split in (f.MOVIES, f.USERS)]
        movie_features, user_features = (Tokens.load(p) if p.is_file() else None for p in features)
        return cls(
            **splits,
            catalogue=EncodedCatalogue.load(split_file(folder, f.MOVIES)),
            sizes=Sizes(**json.loads((folder / "sizes.json").read_text())),
            movie_features=movie_features,
            user_features=user_features,
        )


def split_file(folder: Path, split: str) -> Path:
    """Path of a split's only file, its folder made."""
    path = folder / f"Split-{split}" / ("movies.arrow" if split == f.MOVIES else "ratings.arrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _features_file(folder: Path, split: str) -> Path:
    return folder / f"Split-{split}" / "features.arrow"


def write_batch(path: Path, columns: dict[str, pa.Array]) -> None:
    """Write columns as an Arrow IPC file with one record batch."""
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def read_batch(path: Path) -> pa.RecordBatch:
    """Memory-map the only record batch of an Arrow IPC file."""
    with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
        return reader.get_batch(0)
