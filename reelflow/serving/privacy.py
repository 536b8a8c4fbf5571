"""The rule of a server that may not tell what users have rated (`--no-histories`).

All answers to a user's id are chosen from one list, the first movies of the user's own order, so
that the movies that no request brings to light are nearly the whole catalogue. Whatever else would
tell rated movies from others is refused. docs/adr/0024 has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reelflow.base.columns import AS_JUDGED, HISTORY, INCLUDE_SEEN, USER_ID
from reelflow.saved_model.contract import EVALUATE, OF_SERVER, RECOMMEND
from reelflow.serving.limits import Problem

SHARE: Final = 10
"""The list is at most one in so many of the catalogue's movies."""
MOST: Final = 20
"""Movies of the list, at most: a popular movie that is not among thousands has been rated."""

REFUSED: Final = (*OF_SERVER, EVALUATE)
"""Signatures that tell what users have rated: all but the lists, stars and similar movies."""


def movies_for_a_user(catalogue: int) -> int:
    """Return the length of the list from which all answers to a user's id are chosen.

    Args:
        catalogue: number of movies.
    """
    return max(1, min(MOST, catalogue // SHARE))


def refusal(what: str, remedy: str) -> Problem:
    """Return the answer to a request that would tell what a user has rated."""
    return Problem(403, f"Switched off here: {what} would tell what users have rated. {remedy}")


def check_inputs(name: str, inputs: Mapping[str, Any]) -> None:
    """Check the inputs of a signature, arrays by name.

    Raises:
        Problem: 403, the answer would tell what a user has rated.
    """
    if name in REFUSED:
        raise refusal(f"the signature {name}", f"Ask {RECOMMEND}, rate or similar.")
    if name != RECOMMEND or not (inputs[USER_ID] != b"").any():
        return
    # An answer that changes with a movie in the history tells whether it was there already.
    for key in (HISTORY, INCLUDE_SEEN, AS_JUDGED):
        if key in inputs and (inputs[key] != (b"" if key == HISTORY else False)).any():
            raise refusal(
                f"{key} together with a user's id", f'Leave {key} out, or user_id empty ("").'
            )
