"""The word for an item in its forms."""

from __future__ import annotations

import pytest

from reelflow.base.nouns import MOVIE, Noun, plural


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("movie", "movies"),
        ("book", "books"),
        ("story", "stories"),
        ("toy", "toys"),
        ("dish", "dishes"),
        ("box", "boxes"),
        ("board game", "board games"),
        ("series", "series"),
        ("TV series", "TV series"),
        ("anime", "anime"),
        ("Person", "People"),
        ("CD", "CDs"),
    ],
)
def test_plurals_by_rule(one: str, many: str) -> None:
    assert plural(one) == many
    assert Noun.of(one).many == many


def test_a_plural_that_is_given_counts() -> None:
    assert Noun.of("opus", "opera") == Noun("opus", "opera")
    assert Noun.of(None) == MOVIE


@pytest.mark.parametrize(
    ("one", "with_article"),
    [
        ("movie", "a movie"),
        ("artist", "an artist"),
        ("hour", "an hour"),
        ("user guide", "a user guide"),
        ("one-act play", "a one-act play"),
        ("onion", "an onion"),
    ],
)
def test_articles(one: str, with_article: str) -> None:
    assert Noun.of(one).a == with_article


def test_headings_and_counts() -> None:
    noun = Noun.of("CD")
    assert (noun.label, noun.labels, noun.a_label) == ("CD", "CDs", "A CD")
    assert noun.counted(1) == "1 CD"
    assert noun.counted(1200) == "1,200 CDs"
