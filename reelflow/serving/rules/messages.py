"""Rules as data, in requests and in the rules file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from reelflow.serving.fields import Filtered, Ids, Stars, Strict

MOST = 50
"""Choices of one kind in one set of rules."""
PINS = 50
"""Movies that one list may have pinned."""


class Choice(Filtered):
    """Movies by what they are: those for which all of the conditions given hold."""

    ids: Ids = Field([], description="One of these movies.")
    min_ratings: int | None = Field(None, ge=0, description="Rated at least so often in training.")
    max_ratings: int | None = Field(None, ge=0, description="Rated at most so often in training.")

    @model_validator(mode="after")
    def _chooses(self) -> Choice:
        if not self.model_fields_set - {"weight"}:
            raise ValueError("name ids, genres, years or numbers of ratings")
        return self


class Boost(Choice):
    """Movies to rank higher or lower."""

    weight: float = Field(
        ge=-10,
        le=10,
        description="Added to the score, in standard deviations of the scores that the list is "
        "chosen from; below 0 it buries.",
    )


class Rules(Strict):
    """Rules about lists of recommendations."""

    hide: Annotated[list[Choice], Field(max_length=MOST)] = Field(
        [], description="Movies that are in no list."
    )
    pin: Annotated[Ids, Field(max_length=PINS)] = Field(
        [], description="Movies at the top, in this order, unless they are seen or hidden."
    )
    boost: Annotated[list[Boost], Field(max_length=MOST)] = Field(
        [], description="Movies to rank higher or lower."
    )
    per_genre: int | None = Field(None, ge=1, description="Movies of one genre at most.")
    diversity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Weight of being unlike the movies above, against the score (MMR).",
    )
    min_rating: Stars | None = Field(
        None, description="Least predicted stars; a movie pinned needs them too."
    )
    new_for_strangers: int | None = Field(
        None,
        ge=0,
        le=PINS,
        description="Places for the newest movies in a list by popularity, every second from the "
        "second on.",
    )

    def joined(self, other: Rules) -> Rules:
        """Return these rules and others, which have precedence where only one can hold."""
        single = ("per_genre", "diversity", "min_rating", "new_for_strangers")
        return Rules.model_construct(
            hide=[*self.hide, *other.hide],
            pin=[*dict.fromkeys([*other.pin, *self.pin])][:PINS],
            boost=[*self.boost, *other.boost],
            **{
                name: getattr(self if getattr(other, name) is None else other, name)
                for name in single
            },
        )

    @property
    def names(self) -> list[str]:
        """All ids that are named."""
        choices = [*self.hide, *self.boost]
        return [*self.pin, *(movie for choice in choices for movie in choice.ids)]
