"""The routes of events."""

from __future__ import annotations

import time
import uuid

from fastapi import APIRouter, Request

from reelflow.base.errors import BadInput
from reelflow.serving import messages as m
from reelflow.serving.api import Context
from reelflow.serving.events.journal import Journal
from reelflow.serving.events.live import to_events
from reelflow.serving.events.messages import (
    EventBatch,
    EventsAnswer,
    EventsBody,
    ForgottenAnswer,
)
from reelflow.serving.fields import Id
from reelflow.serving.limits import Problem

router = APIRouter(prefix="/api/v1", responses=m.ERRORS, tags=["Events"])


def _journal(context: Context) -> Journal:
    """Return the server's journal; the answer is 404 if it takes no events."""
    if context.server.live is None:
        raise Problem(404, "This server takes no events: start it with --events DIR.")
    return context.server.live.journal


@router.post("/events", summary="Take events")
async def post_events(request: Request, body: EventsBody) -> EventsAnswer:
    """Take one event or several; the answer comes when they are on the disk.

    From the next request on, lists, reasons and profile of the user know of them, and the next
    training does.
    """
    context = Context(request)
    journal = _journal(context)
    messages = body.events if isinstance(body, EventBatch) else [body]
    try:
        events = await to_events(
            messages, context.engine, context.ask, lambda: uuid.uuid4().hex, int(time.time())
        )
    except BadInput as error:
        raise Problem(422, str(error)) from error
    duplicates = await journal.accept(events)
    unknown = [e.movie_id for e in events if e.movie_id not in context.engine.rows]
    return EventsAnswer(
        accepted=len(events),
        duplicates=duplicates if context.server.histories else None,
        unknown_ids=list(dict.fromkeys(unknown)),
    )


@router.delete("/users/{user_id:path}/events", summary="Forget a user's events")
async def delete_events(request: Request, user_id: Id) -> ForgottenAnswer:
    """Remove a user's events from memory, log and spans.

    What a model has learned from them stays until a run without them.
    """
    context = Context(request)
    removed = await _journal(context).forget(user_id)
    return ForgottenAnswer(removed=removed if context.server.histories else None)
