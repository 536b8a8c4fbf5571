"""US states by zip code: the first three digits say the state."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_STATES: Final = (
    "5 NY|6 PR|8 VI|9 PR|10 MA|28 RI|30 NH|39 ME|50 VT|55 MA|56 VT|60 CT|70 NJ|90 AE|99 -|100 NY|"
    "150 PA|197 DE|200 DC|201 VA|202 DC|206 MD|220 VA|247 WV|269 -|270 NC|290 SC|300 GA|320 FL|"
    "340 AA|341 FL|350 AL|370 TN|386 MS|398 GA|400 KY|428 -|430 OH|460 IN|480 MI|500 IA|529 -|"
    "530 WI|550 MN|568 -|569 DC|570 SD|578 -|580 ND|589 -|590 MT|600 IL|630 MO|659 -|660 KS|680 NE|"
    "694 -|700 LA|715 -|716 AR|730 OK|733 TX|734 OK|750 TX|800 CO|817 -|820 WY|832 ID|839 -|840 UT|"
    "848 -|850 AZ|866 -|870 NM|885 TX|886 -|889 NV|899 -|900 CA|962 AP|967 HI|969 GU|970 OR|980 WA|"
    "995 AK"
)
"""First prefix of each run of prefixes, and its state or territory; `-` for prefixes out of use."""
_FIRST: Final = [int(run.split()[0]) for run in _STATES.split("|")]
_NAMES: Final = [run.split()[1] for run in _STATES.split("|")]
_ZIP: Final = re.compile(r"(\d{5})(?:-?\d{4})?")


def state_of(zip_code: str) -> str | None:
    """Return the state, territory or military region (AA, AE, AP) of a zip code.

    None if it is no US zip code: not five digits, with or without four more, or a prefix that is
    not in use.
    """
    match = _ZIP.fullmatch(zip_code.strip())
    if match is None:
        return None
    at = bisect_right(_FIRST, int(match[1][:3])) - 1
    return None if at < 0 or _NAMES[at] == "-" else _NAMES[at]
