"""Short messages from a step at work to the display of progress in the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_receivers: list[Callable[[str], None]] = []


def send_notice(text: str) -> None:
    """Hand one line to every receiver; without a receiver the line is dropped."""
    for receiver in _receivers:
        receiver(text)


@contextmanager
def notices_to(receiver: Callable[[str], None]) -> Iterator[None]:
    """Hand every notice to `receiver` while the context lasts."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)
