"""A model named by an alias of the registry, `models:/NAME@ALIAS`."""

from __future__ import annotations

import re
from pathlib import Path

from reelflow.base.errors import BadInput
from reelflow.registry.store import CHAMPION, REMEDY, Registry, Variant, Version, shown
from reelflow.registry.variants import SHARE

_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")


class Alias:
    """The version that an alias stands for; it may stand for another one later.

    A version is downloaded once, into a folder that has its number as name.
    """

    def __init__(self, uri: str, cache: Path, registry: str) -> None:
        """Take the URI apart; the first request comes later.

        Args:
            uri: `models:/NAME@ALIAS`.
            cache: folder for downloaded versions.
            registry: URI of the registry.

        Raises:
            BadInput: the URI is of another form.
        """
        match = _ALIAS.fullmatch(uri)
        if not match:
            raise BadInput(f"{uri} does not name a model by an alias.", REMEDY)
        name, self._alias = match.groups()
        self._uri, self._cache = uri, cache / name
        self._registry = Registry(registry, name)

    def folder(self) -> Path:
        """Return the folder of the alias's present version, downloaded if need be.

        Raises:
            ReelflowError: the registry does not answer, or has no such model or alias, or the
                version holds no SavedModel.
        """
        version = self._registry.by_alias(self._alias)
        if version is None:
            raise BadInput(f"{self._uri}: {shown(self._registry.uri)} has no such alias.", REMEDY)
        return self._downloaded(version)

    def on_trial(self, variant: Variant) -> tuple[Path, float] | None:
        """Return folder and share of the users of a version on trial beside the champion.

        None without one, and beside another alias than the champion's.

        Raises:
            ReelflowError: as `folder`.
        """
        version = self._registry.by_alias(variant) if self._alias == CHAMPION else None
        if version is None:
            return None
        return self._downloaded(version), float(version.tags.get(SHARE, "0"))

    def _downloaded(self, version: Version) -> Path:
        # Numbers start anew in another registry, or in one that was made again.
        folder = self._cache / str(version.created) / str(version.number)
        if not folder.is_dir():
            self._registry.download(version.number, folder)
        return folder
