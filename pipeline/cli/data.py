"""`reelflow data`: look at ratings, fetch the public sets."""

from __future__ import annotations

import typer

data_app = typer.Typer(help="Inspect and download ratings.", no_args_is_help=True)


@data_app.callback()
def _group() -> None:
    """Stays."""
