"""Bounds of requests, and the error that a client gets beyond them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of sizes and times; beyond them the answer is 4xx, or 503 when the server is busy."""

    body_bytes: int = 1 << 20
    """Bytes of a request's body."""
    drained_bytes: int = 64 << 20
    """Bytes of a body too large that are read and dropped, so that its sender gets the answer."""
    body_seconds: float = 10.0
    """Time in which a body must have arrived."""
    json_depth: int = 16
    """Nested brackets in a body."""
    k: int = 500
    """Movies in one answer."""
    movies: int = 500
    """Movies that a request may name as liked, or as exclusions."""
    users: int = 100
    """Users of one request."""
    id_length: int = 256
    """Characters of an id or a search text."""
    rows: int = 512
    """Rows of one `:predict` request."""
    cells: int = 1_000_000
    """Numbers and texts in one `:predict` answer."""
    batch: int = 32
    """Requests that are answered by one call of the model."""
    waiting: int = 256
    """Requests that may wait for the model; further ones get 503."""
    threads: int = 2
    """Batches that are computed at once."""
    heavy_work: float = 50.0
    """Units of work (`work.work_of`) from which on a request is heavy: one thread is never given
    such, so that others find it free."""
    batch_work: float = 200.0
    """Units that are answered by one call of the model, unless one request alone has more."""
    waiting_work: float = 5_000.0
    """Units of heavy requests that may wait for the model; further ones get 503."""
    answer_seconds: float = 10.0
    """Time in which the model must have answered; later the client gets 504."""
    drain_seconds: int = 10
    """Time that requests under way have to end when the server is stopped."""
    connections: int = 512
    """Connections at once; further ones get 503, and are closed."""
    spare_connections: int = 64
    """Connections beyond these that are still read, so that health is answered while all others
    are taken."""
    head_seconds: float = 10.0
    """Time in which a request's head must have arrived on a new connection."""
    idle_seconds: int = 5
    """Time that a connection is kept open for its next request."""
    rate: float = 0.0
    """Units of work a second that one client may ask for; 0 for any number."""
    burst: float = 2_000.0
    """Units that one client may ask for at once."""


class Problem(Exception):
    """An answer other than 2xx, raised anywhere below a route."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        """Take the HTTP status, the message for the client, and further headers."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
