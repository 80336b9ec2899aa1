"""Answers that a spreadsheet and a wrong decoding have been over, as in the published file of Bamboogle."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MONTHS: Mapping[str, str] = {
    month[:3].lower(): month
    for month in (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )
}
_SHEET_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2})")
_FIRST_OF_1900S = 30
"""A spreadsheet reads two digits from here on as 19xx; those below may be meant either way."""


def mended(answer: str) -> tuple[str, ...]:
    """`answer`, then what it was before a spreadsheet and a wrong decoding went over it, if they did.

    ``20-Apr-66`` was April 20, 1966; ``JosÃ©`` was José. What stands in the file stays the first answer.
    """
    found = [answer]
    try:
        repaired = answer.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        repaired = answer
    if repaired != answer:
        found.append(repaired)
    date = _SHEET_DATE.fullmatch(answer.strip())
    if date and date[2].lower() in _MONTHS and 1 <= int(date[1]) <= 31:
        day, month, short = int(date[1]), _MONTHS[date[2].lower()], int(date[3])
        for year in [1900 + short] if short >= _FIRST_OF_1900S else [1900 + short, 2000 + short]:
            found += [f"{month} {day}, {year}", f"{day} {month} {year}"]
    return tuple(found)
