"""The library, from ratings to a judged, exported and served model; without TFX or pipeline.

In a notebook: `from reelflow import Recommender`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelflow.notebook.recommender import Recommender as Recommender

__all__ = ["Recommender"]


def __getattr__(name: str) -> Any:
    """Import what takes seconds when it is asked for."""
    if name == "Recommender":
        from reelflow.notebook.recommender import Recommender

        return Recommender
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
