"""What a client did wrong, or must hear: an HTTP status and a sentence."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """An answer other than 2xx, raised anywhere below a route."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        """Take the HTTP status, what to tell the client, and further headers."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON; TensorFlow Serving reports errors in the same form."""
        return {"error": self.message}


def busy() -> Problem:
    """More requests wait than may."""
    return Problem(503, "The server is busy; try again shortly.", {"Retry-After": "1"})


def late(seconds: float) -> Problem:
    """The model did not answer in time."""
    return Problem(504, f"The model did not answer within {seconds:g} seconds.")
