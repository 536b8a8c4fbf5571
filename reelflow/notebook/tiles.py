"""Tables of movies that a notebook draws as posters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import pandas as pd

from reelflow.base.columns import GENRES, TITLE, YEAR
from reelflow.base.looks import look_of

_SHOWN: Final = 24
"""Posters of one table; the rest is counted."""
_NUMBERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "predicted_rating": lambda value: f"★ {value:.1f}",
    "similarity": lambda value: f"{value:.0%} alike",
}
_STYLE: Final = (
    "display:inline-block;vertical-align:top;width:8.5em;margin:0 .8em 1em 0;"
    "font:13px/1.35 system-ui,sans-serif"
)
_POSTER: Final = (
    "position:relative;overflow:hidden;box-sizing:border-box;width:8.5em;height:12.75em;"
    "padding:.8em;border-radius:8px;color:#fff;font-weight:700"
)


class MovieTable(pd.DataFrame):
    """A table with a movie in each row, `title`, `genres` and `year` among its columns.

    A notebook shows posters; `print`, `to_csv` and all else are those of the table. A selection
    without these columns is shown as a plain table.
    """

    @property
    def _constructor(self) -> type[MovieTable]:
        return MovieTable

    def _repr_html_(self) -> str:
        """Return posters as HTML, without scripts and without anything from elsewhere."""
        if not {TITLE, GENRES, YEAR} <= set(self.columns):
            table: str = pd.DataFrame(self)._repr_html_()
            return table
        tiles = [_tile(row) for row in self.head(_SHOWN).to_dict("records")]
        more = len(self) - len(tiles)
        return "".join(tiles) + (f"<p>and {more} more</p>" if more > 0 else "")


def _tile(row: Mapping[str, Any]) -> str:
    look = look_of(row[GENRES])
    year = "" if pd.isna(row[YEAR]) else f"{int(row[YEAR])}"
    colour = f"hsl({look.hue} {look.saturation}% {{}}%)".format
    lines = [words(row[name]) for name, words in _NUMBERS.items() if not pd.isna(row.get(name))]
    return (
        f'<div style="{_STYLE}"><div style="{_POSTER};'
        f'background:linear-gradient(140deg,{colour(17)},{colour(34)})">'
        f'<svg viewBox="0 0 24 24" style="position:absolute;right:-1.2em;bottom:.4em;width:7.5em;'
        f'fill:none;stroke:#fff;stroke-width:1.1;opacity:.26"><path d="{escape(look.path)}"/></svg>'
        f"{escape(_yearless(str(row[TITLE]), year))}"
        f'<div style="position:absolute;left:.8em;bottom:.6em;font-size:.85em">{year}</div></div>'
        f"{'<br>'.join(map(escape, lines))}</div>"
    )


def _yearless(title: str, year: str) -> str:
    return title.replace(f" ({year})", "") if year else title
