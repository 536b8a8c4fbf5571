"""A server on a port of its own, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reelflow.registry.alias import Alias
from reelflow.serving.access import Access
from reelflow.serving.app import create_app, listen, server_of, url
from reelflow.serving.events.journal import Journal
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.posters import Posters
from reelflow.serving.versions import Versions


@contextmanager
def live(
    source: Path | Alias,
    *,
    limits: Limits,
    reload_seconds: float = 0,
    port: int = 0,
    events: Path | None = None,
    access: Access | None = None,
    posters: Posters | None = None,
) -> Iterator[str]:
    """Serve a folder of versions, or an alias; gives the server's address."""
    metrics = Metrics()
    versions = Versions(source, limits, metrics, posters=posters)
    app = create_app(
        versions,
        limits=limits,
        metrics=metrics,
        reload_seconds=reload_seconds,
        journal=Journal(events, metrics.registry) if events else None,
        access=access,
        posters=posters,
    )
    with listen("127.0.0.1", port) as listening:
        server = server_of(app, replace(limits, drain_seconds=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        try:
            yield url(listening)
        finally:
            server.should_exit = True
            thread.join(20)
