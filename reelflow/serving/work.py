"""The work that requests cause, and the share of it that a client may ask for.

One unit is about the work of a list of ten movies. The rest is measured against it on a catalogue
of 4,000 movies (docs/performance.md): what counts is the order of magnitude, as a list of 500 with
reasons from 500 named movies is the work of some hundred small ones.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from reelflow.base.columns import K
from reelflow.serving import messages as m
from reelflow.serving.limits import Problem

_MOVIES: Final = 50
"""Movies of an answer that are the work of one unit."""
_NAMED: Final = 100
"""Movies named in a request that are the work of one unit."""
_EXPLAINED: Final = 5
"""Movies explained by a short history that are the work of one unit."""
_CLIENTS: Final = 10_000


def work_of(request: object) -> float:
    """Return the units of work of a request that a route gives to the batcher.

    Args:
        request: a message, arrays of `:predict` by name, or a tuple that holds a message.
    """
    if isinstance(request, tuple):
        return max(map(work_of, request))
    if isinstance(request, m.RecommendRequest):
        named = (len(request.liked) + len(request.disliked) + len(request.ratings)) / _NAMED
        explained = request.k * (1 + named) / _EXPLAINED if request.explain else 0
        return 1 + request.k / _MOVIES + named + explained
    if isinstance(request, Mapping):
        return _work_of_arrays(request)
    k = getattr(request, "k", 0)
    return 1 + k / _MOVIES


def _work_of_arrays(inputs: Mapping[str, Any]) -> float:
    rows = max((len(array) for array in inputs.values() if array.ndim), default=1)
    cells = sum(array.size for array in inputs.values())
    k = int(inputs[K].max()) if K in inputs and inputs[K].size else 10
    return rows * (1 + k / _MOVIES) + cells / _NAMED


class Allowance:
    """A token bucket of units for each client.

    A request passes while there is a unit in the bucket, and may leave a debt: a request larger
    than the bucket is possible, and the next one waits until it is paid.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the bounds.

        Args:
            rate: units a second that a client may ask for in the long run; 0 for any number.
            burst: units that a client may ask for at once.
            clock: gives seconds.
        """
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Units and the time of a client's last request, the longest ago first."""

    def enter(self, client: str) -> None:
        """Let a request in, for one unit.

        Raises:
            Problem: 429, the client has used what it may.
        """
        if not self._rate:
            return
        left = self._units(client)
        if left < 1:
            seconds = math.ceil((1 - left) / self._rate)
            raise Problem(
                429,
                f"More than {self._rate:g} units of work a second were asked for.",
                {"Retry-After": str(max(1, seconds))},
            )
        self._keep(client, left - 1)

    def charge(self, client: str, units: float) -> None:
        """Take the units of a request that was let in, beyond its first."""
        if self._rate and units > 1:
            self._keep(client, self._units(client) - (units - 1))

    def _units(self, client: str) -> float:
        left, then = self._left.get(client, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - then) * self._rate)

    def _keep(self, client: str, left: float) -> None:
        self._left[client] = (left, self._clock())
        self._left.move_to_end(client)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
