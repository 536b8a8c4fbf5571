"""The public rating sets by name: addresses, sizes, checksums, conditions of use.

Addresses and checksums are those of the publishers. A checksum that is not published is not made
up: of such a file the archive's own checks apply, or its length alone.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from reelflow.base.errors import BadInput


@dataclass(frozen=True)
class PublicFile:
    """A file of a public set, as it is published."""

    url: str
    megabytes: float | None = None
    """About; None: not known before the server says it."""
    checksum: str | None = None
    """`md5:` and the MD5, or `git:` and the id that Git gives the content; None: not known here."""
    md5_beside: bool = False
    """The MD5 is published in a file beside it, whose name has `.md5` behind."""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class PublicSet:
    """A set of ratings that its publisher offers for download."""

    name: str
    """Name in Reelflow, and of the folder that its files are put into."""
    files: tuple[PublicFile, ...]
    ratings: str
    """Number of ratings, as the publisher says it."""
    publisher: str
    conditions: str
    """Sentences about the use that is allowed."""
    page: str
    """Address of the page with the full conditions."""
    citation: str
    config: str
    """Name of the bundled configuration."""
    note: str = ""
    """Sentence about a difficulty; empty without one."""

    @property
    def checked_by(self) -> str:
        """The check of what was downloaded, in a word."""
        if any(file.md5_beside for file in self.files):
            return "MD5"
        kinds = {(file.checksum or "none:").partition(":")[0] for file in self.files}
        if kinds == {"md5"}:
            return "MD5"
        if kinds == {"git"}:
            return "SHA-1"
        inside = all(file.name.endswith((".zip", ".gz")) for file in self.files)
        return "CRC" if inside else "length"

    @property
    def size(self) -> str:
        """The size of the download in words, without a blank if it is not known."""
        sizes = [file.megabytes for file in self.files]
        return "?" if None in sizes else f"{sum(size or 0.0 for size in sizes):.0f} MB"


MOVIELENS_URL: Final = "https://files.grouplens.org/datasets/movielens"
_WARRANTY: Final = "It comes without any warranty."


def _movielens(
    name: str,
    stem: str,
    ratings: str,
    megabytes: float,
    md5: str | None = None,
    may_be_passed_on: bool = True,
    config: str = "movielens",
) -> PublicSet:
    """Describe a set of GroupLens; without `md5` it is read from the file beside the zip file."""
    checksum = None if md5 is None else f"md5:{md5}"
    passing_on = "is allowed under the same conditions"
    if not may_be_passed_on:
        passing_on = "needs permission from GroupLens"
    url = f"{MOVIELENS_URL}/{stem}.zip"
    return PublicSet(
        name=name,
        files=(PublicFile(url, megabytes, checksum, md5_beside=md5 is None),),
        ratings=ratings,
        publisher="GroupLens, University of Minnesota",
        conditions=(
            "It may be used for research, with acknowledgement and without implying endorsement. "
            "Commercial use needs permission from GroupLens. "
            f"Passing it on {passing_on}. {_WARRANTY}"
        ),
        page=f"{MOVIELENS_URL}/{stem}-README.{'txt' if config != 'movielens' else 'html'}",
        citation=(
            "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and "
            "Context. ACM Transactions on Interactive Intelligent Systems 5, 4. "
            "https://doi.org/10.1145/2827872"
        ),
        config=config,
    )


def _movietweetings(name: str, folder: str, ratings: str, sizes: tuple[float, float]) -> PublicSet:
    """Describe a folder of MovieTweetings; `sizes` of ratings and movies in MB."""
    home = "https://raw.githubusercontent.com/sidooms/MovieTweetings/master"
    return PublicSet(
        name=name,
        files=(
            PublicFile(f"{home}/{folder}/ratings.dat", sizes[0]),
            PublicFile(f"{home}/{folder}/movies.dat", sizes[1]),
        ),
        ratings=ratings,
        publisher="Simon Dooms, Ghent University",
        conditions=(
            "It is under the MIT licence; its author asks to be cited. "
            "The users' file, which has their Twitter ids, is left out."
        ),
        page="https://github.com/sidooms/MovieTweetings",
        citation=(
            "Simon Dooms, Toon De Pessemier and Luc Martens. 2013. MovieTweetings: a Movie Rating "
            "Dataset Collected From Twitter. CrowdRec at RecSys 2013."
        ),
        config="movietweetings",
    )


_GOODBOOKS: Final = (
    "https://raw.githubusercontent.com/zygmuntz/goodbooks-10k/"
    "6dd165b555a7b47b2dd36743a425776e641ff50c"
)
_AMAZON: Final = (
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/benchmark/5core/rating_only"
)
_AMAZON_RATINGS: Final = {
    "All_Beauty": "2.5 K",
    "Arts_Crafts_and_Sewing": "1.8 M",
    "Automotive": "6.1 M",
    "Baby_Products": "1.2 M",
    "Beauty_and_Personal_Care": "6.6 M",
    "Books": "9.5 M",
    "CDs_and_Vinyl": "1.6 M",
    "Cell_Phones_and_Accessories": "2.8 M",
    "Clothing_Shoes_and_Jewelry": "23.1 M",
    "Electronics": "15.5 M",
    "Gift_Cards": "2.4 K",
    "Grocery_and_Gourmet_Food": "3.9 M",
    "Health_and_Household": "7.2 M",
    "Home_and_Kitchen": "28.2 M",
    "Industrial_and_Scientific": "413 K",
    "Kindle_Store": "16.1 M",
    "Magazine_Subscriptions": "176",
    "Movies_and_TV": "7.4 M",
    "Musical_Instruments": "512 K",
    "Office_Products": "1.8 M",
    "Patio_Lawn_and_Garden": "3.4 M",
    "Pet_Supplies": "5.3 M",
    "Software": "1.3 M",
    "Sports_and_Outdoors": "3.5 M",
    "Tools_and_Home_Improvement": "7.9 M",
    "Toys_and_Games": "3.9 M",
    "Video_Games": "815 K",
}
"""Categories of the 5-core files of Amazon Reviews 2023, with the ratings that their page gives."""


def _amazon(category: str, ratings: str) -> PublicSet:
    return PublicSet(
        name=f"amazon-2023-{category.lower().replace('_', '-')}",
        files=(PublicFile(f"{_AMAZON}/{category}.csv.gz"),),
        ratings=ratings,
        publisher="McAuley Lab, University of California San Diego",
        conditions=(
            "Its publishers state no licence and ask to be cited; for more than research ask them. "
            "Each user and each product has at least five ratings. There are ids and no titles: "
            "these are in the publishers' meta files, which are many times larger."
        ),
        page="https://amazon-reviews-2023.github.io/data_processing/5core.html",
        citation=(
            "Yupeng Hou, Jiacheng Li, Zhankui He, An Yan, Xiusi Chen and Julian McAuley. 2024. "
            "Bridging Language and Items for Retrieval and Recommendation. arXiv:2403.03952."
        ),
        config="amazon-2023",
    )


_SETS: Final = (
    _movielens(
        "movielens-100k",
        "ml-100k",
        "100 K",
        5,
        "0e33842e24a9c977be4e0107933c0723",
        False,
        "movielens-100k",
    ),
    _movielens(
        "movielens-1m",
        "ml-1m",
        "1.0 M",
        6,
        "c4d9eecfca2ab87c1945afe126590906",
        False,
        "movielens-1m",
    ),
    # Changes from time to time.
    _movielens("movielens-latest-small", "ml-latest-small", "100 K", 1),
    _movielens("movielens-20m", "ml-20m", "20 M", 199, "cd245b17a1ae2cc31bb14903e1204af3"),
    _movielens("movielens-25m", "ml-25m", "25 M", 262, "6b51fb2759a8657d3bfcbfc42b592ada"),
    _movielens("movielens-32m", "ml-32m", "32 M", 239),
    _movietweetings("movietweetings", "latest", "0.9 M", (25.0, 3.0)),
    _movietweetings("movietweetings-100k", "snapshots/100K", "100 K", (2.9, 0.5)),
    PublicSet(
        name="goodbooks-10k",
        files=(
            PublicFile(
                f"{_GOODBOOKS}/ratings.csv", 69, "git:0d245a10acfe3c89b2e4004cdbc805b99771ac5d"
            ),
            PublicFile(
                f"{_GOODBOOKS}/books.csv", 3.3, "git:d694afdf5f555b51c1128c6ff562b6e54a7f75e3"
            ),
        ),
        ratings="6.0 M",
        publisher="Zygmunt Zajac",
        conditions=(
            "It is under the Creative Commons licence Attribution-ShareAlike 4.0: name its author, "
            "and pass on what you make of it under the same licence."
        ),
        page="https://github.com/zygmuntz/goodbooks-10k",
        citation=(
            "Zygmunt Zajac. 2017. Goodbooks-10k: a new dataset for book recommendations. FastML. "
            "http://fastml.com/goodbooks-10k"
        ),
        config="goodbooks-10k",
    ),
    PublicSet(
        name="book-crossing",
        files=(
            PublicFile("http://www2.informatik.uni-freiburg.de/~cziegler/BX/BX-CSV-Dump.zip", 26),
        ),
        ratings="1.1 M",
        publisher="Cai-Nicolas Ziegler, University of Freiburg",
        conditions="It may be used for research when its paper is acknowledged.",
        page="http://www2.informatik.uni-freiburg.de/~cziegler/BX/",
        citation=(
            "Cai-Nicolas Ziegler, Sean M. McNee, Joseph A. Konstan and Georg Lausen. 2005. "
            "Improving Recommendation Lists Through Topic Diversification. WWW '05. "
            "https://doi.org/10.1145/1060745.1060754"
        ),
        config="book-crossing",
        note=(
            "Its server is reported to be switched off. If you have the files, put "
            "BX-Book-Ratings.csv and BX-Books.csv into data/book-crossing."
        ),
    ),
    PublicSet(
        name="jester",
        files=(
            PublicFile("https://eigentaste.berkeley.edu/dataset/archive/jester_dataset_2.zip", 8),
        ),
        ratings="1.8 M",
        publisher="Ken Goldberg, University of California Berkeley",
        conditions=(
            "It is free for research when its paper is acknowledged; its publisher asks for a note "
            "about who uses it. Jokes have numbers; their texts are in jester_items.dat."
        ),
        page="https://eigentaste.berkeley.edu/dataset/archive/",
        citation=(
            "Ken Goldberg, Theresa Roeder, Dhruv Gupta and Chris Perkins. 2001. Eigentaste: A "
            "Constant Time Collaborative Filtering Algorithm. Information Retrieval 4, 2, 133-151."
        ),
        config="jester",
    ),
    *(_amazon(category, ratings) for category, ratings in _AMAZON_RATINGS.items()),
)
PUBLIC_SETS: Final = {public.name: public for public in _SETS}

NETFLIX: Final = "netflix"  # not published any more: only for those who have it
SAMPLE: Final = "sample"  # built in, see reelflow/data/sample/
NAMES: Final = (*PUBLIC_SETS, NETFLIX)
"""Every set that can be used by name, the built-in sample apart."""


def find_set(name: str) -> PublicSet:
    """Return the set of that name.

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
            "If you have them, put the files into a folder and run: reelflow run --data FOLDER",
        )
    raise unknown_set(name)


def unknown_set(name: str) -> BadInput:
    """Return the error about a name that no set has, with the nearest one."""
    known = {public.files[0].name.split(".")[0]: public.name for public in _SETS}
    known |= {each: each for each in (*PUBLIC_SETS, NETFLIX, SAMPLE)}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {known[near[0]]}? " if near else ""
    shown = [each for each in (SAMPLE, *NAMES) if not each.startswith("amazon-")]
    listed = f"{', '.join(shown)} and amazon-2023-CATEGORY"
    return BadInput(
        f"{name}: there is no such data set.",
        f"{hint}There are: {listed}. See reelflow data download --list",
    )


def licence_notice(name: str) -> str:
    """Describe the conditions of a set in a few lines.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
    """
    public = find_set(name)
    names = " and ".join(file.name for file in public.files)
    size = "" if public.size == "?" else f" (about {public.size})"
    lines = [
        f"{public.name} is {names}{size} by {public.publisher}. {public.conditions}",
        f"The full conditions: {public.page}",
        f"Cite: {public.citation}",
    ]
    return "\n".join([*lines, public.note] if public.note else lines)
