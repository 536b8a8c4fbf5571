"""Header names are understood by the words of their field, and hints never lead in a circle."""

from __future__ import annotations

import pytest

from reelflow.base.errors import BadInput
from reelflow.data.formats.headers import find_columns, simple_name, value_column

KNOWN = ("user_id", "movie_id", "rating", "timestamp")


@pytest.mark.parametrize(
    "header",
    [
        "UserId,ProductId,Rating,Timestamp",
        "reviewerID,asin,overall,unixReviewTime",
        "user_id:token,item_id:token,rating:float,timestamp:float",
        "User-ID,ISBN,Book-Rating,ts",
        "customer,anime_id,score,unix time",
        "client_id,trackId,stars,timestamp",
        "MEMBER,game-id,rating,rating_timestamp",
        "account,artistID,review_score,unixtime",
    ],
)
def test_names_of_the_field_need_no_mapping(header: str) -> None:
    expected = {"user_id": 0, "movie_id": 1, "rating": 2, "timestamp": 3}
    assert find_columns(header.split(","), KNOWN, KNOWN[:2], {}, "x.csv") == expected


@pytest.mark.parametrize(
    ("header", "movie"),
    [
        ("user,asin,parent_asin", 2),
        ("user,artist_id,track_id", 2),
        ("user,book,isbn", 2),
        ("user,movie,movie_id", 2),
    ],
)
def test_of_two_names_the_finer_one_counts(header: str, movie: int) -> None:
    assert find_columns(header.split(","), KNOWN, (), {}, "x.csv")["movie_id"] == movie


def hint(header: str, mapping: dict[str, str] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        find_columns(header.split(","), KNOWN, KNOWN[:3], mapping or {}, "x.csv")
    assert caught.value.remedy is not None
    return caught.value.remedy


def test_a_hint_offers_no_column_in_use() -> None:
    assert 'rating = "weight"' in hint("userID,artistID,weight")
    assert 'rating = "..."' in hint("userID,artistID,when")
    # Mapped to what is not there: the one that is left is offered, once.
    wrong = hint("who,film_id,stars", {"user_id": "whom", "movie_id": "films"})
    assert 'user_id = "who", movie_id = "film_id"' in wrong
    assert hint("their_movie_user_id,z,stars").count('their_movie_user_id"') == 1


def test_two_columns_mapped_to_one_name() -> None:
    with pytest.raises(BadInput, match="are both mapped to artistID"):
        find_columns(
            ["userID", "artistID"],
            KNOWN,
            (),
            {"movie_id": "artistID", "rating": "artistID"},
            "x.dat",
        )


def test_a_mapped_name_may_be_written_otherwise() -> None:
    found = find_columns(["Who:token", "what"], KNOWN, (), {"user_id": "who"}, "x.csv")
    assert found == {"user_id": 0}


@pytest.mark.parametrize("name", ["weight", "plays", "listen_count", "value", "Ratng:float"])
def test_columns_that_may_hold_values_are_offered(name: str) -> None:
    assert value_column(["userID", name]) == name
    assert simple_name(name) == name.removesuffix(":float").replace("_", "").lower()
