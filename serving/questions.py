"""What can be asked of an engine and what it answers, free of HTTP and of TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from serving.catalogue import Film
from serving.filters import ANYTHING, Where
from serving.model import Source


@dataclass(frozen=True)
class Wanted:
    """Recommendations for one user."""

    user_id: str = ""
    """Empty for somebody whom the model need not know."""
    liked: tuple[str, ...] = ()
    """Ids of films that the user likes, the newest last, beside those the model knows of."""
    k: int = 10
    exclusions: tuple[str, ...] = ()
    where: Where = ANYTHING
    include_seen: bool = False
    explain: bool = False


@dataclass(frozen=True)
class Reason:
    """A film of the user's history, and what it adds to the score of a recommendation."""

    film: Film
    weight: float


@dataclass(frozen=True)
class Pick:
    """A recommended film."""

    film: Film
    score: float
    rating: float
    """Predicted stars; for a user whom the model does not know, those of an average user."""
    seen: bool
    because: tuple[Reason, ...] = ()
    """Films that speak for it, the most first; empty unless asked for."""


@dataclass(frozen=True)
class Picks:
    """Recommendations, best first; fewer than asked for when no more are left."""

    source: Source
    items: tuple[Pick, ...]


@dataclass(frozen=True)
class Like:
    """Films like one film."""

    movie_id: str
    k: int = 10
    where: Where = ANYTHING


@dataclass(frozen=True)
class Near:
    """A film and its cosine with the one asked about."""

    film: Film
    score: float


@dataclass(frozen=True)
class Pair:
    """A user and a film, for a predicted rating."""

    user_id: str
    movie_id: str


@dataclass(frozen=True)
class Whom:
    """A user by id, by films, or both, for a profile."""

    user_id: str = ""
    liked: tuple[str, ...] = ()
    k: int = 20


@dataclass(frozen=True)
class Share:
    """How many of a user's films have something in common."""

    name: str
    films: int


@dataclass(frozen=True)
class Profile:
    """What the model knows about a user."""

    known: bool
    count: int
    """Ratings by the user in the model's training data."""
    films: tuple[Film, ...]
    """The last of them, and those named in the request; the newest first."""
    genres: tuple[Share, ...]
    """Of all its films, the most frequent first."""
    decades: tuple[Share, ...]
    """Of all its films with a year, in order of time."""
