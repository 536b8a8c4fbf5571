"""Formats of other publishers that their files' names give away.

Kaggle's `rating.csv` and `movie.csv`, goodbooks-10k, Amazon's reviews and the like need no adapter:
the names of their columns say everything.
"""

from __future__ import annotations

from reelflow.config import Format
from reelflow.data.formats.adapter import Adapter

BOOK_CROSSING = Adapter(
    format=Format.BOOK_CROSSING,
    ratings="BX-Book-Ratings*.csv|BX_Book_Ratings*.csv|BX-Ratings*.csv",
    movies="BX-Books*.csv|BX_Books*.csv",
    users="BX-Users*.csv|BX_Users*.csv",
    delimiter="",
    quoted=True,
    scale=(1.0, 10.0),
    unrated=(0.0,),
    movies_required=False,
)
"""Zero says that a book was read, and not how it was liked."""

RECBOLE = Adapter(
    format=Format.RECBOLE,
    ratings="*.inter",
    movies="*.item",
    users="*.user",
    delimiter="\t",
    movies_required=False,
)
"""RecBole's atomic files, whose header names have types, as `user_id:token`."""
