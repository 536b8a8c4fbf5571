"""Whether a run can begin with its champion's weights, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import logging

from components.notices import tell
from components.trainer import weights as w
from components.trainer.tasks import JointModel
from components.trainer.warm.champion import Champion
from components.trainer.warm.leaks import Knowledge, leak
from components.trainer.warm.rows import Rows
from components.trainer.warm.start import Start
from components.transform.encoded import EncodedData
from pipeline.config import ModelConfig, SplitConfig


@dataclass(frozen=True)
class Beginning:
    """How a model began."""

    rows: Rows
    knowledge: Knowledge
    start: Start | None = None
    why_cold: str = ""
    """Why there is no start, in words."""
    misfits: Mapping[str, str] | None = None
    """Tasks that begin cold nonetheless, and why."""

    def about(self) -> dict[str, Any]:
        """What `model.json` tells of it."""
        if self.start is None:
            return {"warm": False, "reason": self.why_cold}
        return {"warm": True, "cold_tasks": dict(self.misfits or {}), **self.start.kept()}

    def sentence(self) -> str:
        """What to tell whoever waits."""
        if self.start is None:
            return f"Cold start: {self.why_cold}."
        kept = self.start.kept()
        users, films = (
            f"{kept[kind]['kept']:,} of {sum(kept[kind].values()):,}"
            for kind in (w.USERS, w.MOVIES)
        )
        cold = "".join(f" The task {task} starts cold: {why}." for task, why in self._cold())
        return f"Warm start: {users} users and {films} films keep their vectors.{cold}"

    def keep(self, joint: JointModel, saved_model: Path) -> None:
        """Leaves the trained weights with the exported model, for the next run to begin with."""
        Champion.of(joint, self.rows, self.knowledge).save(saved_model)

    def _cold(self) -> list[tuple[str, str]]:
        return sorted((self.misfits or {}).items())


def find_beginning(
    saved_model: Path | None,
    data: EncodedData,
    users: list[str],
    model: ModelConfig,
    split: SplitConfig,
) -> Beginning:
    """Looks at the champion and says how the run will begin.

    Args:
        saved_model: the champion's folder; none if there is no champion.
        data: of this run.
        users: the user vocabulary, in order.
        model: the section `model`.
        split: the section `split`.
    """
    rows, knowledge = Rows.of(data, users), Knowledge.of(split, data)

    def cold(reason: str) -> Beginning:
        return Beginning(rows, knowledge, why_cold=reason)

    champion = None if saved_model is None else Champion.load(saved_model)
    if saved_model is None:
        found = cold("there is no champion")
    elif champion is None:
        found = cold("the champion was trained without train.warm_start and has left no weights")
    elif (reason := leak(champion.knowledge, split, data)) is not None:
        found = cold(reason)
    else:
        start = Start.of(champion, rows, data)
        joint = JointModel(data, model)
        misfits = start.misfits(joint)
        if misfits.keys() == joint.named_weights().keys():
            found = cold("; ".join(misfits.values()))
        else:
            known = knowledge.on_top_of(champion.knowledge)
            found = Beginning(rows, known, start, misfits=misfits)
    tell(found.sentence())
    logging.info(found.sentence())
    return found
