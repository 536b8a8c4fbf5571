"""Whether a champion has been trained on ratings that this run validates or tests with.

A model that begins with such weights has seen the answers: its metrics would be too good, and so
would be its chances at the gate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from components.transform.encoded import EncodedData
from pipeline.config import SplitConfig, SplitKind

_SEEN = "whether the champion was trained on ratings that are held out now"


@dataclass(frozen=True)
class Knowledge:
    """Which ratings some weights have been trained on, their own beginnings included."""

    split: dict[str, Any]
    """What decides the split of a rating: kind, seed and shares."""
    trained_until: int
    """Time of the newest rating that was trained on, in seconds."""
    chosen_until: int
    """Time of the newest rating that the best epoch was chosen by."""

    @classmethod
    def of(cls, split: SplitConfig, data: EncodedData) -> Knowledge:
        """Of a model that begins with nothing."""
        trained = int(data.train.timestamp.max(initial=0))
        chosen = max(trained, int(data.validation.timestamp.max(initial=0)))
        return cls(_deciding(split), trained, chosen)

    def on_top_of(self, champion: Knowledge) -> Knowledge:
        """Of a model that begins with a champion's weights."""
        return replace(
            self,
            trained_until=max(self.trained_until, champion.trained_until),
            chosen_until=max(self.chosen_until, champion.chosen_until),
        )


def leak(champion: Knowledge, split: SplitConfig, data: EncodedData) -> str | None:
    """Why a champion may not be begun with, in words; none if its weights know no answer.

    `random`: the split of a rating follows from seed, shares, user and film alone, so that a rating
    that is held out now was held out from every earlier run with the same seed and shares.
    `temporal`: all that is held out now has to be later than all that the champion was trained on,
    and the test ratings later than those by which its best epoch was chosen.
    `leave_last` and `predefined`: a rating's split depends on which others there are, or on files;
    there is no telling.

    Args:
        champion: what its weights know.
        split: of this run.
        data: of this run.
    """
    now = _deciding(split)
    if split.kind not in (SplitKind.RANDOM, SplitKind.TEMPORAL):
        return f"split.kind = {split.kind.value!r} does not tell {_SEEN}"
    if champion.split != now:
        was = ", ".join(f"{key} {value!r}" for key, value in champion.split.items())
        return f"the champion's split was another ({was}), which does not tell {_SEEN}"
    if split.kind is SplitKind.RANDOM:
        return None
    held_out = [part for part in (data.validation, data.test) if len(part)]
    first = min(int(part.timestamp.min()) for part in held_out)
    if first <= champion.trained_until:
        return (
            f"the champion was trained on ratings up to {_day(champion.trained_until)}, and those "
            f"since {_day(first)} are held out now"
        )
    if len(data.test) and int(data.test.timestamp.min()) <= champion.chosen_until:
        return (
            f"the champion's best epoch was chosen by ratings up to {_day(champion.chosen_until)}, "
            f"and test begins at {_day(int(data.test.timestamp.min()))}"
        )
    return None


def _deciding(split: SplitConfig) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": split.kind.value}
    if split.kind is SplitKind.RANDOM:
        found |= {
            "seed": split.seed,
            "validation": split.validation_share,
            "test": split.test_share,
        }
    return found


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, timezone.utc).isoformat(sep=" ", timespec="minutes")
