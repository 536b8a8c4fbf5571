"""The columnar path from CSV to metrics against loops that anybody can read, on awkward ratings."""

from __future__ import annotations

import csv
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from components.artifacts import parquet_files, record_batches
from reelflow.base import columns as f
from reelflow.baselines.popularity import DAMPING, Popularity
from reelflow.config import DataConfig, SplitConfig
from reelflow.encoding import partitions
from reelflow.encoding.encode import encode
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.encoding.graph import load_graph
from reelflow.encoding.partitions import Encoder, Part
from reelflow.evaluation.metrics import row_columns, summarise
from reelflow.evaluation.predictions import TestRows, baseline_predictions
from tests.encoded_data import Movie
from tests.reelflow.data.ingest.runs import Run, execute
from tests.reelflow.encoding.learned import learn

pytestmark = pytest.mark.slow  # learns a Transform graph

SEED = 7
SHARES = SplitConfig(kind="random", seed=SEED, validation=0.15, test=0.2)
MASK = 2**64 - 1


class Rating(NamedTuple):
    """A row of the file."""

    user: str
    movie: str
    stars: float
    time: int | None


@dataclass(frozen=True)
class World:
    """What is in the files, and what the fast path made of it."""

    movies: dict[str, Movie]
    ratings: list[Rating]
    """Without exact duplicates, in the order of the file."""
    run: Run
    users: list[str]
    """The user vocabulary."""
    data: EncodedData
    encoder: Encoder
    """Of the same ratings by parts."""

    def plain(self, split: str) -> list[Rating]:
        """The rows of a split, row by row."""
        return [row for row in self.ratings if split_of(row) == split]


