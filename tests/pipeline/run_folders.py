"""Folders of runs as `reelflow run` leaves them, without running anything."""

from __future__ import annotations

import json
from typing import Any

from reelflow.config.layout import Layout


def metrics(top_100: float, rmse: float) -> dict[str, Any]:
    """A model's metrics."""
    ranks = {"top_10": top_100 / 2, "top_100": top_100}
    liked = {key: value + 0.05 for key, value in ranks.items()}
    return {
        "raw": dict(ranks),
        "unseen": dict(ranks),
        "liked": liked,
        "rmse": rmse,
        "mae": rmse,
    }


def leave_run(layout: Layout, run_id: str, minute: int = 0, **changes: Any) -> None:
    """A run that was pushed, unless the changes of its summary say otherwise."""
    folder = layout.run(run_id)
    folder.path.mkdir(parents=True)
    found = metrics(0.5, 0.9)
    summary = {
        "run_id": run_id,
        "finished": f"2026-01-01T00:{minute:02d}:00+00:00",
        "error": None,
        "data": {
            "rows": 1000,
            "rows_read": 1010,
            "users": 10,
            "movies": 20,
            "quarantined": {"rating": 10},
            "splits": {"train": 800, "validation": 100, "test": 100},
            "format": "movielens-csv",
            "synthetic": False,
            "files": ["ratings.csv"],
        },
        "metrics": found,
        "slices": [{"slice": {"genre": "Drama"}, "rows": 5, **found}],
        "pushed": "/serving/1",
        "seconds": {"Trainer": 60.0, "Pusher": 1.5},
        "config_hash": "c",
        "data_hash": "d",
        **changes,
    }
    folder.summary.write_text(json.dumps(summary))
    folder.config.write_text("[train]\nepochs = 30\nlearning_rate = 0.001\n")
