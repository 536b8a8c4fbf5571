"""What the routes share; kept on the application."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from serving.batching import Batcher
from serving.limits import Limits
from serving.metrics import Metrics
from serving.versions import Versions


@dataclass
class State:
    """One server."""

    versions: Versions
    limits: Limits
    metrics: Metrics
    histories: bool
    """Whether answers may tell what users have rated."""
    stopping: bool = False
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue."""
        self.batcher = Batcher(self.limits, self.metrics.batches.observe)


def state(request: Request) -> State:
    """The server that a request came to."""
    found: State = request.app.state.server
    return found
