"""The word for an item: a movie, or a book, an artist, a joke, as the configuration says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAME = frozenset({"anime", "equipment", "game of chance", "manga", "music", "news", "software"})
"""Words that are their own plural, beside those that end as `series` does."""
_IRREGULAR = {"child": "children", "man": "men", "person": "people", "woman": "women"}


def plural(word: str) -> str:
    """Return the plural of an English noun by rule: `story` to `stories`, `dish` to `dishes`.

    Of several words the last one counts: `board game` to `board games`.
    """
    begin, last = re.fullmatch(r"(.*?)(\S*)", word.rstrip(), re.DOTALL).groups()  # type: ignore[union-attr]
    lower = last.lower()
    if lower in _SAME or lower.endswith(("series", "species")):
        return word
    if lower in _IRREGULAR:
        return begin + last[:1] + _IRREGULAR[lower][1:]
    if re.search(r"(s|x|z|ch|sh)$", lower):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", lower):
        return f"{word[:-1]}ies"
    return f"{word}s"


@dataclass(frozen=True)
class Noun:
    """The word for an item, in all the forms that sentences need."""

    one: str = "movie"
    many: str = "movies"

    @classmethod
    def of(cls, one: str | None, many: str | None = None) -> Noun:
        """Return the noun with its plural, by rule unless it is given; None is a movie."""
        return cls(one or "movie", many or plural(one or "movie"))

    @property
    def a(self) -> str:
        """The word with its article: `a movie`, `an artist`."""
        vowel = re.match(r"(?!uni|use|euro|one\b)[aeiou]|hour|heir", self.one, re.IGNORECASE)
        return f"{'an' if vowel else 'a'} {self.one}"

    @property
    def a_label(self) -> str:
        """The same as a sentence begins: `A movie`."""
        return self.a[:1].upper() + self.a[1:]

    @property
    def label(self) -> str:
        """The word as a heading begins: `Movie`."""
        return self.one[:1].upper() + self.one[1:]

    @property
    def labels(self) -> str:
        """The plural as a heading or a sentence begins: `Movies`."""
        return self.many[:1].upper() + self.many[1:]

    def counted(self, number: int) -> str:
        """Return `1 movie` or `2 movies`."""
        return f"{number:,} {self.one if number == 1 else self.many}"


MOVIE = Noun()
"""The word by default."""