@pytest.fixture(scope="module", params=["timestamps", "no timestamps"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    movies, rows = awkward(timestamps=request.param == "timestamps")
    write(folder / "data", movies, rows)
    # Small chunks and several partitions, so that nothing is right only because it is in one piece.
    data = DataConfig(partitions=3, chunk_bytes=4096, max_quarantined=0.2, repeated="all")
    run = execute(folder, folder / "data", data, SHARES)
    people = {row["user_id"][0]: row["timestamp"] for row in run.rows("catalogue", f.USERS)}
    times = {user: None if t is None else (t[0], t[1]) for user, t in people.items()}
    uri = learn(folder, list(movies.values()), times)
    users = tft.TFTransformOutput(uri).vocabulary_by_name(f.USER_VOCABULARY)
    data = encode(
        load_graph(uri),
        {split: record_batches(run.artifacts["examples"], split) for split in f.RATING_SPLITS},
        pa.Table.from_batches(record_batches(run.artifacts["catalogue"], f.MOVIES)),
    )
    parts = [
        Part(split, number, str(path))
        for split in f.RATING_SPLITS
        for number, path in enumerate(parquet_files(run.artifacts["examples"], split))
    ]
    encoder = Encoder(uri, parts, folder / "by-parts")
    return World(movies, list(dict.fromkeys(rows)), run, [u.decode() for u in users], data, encoder)


def awkward(timestamps: bool) -> tuple[dict[str, Movie], list[Rating]]:
    """Unicode, commas and quotes in ids, movies nobody rated, pairs and rows that come twice."""
    chance = random.Random(SEED)
    users = [f"{name} {i}" for i in range(12) for name in ("u", "Zoë", "使用者", 'a "b", c')]
    kinds = ("Drama", "Comedy", "Sci-Fi")
    movies = {
        movie_id: Movie(
            movie_id,
            tuple(kind for kind in kinds if chance.random() < 0.4),
            chance.choice([None, 1950, 1994, 2011]),
        )
        for movie_id in (f"{name}{i}" for i in range(14) for name in ("m", "фильм ", "🎬"))
    }
    rated = list(movies)[:-5]
    rows = [
        Rating(
            chance.choice(users),
            rated[min(int(chance.expovariate(0.1)), len(rated) - 1)],
            chance.randint(1, 10) / 2,
            chance.randint(10**9, 10**9 + 9 * 86_400) if timestamps else None,
        )
        for _ in range(1200)
    ]
    rows.append(Rating("rare", rated[0], 4.0, 10**9 if timestamps else None))
    return movies, chance.sample([*rows, *rows[:150]], len(rows) + 150)


def write(folder: Path, movies: dict[str, Movie], rows: list[Rating]) -> None:
    """The folder as a user would have it."""
    folder.mkdir()
    with (folder / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["movieId", "title", "genres"])
        for movie in movies.values():
            year = "" if movie.year is None else f" ({movie.year})"
            genres = "|".join(movie.genres) or "(no genres listed)"
            writer.writerow([movie.movie_id, f"The title of {movie.movie_id}{year}", genres])
    timed = rows[0].time is not None
    with (folder / "ratings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["userId", "movieId", "rating", "timestamp"][: 4 if timed else 3])
        writer.writerows(row[: 4 if timed else 3] for row in rows)


def mix(value: int) -> int:
    """splitmix64, a number at a time."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def pair(first: int, second: int) -> int:
    """Hash of two hashes."""
    return mix(mix(first) ^ second)


def text_hash(text: str) -> int:
    """Hash of a text, eight bytes at a time."""
    content = text.encode()
    found = mix(len(content))
    for at in range(0, len(content), 8):
        found = pair(found, int.from_bytes(content[at : at + 8], "little"))
    return found


def split_of(row: Rating) -> str:
    """The random split: a draw from seed, user and movie."""
    draw = pair(pair(mix(SEED), text_hash(row.user)), text_hash(row.movie)) / 2**64
    if draw < SHARES.test_share:
        return f.TEST
    return f.VALIDATION if draw < SHARES.test_share + SHARES.validation_share else f.TRAIN


@pytest.mark.parametrize("split", f.RATING_SPLITS)
def test_splits(world: World, split: str) -> None:
    found = [
        Rating(*(cell if cell is None else cell[0] for cell in row.values()))
        for row in world.run.rows("examples", split)
    ]
    assert Counter(found) == Counter(world.plain(split))
    assert len(found) > 100


def test_counts(world: World) -> None:
    report = world.run.report
    assert report["rows"]["read"] == 1351
    assert report["rows"]["kept"] == len(world.ratings)
    assert report["quarantined"] == {"duplicate": 1351 - len(world.ratings)}
    assert (report["users"], report["movies"]) == (len({r.user for r in world.ratings}), 42)


def test_vocabularies(world: World) -> None:
    train_users = {row.user for row in world.plain(f.TRAIN)}
    assert sorted(world.users) == sorted(train_users)
    assert sorted(world.data.catalogue.movie_id) == sorted(world.movies)


@pytest.mark.parametrize("split", f.RATING_SPLITS)
def test_transformed_ratings(world: World, split: str) -> None:
    data, found = world.data, getattr(world.data, split)
    expected = Counter(
        (
            world.users.index(row.user) if row.user in world.users else len(world.users),
            data.catalogue.movie_id.index(row.movie),
            row.stars,
            row.time or 0,
        )
        for row in world.plain(split)
    )
    columns = found.user_index, found.movie_index, found.rating, found.timestamp
    assert Counter(zip(*(column.tolist() for column in columns), strict=True)) == expected
    first = min((r.time for r in world.plain(f.TRAIN) if r.time is not None), default=0)
    days = [(time - first) / 86_400 if time else 0.0 for time in found.timestamp.tolist()]
    np.testing.assert_allclose(found.day, days, atol=1e-5)


def test_transformed_movies(world: World) -> None:
    catalogue = world.data.catalogue
    years = [movie.year for movie in world.movies.values() if movie.year is not None]
    mean = sum(years) / len(years)
    deviation = math.sqrt(sum((year - mean) ** 2 for year in years) / len(years))
    for i, movie_id in enumerate(catalogue.movie_id):
        movie = world.movies[movie_id]
        assert catalogue.genres[i] == list(movie.genres)
        assert catalogue.year[i] == movie.year
        scaled = 0.0 if movie.year is None else (movie.year - mean) / deviation
        assert catalogue.year_scaled[i] == pytest.approx(scaled, abs=1e-5)


def test_histories(world: World) -> None:
    """In train what is strictly earlier, of a test row all that its user has rated in train."""
    by_user = defaultdict(list)
    for row in world.plain(f.TRAIN):
        by_user[row.user].append(row)
    data = world.data

    def movies(rows: EncodedRatings, i: int) -> Counter[str]:
        at = slice(data.offsets[rows.user_index[i]], rows.history_end[i])
        return Counter(data.catalogue.movie_id[m] for m in data.train.movie_index[at])

    for i, raw in enumerate(world.run.rows("examples", f.TEST)):
        assert movies(data.test, i) == Counter(r.movie for r in by_user[raw["user_id"][0]])
    for i, (user, time) in enumerate(zip(data.train.user_index, data.train.timestamp, strict=True)):
        earlier = [r.movie for r in by_user[world.users[user]] if (r.time or 0) < time]
        assert movies(data.train, i) == Counter(earlier)


def test_new_users(world: World) -> None:
    """Ratings of users that train does not have are kept by their ids."""
    new = world.data.new_users
    columns = new.owner.tolist(), new.movie_index.tolist(), new.rating.tolist(), new.test.tolist()
    found = Counter(
        (new.user_id[owner], world.data.catalogue.movie_id[movie], stars, test)
        for owner, movie, stars, test in zip(*columns, strict=True)
    )
    assert found == Counter(
        (row.user, row.movie, row.stars, split == f.TEST)
        for split in (f.VALIDATION, f.TEST)
        for row in world.plain(split)
        if row.user not in world.users
    )


def test_parts_give_the_same_bytes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoded file by file and written range by range, against the encoding in memory."""
    monkeypatch.setattr(partitions, "BATCH_ROWS", 50)
    monkeypatch.setattr(partitions, "RANGE_ROWS", 100)
    world.encoder.run()
    movies = pa.Table.from_batches(record_batches(world.run.artifacts["catalogue"], f.MOVIES))
    world.encoder.finish(movies, None)
    world.data.save(tmp_path)
    assert len([part for part in world.encoder.parts if part.split == f.TRAIN]) == 3

    def content(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    assert content(world.encoder.folder) == content(tmp_path)


def test_ranks_and_metrics(world: World) -> None:
    raw_rows = world.run.rows("examples", f.TEST)
    ids = [np.array([row[name][0] for row in raw_rows], object) for name in (f.USER_ID, f.MOVIE_ID)]
    baseline = Popularity()
    baseline.fit(world.data)
    found = baseline_predictions(baseline, TestRows(*ids, world.data.test), world.data)
    train = world.plain(f.TRAIN)
    stars_of, seen = defaultdict(list), defaultdict(set)
    for row in train:
        stars_of[row.movie].append(row.stars)
        seen[row.user].add(row.movie)
    mean = sum(row.stars for row in train) / len(train)
    raw, unseen, errors = [], [], []
    for user, movie, stars in zip(*ids, world.data.test.rating.tolist(), strict=True):
        better = [
            m for m in world.movies if m != movie and len(stars_of[m]) >= len(stars_of[movie])
        ]
        raw.append(1 + len(better))
        unseen.append(1 + sum(m not in seen[user] for m in better))
        predicted = (sum(stars_of[movie]) + DAMPING * mean) / (len(stars_of[movie]) + DAMPING)
        errors.append(abs(predicted - stars))
    assert found.rank_raw.tolist() == raw
    assert found.rank_unseen.tolist() == unseen
    summary = summarise(row_columns(found, world.data.test.rating, 3.5))
    for measured, ranks in ((summary.raw, raw), (summary.unseen, unseen)):
        assert measured["top_10"] == pytest.approx(sum(r <= 10 for r in ranks) / len(ranks))
        gains = [1 / math.log2(1 + r) if r <= 10 else 0 for r in ranks]
        assert measured["ndcg_10"] == pytest.approx(sum(gains) / len(ranks))
        assert measured["mrr"] == pytest.approx(sum(1 / r for r in ranks) / len(ranks))
    squares = sum(error**2 for error in errors) / len(errors)
    assert summary.rmse == pytest.approx(math.sqrt(squares), abs=1e-5)
    assert summary.mae == pytest.approx(sum(errors) / len(errors), abs=1e-5)
