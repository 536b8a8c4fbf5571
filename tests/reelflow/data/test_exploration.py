"""The exploration's figures, against plain pandas on the files as they are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reelflow.config import Config
from reelflow.data.exploration import (
    DAMPING,
    NO_STATE,
    explore,
    explore_folder,
)
from reelflow.data.us_states import state_of
from reelflow.report.page import data_page
from reelflow.report.render import page as as_html

USERS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in the form of MovieLens 1M, with users' attributes; some of their zips are wrong."""
    folder = tmp_path_factory.mktemp("ml-1m")
    random = np.random.default_rng(3)
    genres = ["Comedy", "Drama", "Sci-Fi"]
    movies = [f"{n}::Movie {n} ({1970 + n})::{'|'.join(genres[: 1 + n % 3])}" for n in range(1, 31)]
    zips = itertools.cycle(["94110", "10001-1234", "00000", "T8H1N1", "60601"])
    users = [f"{n}::{'FM'[n % 2]}::25::{n % 4}::{next(zips)}" for n in range(1, USERS + 1)]
    ratings = []
    for user in range(1, USERS + 1):
        for movie in random.choice(30, size=3 + user % 20, replace=False) + 1:
            when = 956_703_932 + int(random.integers(0, 3 * 365 * 86_400))
            ratings.append(f"{user}::{movie}::{random.integers(1, 6)}::{when}")
    for name, lines in (("movies", movies), ("users", users), ("ratings", ratings)):
        (folder / f"{name}.dat").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> pd.DataFrame:
    names = {
        "ratings": ["user", "movie", "rating", "time"],
        "movies": ["movie", "title", "genres"],
        "users": ["user", "gender", "age", "occupation", "zip"],
    }
    tables = {
        name: pd.read_csv(
            folder / f"{name}.dat", sep="::", engine="python", names=columns, encoding="latin-1"
        )
        for name, columns in names.items()
    }
    return tables["ratings"].merge(tables["movies"]).merge(tables["users"])


def _pairs(groups: object) -> dict[str, tuple[int, float]]:
    return {g.name: (g.ratings, pytest.approx(g.mean, abs=1e-6)) for g in groups}  # type: ignore[attr-defined]


def _plain(ratings: pd.Series, by: pd.Series) -> dict[str, tuple[int, float]]:
    found = ratings.groupby(by).agg(["size", "mean"])
    return {str(name): (row["size"], row["mean"]) for name, row in found.iterrows()}


def test_figures_are_those_of_plain_pandas(folder: Path, plain: pd.DataFrame) -> None:
    found, summary, titles = explore_folder(Config(), str(folder))
    stars, times = plain["rating"], pd.to_datetime(plain["time"], unit="s")
    assert summary.rows.kept == len(plain)
    assert _pairs(found.values) == _plain(stars, stars)
    assert _pairs(found.years) == _plain(stars, times.dt.year)
    assert _pairs(found.weekdays) == _plain(stars, times.dt.strftime("%a"))
    by_genre = plain.assign(genre=plain["genres"].str.split("|")).explode("genre")
    assert _pairs(found.movies["Genre"]) == _plain(by_genre["rating"], by_genre["genre"])
    decades = (plain["title"].str[-5:-1].astype(int) // 10 * 10).astype(str) + "s"
    assert _pairs(found.movies["Decade"]) == _plain(stars, decades)
    of_movie = stars.groupby(plain["title"])
    damped = (of_movie.sum() + DAMPING * stars.mean()) / (of_movie.size() + DAMPING)
    best = damped.sort_values(ascending=False, kind="stable")
    assert [titles[one.movie_id] for one in found.best[:3]] == best.index[:3].tolist()
    assert found.worst[0].damped == pytest.approx(best.iloc[-1])
    assert sum(group.members for group in found.activity) == USERS
    assert found.people == {}


def test_few_ratings_divide_nobody() -> None:
    opposite = [("a", "few", 0.5), ("b", "few", 5.0)]
    many = [(f"u{n}", "many", 2.0 + n % 2) for n in range(DAMPING)]
    rows = pd.DataFrame([*opposite, *many], columns=["user_id", "movie_id", "rating"])
    found = explore(rows.assign(timestamp=np.nan), {})
    assert [one.movie_id for one in found.divisive] == ["many"]


def test_people_are_told_of_by_opting_in_alone(folder: Path, plain: pd.DataFrame) -> None:
    opted = Config.model_validate({"data": {"use_users": True}})
    found, summary, titles = explore_folder(opted, str(folder))
    assert _pairs(found.people["Gender"]) == _plain(plain["rating"], plain["gender"])
    states = {"94110": "CA", "10001-1234": "NY", "60601": "IL"}
    by_state = plain["zip"].map(lambda code: states.get(code, NO_STATE))
    assert _pairs(found.people["US state"]) == _plain(plain["rating"], by_state)
    html = as_html(data_page(found, summary, titles, opted.data.noun))
    assert "do not publish it" in html
    assert "Ratings by gender" in html
    assert "<svg" in html


STATES = {"94110": "CA", "02139": "MA", "00501": "NY", "99950": "AK", "20500": "DC", "73301": "TX"}


@pytest.mark.parametrize(("code", "state"), STATES.items())
def test_states_by_zip_code(code: str, state: str) -> None:
    assert state_of(code) == state


@pytest.mark.parametrize("code", ["00000", "9411", "T8H1N1", "94110-12", ""])
def test_no_zip_codes(code: str) -> None:
    assert state_of(code) is None
