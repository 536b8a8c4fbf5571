"""Promotion and rollback of registered models.

A promotion changes two things, the registry's alias and the serving folder. The folder comes first,
since copying may fail; if the alias then cannot be moved, the folder is put back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from reelflow.base.common import content_hash
from reelflow.base.errors import BadInput
from reelflow.config import Config, PushConfig
from reelflow.config.layout import Layout, RunFolder
from reelflow.config.loading import load
from reelflow.registry import push, variants
from reelflow.registry.store import (
    CHAMPION,
    VARIANTS,
    NoAnswer,
    Registry,
    Variant,
    Version,
    address,
    shown,
)


@dataclass(frozen=True)
class Promotion:
    """The changes of a promotion or a rollback."""

    before: int | None
    """Number of the champion before."""
    version: Version
    """The champion after it."""
    pushed: Path | None
    """The new version in the serving folder; None if there is no such folder, or it served this."""
    ended: tuple[Variant, ...] = ()
    """Trials that the version was on, and that are over."""


class Models:
    """One registered model, and the serving folder of an output folder."""

    def __init__(
        self,
        registry: Registry,
        serving: Path,
        config: PushConfig,
        serves: bool = False,
        share: float = 1.0,
    ) -> None:
        """Take a model and a serving folder; the first request comes later.

        Args:
            registry: of the model.
            serving: the serving folder; need not exist.
            config: versions to keep in it, and who may read them.
            serves: make the serving folder if it is not there.
            share: of the users, for trials.
        """
        self.registry = registry
        self.serving = serving
        self.share = share
        self._config, self._serves = config, serves

    @classmethod
    def of(cls, layout: Layout, registry: str | None = None) -> Models:
        """Follow the configuration of the newest run in the output folder, or else the defaults.

        `registry` is the URI of another registry than the configured one.
        """
        file = RunFolder(layout.latest).config
        config = load(file) if file.is_file() else Config()
        uri = address(registry or config.registry.uri, layout.registry)
        # An output folder with runs has a serving folder, even before the first promotion.
        serves = layout.runs.is_dir()
        model = Registry(uri, config.registry.name)
        return cls(model, layout.serving_of(config), config.push, serves, config.registry.share)

    @cached_property
    def location(self) -> str:
        """The registry's name for messages, without passwords."""
        return shown(self.registry.uri)

    @property
    def serves(self) -> bool:
        """True if a promotion has a serving folder to change."""
        return self._serves or self.serving.is_dir()

    def find(self, name: str) -> Version:
        """Return a version by number or alias.

        Raises:
            BadInput: there is none of that name.
        """
        versions = {str(version.number): version for version in self.registry.versions()}
        if not versions:
            raise BadInput(
                f"No models are registered as {self.registry.name} in {self.location}.",
                "Run `reelflow run` first, or name another registry with --registry.",
            )
        number = str(self.registry.aliases().get(name, name))
        if number in versions:
            return versions[number]
        raise BadInput(
            f"{self.registry.name} has no version {name}; there are {', '.join(versions)}.",
            "`reelflow models list` shows them.",
        )

    def served(self) -> tuple[int, str] | None:
        """Return number and hash of the version in the serving folder; None without one."""
        pushed = push.versions(self.serving)
        return (pushed[-1], content_hash(self.serving / str(pushed[-1]))) if pushed else None

    def disagreement(self) -> str | None:
        """Return a sentence if the serving folder serves another model than the champion."""
        served, champion = self.served(), self.registry.by_alias(CHAMPION)
        if served is None or (champion is not None and served[1] == champion.model_hash):
            return None
        others = [v.number for v in self.registry.versions() if v.model_hash == served[1]]
        if champion is None:
            if not others:
                return None
            return (
                f"{self.serving} serves version {others[-1]}, and no version is champion. "
                f"`reelflow models promote {others[-1]}` makes it so."
            )
        model = f"version {others[-1]}" if others else "a model that is not registered"
        return (
            f"{self.serving} serves {model}, but the champion is version {champion.number}. "
            f"`reelflow models promote {champion.number}` makes the folder serve the champion."
        )

    def promote(self, name: str) -> Promotion:
        """Make a version champion, and the serving folder serve it.

        Raises:
            BadInput: there is no such version, or the gate has not let it pass.
            NoAnswer: the registry does not answer; nothing was changed.
        """
        version = self._blessed(name)
        promotion = self._move(version, lambda: self.registry.promote(version.number))
        aliases = self.registry.aliases()
        ended = tuple(one for one in VARIANTS if aliases.get(one) == version.number)
        for variant in ended:
            self.demote(variant)
        return replace(promotion, ended=ended)

    def try_out(self, name: str, variant: Variant, share: float) -> Path | None:
        """Put a version on trial, in place of another, or change the share of one that is.

        Returns:
            Its folder; None without a serving folder, as servers may follow the registry.

        Raises:
            BadInput: there is no such version, it is the champion, or has not passed the gate.
            NoAnswer: the registry does not answer.
        """
        version = self._blessed(name)
        if self.registry.aliases().get(CHAMPION) == version.number:
            raise BadInput(
                f"Version {version.number} is the champion: all users have it.",
                "`reelflow models list` shows the others.",
            )
        readers, placed = self._config.readers, None
        if self.serves:
            with self._downloaded(version) as copy:
                placed = variants.place(copy, self.serving, variant, share, readers)
        self.registry.tag(version.number, {variants.SHARE: str(share)})
        self.registry.set_alias(variant, version.number)
        return placed

    def demote(self, variant: Variant) -> int | None:
        """End a trial; return the version's number, None if none was on trial.

        Raises:
            NoAnswer: the registry does not answer; servers that follow the folder have stopped.
        """
        return variants.drop(self.registry, self.serving, variant)

    def _blessed(self, name: str) -> Version:
        """Return a version that has passed the gate.

        Raises:
            BadInput: it has not, or there is none of that name.
        """
        version = self.find(name)
        if version.blessed is None:
            raise BadInput(
                f"Version {version.number} was not registered by Reelflow: no gate has seen it.",
                "Let `reelflow run` train, measure and register a model.",
            )
        if not version.blessed:
            reasons = "\n".join(version.reasons)
            raise BadInput(
                f"Version {version.number} was refused by the gate:\n{reasons}".rstrip(),
                "If a bound was wrong, change it and run again: data and model come from the "
                "cache.",
            )
        return version

    def rollback(self) -> Promotion:
        """Make the champion before the present one champion again, and serve it.

        Raises:
            BadInput: there was no champion before.
            NoAnswer: the registry does not answer; nothing was changed.
        """
        champions = self.registry.champions()
        if len(champions) < 2:
            raise BadInput(
                f"{self.registry.name} has had no other champion to go back to.",
                "`reelflow models promote VERSION` takes any version that passed the gate.",
            )
        return self._move(self.find(str(champions[-2])), self.registry.step_back)

    def _move(self, version: Version, move: Callable[[], None]) -> Promotion:
        before = self.registry.aliases().get(CHAMPION)
        pushed = self._serve(version)
        try:
            move()
        except NoAnswer as error:
            if pushed is not None:
                push.withdraw(pushed)
            raise NoAnswer(f"{error.message} Nothing was changed.", error.remedy) from error
        return Promotion(before, version, pushed)

    def _serve(self, version: Version) -> Path | None:
        """Push a version as the newest, unless it is that already."""
        served = self.served()
        if not self.serves or (served and served[1] == version.model_hash):
            return None
        keep, readers = self._config.keep, self._config.readers
        with self._downloaded(version) as copy:
            return push.push(copy, self.serving, keep=keep, readers=readers)

    @contextmanager
    def _downloaded(self, version: Version) -> Iterator[Path]:
        """Give a copy of a version while the context lasts.

        Raises:
            BadInput: its files are not those that were registered.
        """
        with tempfile.TemporaryDirectory() as beside:
            copy = Path(beside, "model")
            self.registry.download(version.number, copy)
            if version.model_hash and content_hash(copy) != version.model_hash:
                raise BadInput(
                    f"The registry's copy of version {version.number} is damaged: its files are "
                    "not those that were registered. Nothing was changed.",
                    "Promote another version, or restore the registry's artifacts.",
                )
            yield copy
