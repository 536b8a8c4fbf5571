"""The `encoded` artifact: ratings, catalogue and features as integer columns, read memory-mapped.

The train split is sorted by user, then time, so that it is every user's timeline: the history of a
row is the range `[offsets[user_index], history_end)` of train. For a train row that is what is
strictly earlier, for a row of another split the whole timeline, as served.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.base import columns as f
from reelflow.data.parquet import column_starts, map_batch

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
    """Position in train where the row's history ends: at the first rating of this user that is not
    strictly earlier for rows of train, at the end of the user's timeline for rows held out."""

    def __len__(self) -> int:
        return len(self.user_index)

    def take(self, rows: Int64) -> EncodedRatings:
        """Select rows by position, int64 [n], in that order."""
        return EncodedRatings(*(getattr(self, c.name)[rows] for c in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[EncodedRatings]) -> EncodedRatings:
        """Put rows one after the other; positions of histories are those of each part's own."""
        names = (column.name for column in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def is_known(self, sizes: Sizes) -> npt.NDArray[np.bool_]:
        """True where user and movie are both in the vocabularies of these sizes, bool [rows]."""
        known: npt.NDArray[np.bool_] = self.user_index < sizes.users
        known &= self.movie_index < sizes.movies
        return known

    def only_known(self, sizes: Sizes) -> EncodedRatings:
        """Select the rows whose user and movie are known, in their own order."""
        known = self.is_known(sizes)
        return self if known.all() else self.take(np.flatnonzero(known))

    def save(self, path: Path) -> None:
        """Write Arrow IPC with one record batch, so that `load` needs no copy."""
        _write_batch(path, {c.name: pa.array(getattr(self, c.name)) for c in fields(self)})

    @classmethod
    def load(cls, path: Path) -> EncodedRatings:
        """Memory-map what `save` wrote."""
        batch = map_batch(path)
        return cls(*(batch.column(c.name).to_numpy() for c in fields(cls)))

    @classmethod
    def reserve(cls, path: Path, rows: int) -> None:
        """Write the file of so many rows, which `write_at` then fills."""
        # Zeros take no memory until they are written to.
        whole, times = np.zeros(rows, np.int32), np.zeros(rows, np.int64)
        stars = np.zeros(rows, np.float32)
        cls(whole, whole, stars, times, stars, times).save(path)

    def write_at(self, path: Path, start: int) -> None:
        """Put rows into a file of `reserve`, from a position on; others may write other rows."""
        starts = column_starts(path)
        with path.open("r+b") as file:
            for column, begin in zip(fields(self), starts, strict=True):
                values = np.ascontiguousarray(getattr(self, column.name))
                file.seek(begin + start * values.itemsize)
                file.write(values.data)


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
    """[movies]: number of genres of each movie."""
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
        _write_batch(
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
        columns = map_batch(path).to_pydict()
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
    """Sizes of the vocabularies, and the rows outside of them."""

    users: int
    movies: int
    genres: int
    has_timestamps: bool
    """True if the ratings have different times; without, nothing is earlier than anything else."""
    unknown_users: dict[str, int]
    """Split to the number of its rows whose user is out of vocabulary."""
    unknown_movies: dict[str, int]
    """Split to the number of its rows whose movie is out of vocabulary."""


@dataclass(frozen=True)
class Tokens:
    """Features in words `name=value`, any number a row, as indices into their vocabulary."""

    words: list[str]
    """The vocabulary: `director=Ida Lupino`."""
    counts: Int32
    """[rows]: number of words of each row."""
    indices: Int32
    """[sum of counts], 0 to len(words) - 1, row after row."""

    @classmethod
    def from_pairs(cls, words: list[str], rows: Int64, indices: Int64, count: int) -> Tokens:
        """Group pairs of a row and a word.

        Args:
            words: the vocabulary.
            rows: int64 [n], ascending.
            indices: int64 [n], into the vocabulary; those beyond it are left out.
            count: number of rows.
        """
        known = indices < len(words)
        counts = np.bincount(rows[known], minlength=count).astype(np.int32)
        return cls(words, counts, indices[known].astype(np.int32))

    @property
    def names(self) -> list[str]:
        """Names of the features, sorted."""
        return sorted({word.partition("=")[0] for word in self.words})

    @property
    def owners(self) -> Int32:
        """The row of each of `indices`, [sum of counts]."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)

    def take(self, rows: Int64) -> Tokens:
        """Select rows by position, int64 [n], in that order."""
        starts = np.cumsum(self.counts) - self.counts
        counts = self.counts[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Tokens(self.words, counts, self.indices[np.repeat(starts[rows], counts) + within])

    def save(self, path: Path) -> None:
        """Write Arrow IPC: one column of lists of dictionary-encoded words."""
        values = pa.DictionaryArray.from_arrays(
            pa.array(self.indices, pa.int32()), pa.array(self.words, pa.string())
        )
        offsets = pa.array(np.concatenate([[0], np.cumsum(self.counts)]), pa.int32())
        _write_batch(path, {"tokens": pa.ListArray.from_arrays(offsets, values)})

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read what `save` wrote."""
        lists = map_batch(path).column(0)
        values = lists.flatten()
        return cls(
            words=values.dictionary.to_pylist(),
            counts=np.diff(lists.offsets.to_numpy()).astype(np.int32),
            indices=values.indices.to_numpy(),
        )


@dataclass(frozen=True)
class NewUsers:
    """Ratings of users that train does not have, of movies in the catalogue.

    A model has no embedding of them; it answers from their histories.
    """

    user_id: list[str]
    """Distinct and sorted."""
    owner: Int32
    """Index into `user_id`, [ratings]."""
    movie_index: Int32
    rating: Float32
    timestamp: Int64
    test: npt.NDArray[np.bool_]
    """True for ratings of the test split, False for those of validation."""

    @classmethod
    def none(cls) -> NewUsers:
        """Return no users."""
        whole = np.zeros(0, np.int32)
        stars, test = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        return cls([], whole, whole, stars, np.zeros(0, np.int64), test)

    def save(self, path: Path) -> None:
        """Write Arrow IPC: the user ids as a dictionary, one row a rating."""
        users = pa.DictionaryArray.from_arrays(pa.array(self.owner), pa.array(self.user_id))
        columns = (f.MOVIE_INDEX, f.RATING, f.TIMESTAMP, f.TEST)
        arrays = {name: pa.array(getattr(self, name)) for name in columns}
        _write_batch(path, {f.USER_ID: users, **arrays})

    @classmethod
    def load(cls, path: Path) -> NewUsers:
        """Read what `save` wrote."""
        batch = map_batch(path)
        users, movies, stars, times, test = batch.columns
        return cls(
            user_id=users.dictionary.to_pylist(),
            owner=users.indices.to_numpy(),
            movie_index=movies.to_numpy(),
            rating=stars.to_numpy(),
            timestamp=times.to_numpy(),
            test=test.to_numpy(zero_copy_only=False),
        )


@dataclass(frozen=True)
class EncodedData:
    """The whole `encoded` artifact."""

    train: EncodedRatings
    """Rows of known users and movies only, every user's timeline after the other."""
    validation: EncodedRatings
    test: EncodedRatings
    catalogue: EncodedCatalogue
    sizes: Sizes
    movie_features: Tokens | None = None
    """One row a movie; None unless columns are declared as features."""
    user_features: Tokens | None = None
    """One row a user; None unless the configuration opts in to user attributes."""
    new_users: NewUsers = field(default_factory=NewUsers.none)

    @property
    def offsets(self) -> Int64:
        """First row of each user's timeline in train, [users + 2]; the unknown user's is empty."""
        users = np.arange(self.sizes.users + 2, dtype=np.int32)
        offsets: Int64 = np.searchsorted(self.train.user_index, users).astype(np.int64)
        return offsets

    @property
    def rating_counts(self) -> Int64:
        """Number of train ratings of each movie, [movies]."""
        movies = len(self.catalogue)
        counts: Int64 = np.bincount(self.train.movie_index, minlength=movies)[:movies]
        return counts

    def save(self, folder: Path) -> None:
        """Write the artifact's files below `folder`."""
        for split in f.RATING_SPLITS:
            getattr(self, split).save(split_file(folder, split))
        self.save_all_but_ratings(folder)

    def save_all_but_ratings(self, folder: Path) -> None:
        """Write the artifact's files below `folder`, but for the columns of the splits."""
        self.catalogue.save(split_file(folder, f.MOVIES))
        for split, tokens in ((f.MOVIES, self.movie_features), (f.USERS, self.user_features)):
            if tokens is not None:
                tokens.save(_features_file(folder, split))
        self.new_users.save(_new_users_file(folder))
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
            new_users=NewUsers.load(_new_users_file(folder)),
        )


def _new_users_file(folder: Path) -> Path:
    return folder / f"Split-{f.USERS}" / "new.arrow"


def split_file(folder: Path, split: str) -> Path:
    """Return the file of a split's ratings, or of the movies."""
    return folder / f"Split-{split}" / ("movies.arrow" if split == f.MOVIES else "ratings.arrow")


def _features_file(folder: Path, split: str) -> Path:
    return folder / f"Split-{split}" / "features.arrow"


def _write_batch(path: Path, columns: dict[str, pa.Array]) -> None:
    """Write columns as an Arrow IPC file with one record batch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
