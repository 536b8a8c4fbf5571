"""The movies' own pictures: files beside a table of them, or addresses elsewhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from reelflow.base.columns import MOVIE_ID, POSTER
from reelflow.base.errors import BadInput
from reelflow.data.formats.headers import MOVIES_ALIASES, find_columns
from reelflow.data.formats.layouts import MOVIES
from reelflow.data.formats.records import open_table

log = logging.getLogger("reelflow.serving")

_ALIASES: Final = (
    *("poster", "posterurl", "posterpath", "picture", "pictureurl", "image", "imageurl"),
    *("imageurll", "imageurlm", "cover", "coverurl", "coverimage"),
)
"""Header names, as `headers.simple_name` has them; Book-Crossing's large and middle ones too."""
_KINDS: Final = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""Types of pictures by the ends of names; SVG is none, as it can hold scripts."""
_ELSEWHERE: Final = re.compile(r"(https?://[\w.-]+(?::\d+)?)/[!-~]*")
_HOSTS: Final = 20
"""Hosts that the policy of the page names; with more it names none and allows all."""


class Posters:
    """A table with a picture for some of the movies, as `reelflow serve --posters` names it."""

    def __init__(self, table: Path, elsewhere: bool = False) -> None:
        """Read the table.

        Args:
            table: the movies' file, the links' file or another one with the columns of a movie's id
                and `poster`: the name of a file seen from the table's folder, or an address.
            elsewhere: True if browsers may ask other hosts for pictures.

        Raises:
            BadInput: the table cannot be read, or lacks one of the columns.
        """
        self._folder = table.absolute().parent.resolve()
        self._addresses: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        hosts = set()
        wanted = (MOVIE_ID, POSTER)
        opened = open_table(str(table), MOVIES)
        aliases = {**MOVIES_ALIASES, POSTER: _ALIASES}
        places = find_columns(opened.found.names, wanted, (), {}, str(table), aliases=aliases)
        if len(places) < len(wanted):
            raise BadInput(
                f"{table} has no columns movie_id and poster in its first line.",
                "Name a table with both, as the movies' file with a column `poster`.",
            )
        left_out = 0
        for record in opened.records:
            if record.refused:
                continue
            movie, picture = (str(record.cells[places[name]]).strip() for name in wanted)
            if not picture or movie in self._files or movie in self._addresses:
                continue
            if host := _ELSEWHERE.fullmatch(picture):
                left_out += not elsewhere
                if elsewhere:
                    self._addresses[movie] = picture
                    hosts.add(host[1])
            elif (file := self._own(picture)) is not None:
                self._files[movie] = file
            else:
                left_out += 1
        self.hosts = ("http:", "https:") if len(hosts) > _HOSTS else tuple(sorted(hosts))
        """Sources of pictures beside the server itself, as a Content-Security-Policy names them."""
        hint = "" if elsewhere else "; those of other hosts need --posters-elsewhere"
        log.info(
            "pictures of %s movies in %s%s",
            f"{len(self._files) + len(self._addresses):,}",
            table,
            f", {left_out:,} left out{hint}" if left_out else "",
        )

    def address(self, movie_id: str) -> str | None:
        """Return the address of a movie's picture, of a file seen from the server's root."""
        if movie_id in self._files:
            return f"posters/{quote(movie_id, safe='')}"
        return self._addresses.get(movie_id)

    def file(self, movie_id: str) -> tuple[Path, str] | None:
        """Return the file of a movie's picture and its type; None without one."""
        file = self._files.get(movie_id)
        # It may have become a link to elsewhere since.
        if file is None or not file.is_file() or not self._is_inside(file):
            return None
        return file, _KINDS[file.suffix.lower()]

    def _own(self, name: str) -> Path | None:
        """Return a file below the table's folder by its name; None if it can be none."""
        file = self._folder / name
        fits = file.suffix.lower() in _KINDS and "://" not in name and self._is_inside(file)
        return file if fits else None

    def _is_inside(self, file: Path) -> bool:
        return file.resolve().is_relative_to(self._folder)
