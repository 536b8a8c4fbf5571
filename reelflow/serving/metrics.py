"""Figures about the server for Prometheus, in a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # a second, useless line for every figure

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The counters, gauges and histograms of one server."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "reelflow_requests_total",
            "HTTP requests by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "reelflow_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.open = Gauge("reelflow_requests_open", "Requests under way.", registry=self.registry)
        self.batches = Histogram(
            "reelflow_batch_size",
            "Requests answered by one call of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.loads = Counter(
            "reelflow_model_loads_total",
            "Attempts to load a version, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.version = Gauge(
            "reelflow_model_version", "The version being served.", registry=self.registry
        )
        self.loaded = Gauge(
            "reelflow_model_loaded_timestamp_seconds",
            "When that version was loaded.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)
