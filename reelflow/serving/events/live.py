"""Users' actions since the served model was trained, as part of their requests."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from reelflow.data.event_lines import Event
from reelflow.saved_model.files import SAVED_MODEL, StarScale
from reelflow.serving import messages as m
from reelflow.serving.engine import Engine
from reelflow.serving.events.journal import Journal
from reelflow.serving.events.messages import MEANINGS, EventMessage, Kind
from reelflow.serving.limits import Problem

Named = TypeVar("Named", bound=m.RecommendRequest | m.ProfileRequest)
Ask = Callable[..., Awaitable[Any]]
"""Asks an engine's method by a batch; see `Batcher.ask`."""
Timeline = Mapping[str, float]
"""Stars by movie id."""

TIMELINES: Final = 10_000
"""Users whose timelines of the served version are kept, to compare events with them."""
_AT_ONCE: Final = 32
_SAME: Final = 1e-3
"""Difference of stars that are the same: a model has them in single precision."""


class Live:
    """The events of a journal that a version does not know.

    An event is known to a version that was written after it and whose timeline of the user has the
    movie, with the same stars. So nothing is missed whatever a training leaves out, and nothing
    depends on clocks of other machines.
    """

    def __init__(self, journal: Journal) -> None:
        """Take the events of one server."""
        self.journal = journal
        self._engine: Engine | None = None
        self._written = 0.0
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()

    async def with_events(self, request: Named, engine: Engine, ask: Ask) -> Named:
        """Return a request of a user that names what the user has done.

        Movies of events count as older than those that the request itself names; skipped ones are
        excluded.
        """
        assert request.user_id is not None
        events = self.journal.of(request.user_id)
        if not events:
            return request
        known: Timeline = {}
        if events[0].time <= self._written_at(engine):
            known = await self._timeline(request.user_id, engine, ask)
        rated, skipped = _summed_up(events, engine, known)
        update = {
            "ratings": {**rated, **request.ratings},
            "exclusions": [*request.exclusions, *skipped],
        }
        return cast(Named, request.model_copy(update=update))

    def _written_at(self, engine: Engine) -> float:
        if engine is not self._engine:
            self._engine = engine
            self._timelines.clear()
            self._written = (engine.model.path / SAVED_MODEL).stat().st_mtime
        return self._written

    async def _timeline(self, user_id: str, engine: Engine, ask: Ask) -> Timeline:
        if user_id not in self._timelines:
            _, timeline = await ask(engine.timelines, user_id)
            if engine is not self._engine:
                return dict(timeline)
            self._timelines[user_id] = timeline
            if len(self._timelines) > TIMELINES:
                self._timelines.popitem(last=False)
        return self._timelines[user_id]


async def to_events(
    messages: Sequence[EventMessage], engine: Engine, ask: Ask, new_id: Callable[[], str], now: int
) -> list[Event]:
    """Return the events that messages stand for.

    Args:
        messages: of one request.
        engine: whose ratings' scale counts.
        ask: asks it for the timelines of users who like or dislike, as their means count.
        new_id: makes an id for an event that has none.
        now: seconds since 1970.

    Raises:
        Problem: 422, a rating is missing, or there where it has no place, or not on the scale.
    """
    for place, message in enumerate(messages):
        if (message.rating is not None) != (message.kind == "rating"):
            words = "a rating is needed" if message.rating is None else "this kind has no rating"
            raise Problem(422, f"events.{place}: {words}.")
        if message.rating is not None:
            engine.model.check_rating(f"events.{place}", message.rating)
    users = list({one.user_id for one in messages if one.kind in ("like", "dislike")})
    timelines: dict[str, Timeline] = {}
    for start in range(0, len(users) if engine.stars else 0, _AT_ONCE):
        some = users[start : start + _AT_ONCE]
        answers = await asyncio.gather(*(ask(engine.timelines, user) for user in some))
        timelines.update((user, found) for user, (_, found) in zip(some, answers, strict=True))
    return [
        Event(
            event_id=one.event_id or new_id(),
            user_id=one.user_id,
            movie_id=one.movie_id,
            kind=one.kind,
            stars=one.rating
            if one.rating is not None or engine.stars is None
            else stars_of(one.kind, engine.stars, timelines.get(one.user_id, {})),
            trains=MEANINGS[one.kind].trains_stars
            if engine.stars
            else MEANINGS[one.kind].trains_events,
            time=now,
        )
        for one in messages
    ]


def stars_of(kind: Kind, scale: StarScale, timeline: Timeline) -> float | None:
    """Return the stars that a like or a dislike counts as; None for other kinds.

    The mean of the data's well (badly) rated movies in whole stars, or else the end of the scale,
    whichever is the first that lies above (below) the user's own mean.

    Args:
        kind: of the event.
        scale: of the ratings.
        timeline: the user's own.
    """
    own = [stars for stars in timeline.values() if not math.isnan(stars)]
    mean = sum(own) / len(own) if own else scale.mean
    if kind == "like":
        least = max(mean, scale.like_threshold)
        tried = (float(round(scale.liked)), float(math.ceil(scale.liked)))
        return next((s for s in tried if least <= s <= scale.highest and s > mean), scale.highest)
    if kind == "dislike":
        most = min(mean, scale.like_threshold)
        tried = (float(round(scale.disliked)), float(math.floor(scale.disliked)))
        return next((s for s in tried if scale.lowest <= s < most), scale.lowest)
    return None


def _summed_up(
    events: Sequence[Event], engine: Engine, known: Timeline
) -> tuple[dict[str, float], list[str]]:
    """Return what a timeline lacks: stars by movie, the newest last, and movies only skipped."""
    rated: dict[str, float] = {}
    skipped: set[str] = set()
    for event in events:
        movie, kind = event.movie_id, event.kind
        if movie not in engine.rows:
            continue
        against = engine.stars is None and kind == "dislike"  # nothing could say so but its absence
        if MEANINGS[kind].history and not against:  # type: ignore[index]
            before = rated.pop(movie, math.nan)
            rated[movie] = before if event.stars is None or not engine.stars else event.stars
        else:
            skipped.add(movie)
    new = {movie: stars for movie, stars in rated.items() if not _is_known(movie, stars, known)}
    return new, sorted(skipped - rated.keys() - known.keys())


def _is_known(movie: str, stars: float, timeline: Timeline) -> bool:
    """Return True if a timeline has a movie, with these stars if there are any."""
    if movie not in timeline:
        return False
    known = timeline[movie]
    return math.isnan(stars) or math.isnan(known) or abs(known - stars) < _SAME
