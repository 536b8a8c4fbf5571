"""The JSON of events, and the table of what each kind counts as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator

from reelflow.serving.fields import Id, Stars, Strict
from reelflow.serving.limits import Limits

Kind = Literal["rating", "like", "dislike", "view", "skip"]


@dataclass(frozen=True)
class Meaning:
    """Consequences of one kind of event."""

    history: bool
    """The movie joins the user's history at once; else it is only left out of the lists."""
    trains_stars: bool
    """It is a row of the next span, with its stars, if the served model has stars."""
    trains_events: bool
    """It is a row of the next span, an event, if the model has none."""


MEANINGS: Final[Mapping[Kind, Meaning]] = {
    "rating": Meaning(history=True, trains_stars=True, trains_events=False),
    "like": Meaning(history=True, trains_stars=True, trains_events=True),
    "dislike": Meaning(history=True, trains_stars=True, trains_events=False),
    "view": Meaning(history=True, trains_stars=False, trains_events=True),
    "skip": Meaning(history=False, trains_stars=False, trains_events=False),
}


class EventMessage(Strict):
    """Something that a user did with a movie."""

    event_id: Id | None = Field(
        None, description="Of the application's own: an id that comes again counts once."
    )
    user_id: Id
    movie_id: Id
    kind: Kind = Field(
        description="`rating`; `like` and `dislike`, which count as stars above and below the "
        "user's mean; `view`, without an opinion; `skip`: not in this user's lists for now."
    )
    rating: Stars | None = Field(
        None, description="Stars on the data's own scale; of the kind `rating`, which needs it."
    )

    @field_validator("user_id", "movie_id")
    @classmethod
    def _is_an_id(cls, text: str) -> str:
        """Refuse what a file of ratings could not hold, or ingestion would read as another id."""
        if text != text.strip() or not text.isprintable():
            raise ValueError("an id has no blanks around it, and no control characters")
        return text


class EventBatch(Strict):
    """Several events, accepted or refused together."""

    events: Annotated[list[EventMessage], Field(min_length=1, max_length=Limits().movies)]


def _tag(body: Any) -> str:
    is_batch = isinstance(body, EventBatch) or (isinstance(body, dict) and "events" in body)
    return "batch" if is_batch else "event"


EventsBody = Annotated[
    Annotated[EventMessage, Tag("event")] | Annotated[EventBatch, Tag("batch")],
    Discriminator(_tag),
]
"""One event or several."""


class EventsAnswer(BaseModel):
    """Events that are on the disk."""

    accepted: int = Field(description="Events, those that had been accepted before included.")
    duplicates: int | None = Field(
        description="How many of them had been; null where histories are switched off."
    )
    unknown_ids: list[str] = Field(
        description="Movies that this version does not know: they count once a later one does."
    )


class ForgottenAnswer(BaseModel):
    """Events that were removed."""

    removed: int | None = Field(description="Null where histories are switched off.")
