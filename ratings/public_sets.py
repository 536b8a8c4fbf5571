"""The public rating sets that Reelflow knows by name, and what their owners ask of their users."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from ratings.errors import BadInput

BASE_URL: Final = "https://files.grouplens.org/datasets/movielens"
CITATION: Final = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4. https://doi.org/10.1145/2827872"
)


@dataclass(frozen=True)
class PublicSet:
    """A set of ratings that GroupLens publishes as one zip file."""

    name: str
    """What Reelflow calls it, and the folder it is unpacked into."""
    stem: str
    """What GroupLens calls it: the zip file's name without `.zip`."""
    megabytes: int
    """Size of the zip file, about."""
    md5: str | None = None
    """Published checksum of the zip file; none: it is read from the `.md5` file beside it."""
    may_be_passed_on: bool = True
    """Redistribution is allowed under the same conditions; otherwise only with permission."""

    @property
    def file(self) -> str:
        """The zip file's name."""
        return f"{self.stem}.zip"


_SETS: Final = (
    PublicSet("movielens-100k", "ml-100k", 5, "0e33842e24a9c977be4e0107933c0723", False),
    PublicSet("movielens-1m", "ml-1m", 6, "c4d9eecfca2ab87c1945afe126590906", False),
    PublicSet("movielens-latest-small", "ml-latest-small", 1),  # changes from time to time
    PublicSet("movielens-20m", "ml-20m", 199, "cd245b17a1ae2cc31bb14903e1204af3"),
    PublicSet("movielens-25m", "ml-25m", 262, "6b51fb2759a8657d3bfcbfc42b592ada"),
    PublicSet("movielens-32m", "ml-32m", 239),
)
PUBLIC_SETS: Final = {chosen.name: chosen for chosen in _SETS}

NETFLIX: Final = "netflix"  # not published any more: only for those who have it
SAMPLE: Final = "sample"  # built in, see ratings/sample.py
NAMES: Final = (*PUBLIC_SETS, NETFLIX)
"""Every set that can be used by name, the built-in sample apart."""


def find(name: str) -> PublicSet:
    """The set of that name.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
    """
    if name in PUBLIC_SETS:
        return PUBLIC_SETS[name]
    if name == SAMPLE:
        raise BadInput("The sample is built in: there is nothing to download.", "Run reelflow run.")
    if name == NETFLIX:
        raise BadInput(
            "The Netflix ratings are not on offer any more, so they cannot be downloaded.",
            "If you have them, put Netflix_Dataset_Rating.csv and Netflix_Dataset_Movie.csv into a "
            "folder and run: reelflow run --data FOLDER",
        )
    known = {**dict.fromkeys(PUBLIC_SETS), **{chosen.stem: chosen.name for chosen in _SETS}}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {known[near[0]] or near[0]}? " if near else ""
    raise BadInput(
        f"{name}: there is no such data set.", f"{hint}There are: {', '.join(PUBLIC_SETS)}."
    )


def licence_notice(name: str) -> str:
    """What must be known before the set is used, in a few lines.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
    """
    chosen = find(name)
    passing_on = (
        "Passing it on is allowed under the same conditions."
        if chosen.may_be_passed_on
        else "Passing it on needs permission from GroupLens."
    )
    return (
        f"{chosen.name} is {chosen.file} (about {chosen.megabytes} MB) by GroupLens, University of "
        "Minnesota. It may be used for "
        "research, with acknowledgement and without implying endorsement. Commercial use needs "
        f"permission from GroupLens. {passing_on} It comes without any warranty.\n"
        f"The README inside has the full conditions; so has {BASE_URL}/{chosen.stem}-README."
        f"{'txt' if chosen.stem in {'ml-100k', 'ml-1m'} else 'html'}\n"
        f"Cite: {CITATION}"
    )
