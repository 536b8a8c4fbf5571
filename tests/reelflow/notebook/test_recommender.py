"""`Recommender` on the tiny model: its tables say what the signatures say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reelflow import Recommender
from reelflow.base.errors import BadInput
from reelflow.notebook.tiles import MovieTable
from tests import tiny_model


@pytest.fixture(scope="module")
def recommender(exported: Path) -> Recommender:
    return Recommender.load(exported)


def test_lists_leave_out_what_is_known_and_are_in_order(recommender: Recommender) -> None:
    table = recommender.recommend(["1", 2], k=4)
    assert list(table.columns[:6]) == ["user_id", "rank", "movie_id", "title", "genres", "year"]
    for user, rows in table.groupby("user_id"):
        assert rows["rank"].tolist() == [1, 2, 3, 4]
        assert not {*rows["movie_id"]} & {*tiny_model.SEEN[user]}
        assert rows["score"].is_monotonic_decreasing
    alone = recommender.recommend("2", k=4)
    pd.testing.assert_frame_equal(
        alone, table[table["user_id"] == "2"].reset_index(drop=True), check_names=False
    )


def test_all_that_is_left_is_fewer_than_asked_for(recommender: Recommender) -> None:
    assert len(recommender.recommend("1", k=99)) == len(tiny_model.MOVIES) - 2


def test_a_newcomer_by_the_movies_named(recommender: Recommender) -> None:
    assert {*recommender.recommend(k=3)["source"]} == {"popularity"}
    by_taste = recommender.recommend(k=3, liked=["1"], disliked=[2], exclusions=["3"])
    assert {*by_taste["source"]} == {"history"}
    assert not {*by_taste["movie_id"]} & {"1", "2", "3"}


def test_similar_rates_and_reasons(recommender: Recommender) -> None:
    near = recommender.similar("1", k=3)
    assert near["similarity"].is_monotonic_decreasing
    assert "1" not in {*near["movie_id"]}
    pairs = pd.DataFrame({"user_id": [1, 1], "movie_id": ["2", "nothing"], "mine": [0, 1]})
    rated = recommender.rate(pairs)
    assert rated["mine"].tolist() == [0, 1]
    assert rated["known_movie"].tolist() == [True, False]
    reasons = recommender.explain("2", ["3"], k=2)
    assert {*reasons["because_movie_id"]} <= {*tiny_model.SEEN["2"]}
    assert reasons["weight"].abs().is_monotonic_decreasing


def test_evaluation_ranks_what_is_new_by_hand(recommender: Recommender) -> None:
    known = ("1", "5", 4.0)  # in the history of user 1
    rows = [known, ("1", "7", 5.0), ("2", "4", 1.0), ("3", "11", 4.0)]
    ratings = pd.DataFrame(rows, columns=["user_id", "movie_id", "rating"])
    table = recommender.evaluate(ratings)
    assert {*table["rows"]} == {3, 2}  # two of the three are likes
    order = {user: recommender.recommend(user, k=99, order="retrieval") for user in "123"}
    ranks = [
        1 + order[user]["movie_id"].tolist().index(movie)
        for user, movie, _ in rows
        if (user, movie) != known[:2]
    ]
    gains = [1 / np.log2(1 + rank) if rank <= 10 else 0 for rank in ranks]
    assert table.loc["unseen/ndcg_10", "value"] == pytest.approx(np.mean(gains))
    stars = recommender.rate(ratings[1:])["predicted_rating"]
    errors = stars - ratings["rating"][1:]
    assert table.loc["rmse", "value"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_posters_hold_no_code(recommender: Recommender) -> None:
    assert "Toy Story" in recommender.recommend("3")._repr_html_()
    hostile = MovieTable({"title": ["<script>"], "genres": [[]], "year": pd.array([None], "Int64")})
    assert "<script>" not in hostile._repr_html_()
    assert "<table" in hostile[["title"]]._repr_html_()  # no poster without its columns


def test_errors_say_what_to_do(recommender: Recommender, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column 'movie_id'"):
        recommender.rate(pd.DataFrame({"user_id": ["1"]}))
    with pytest.raises(BadInput, match="knows all of them"):
        recommender.evaluate(pd.DataFrame({"user_id": ["1"], "movie_id": ["5"], "rating": [1.0]}))
    with pytest.raises(BadInput, match="Toy Story"):
        recommender.similar("Toy Story")
    with pytest.raises(BadInput, match="no pushed model"):
        Recommender.load(tmp_path)
