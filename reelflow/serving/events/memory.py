"""The newest events of each user, in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

from reelflow.data.event_lines import Entry, Event

EVENTS: Final = 100
"""Events of one user, the newest."""
USERS: Final = 200_000
"""Users, those of the newest events."""
IDS: Final = 500_000
"""Ids of events by which one that comes again is known, the newest."""


class Memory:
    """Bounded, whatever is in the log."""

    def __init__(self, events: int = EVENTS, users: int = USERS, ids: int = IDS) -> None:
        """Start empty; the arguments are the bounds."""
        self._bounds = events, users, ids
        self._users: OrderedDict[str, deque[Event]] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, event_id: str) -> bool:
        """Return True if the event is known."""
        return event_id in self._ids

    def take(self, entries: Iterable[Entry]) -> None:
        """Learn entries of the log, in order."""
        events, users, ids = self._bounds
        for entry in entries:
            if not isinstance(entry, Event):
                self._users.pop(entry.user_id, None)
            elif entry.event_id not in self._ids:
                self._ids[entry.event_id] = None
                self._users.setdefault(entry.user_id, deque(maxlen=events)).append(entry)
                self._users.move_to_end(entry.user_id)
        while len(self._users) > users:
            self._users.popitem(last=False)
        while len(self._ids) > ids:
            self._ids.popitem(last=False)

    def of(self, user_id: str) -> tuple[Event, ...]:
        """Return the newest events of a user, the newest last."""
        return tuple(self._users.get(user_id, ()))
