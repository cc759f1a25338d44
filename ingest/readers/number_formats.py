"""A value of a cell and its format in, the text that people see out.

Number formats are followed as far as they are the same in every country: percent, decimals, a unit or currency; separators
of thousands are left out. Dates, times and durations have one form each, whatever the format shows of them.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    Value: TypeAlias = float | str | bool | time | date | datetime | timedelta

_LARGEST_EXACT = 1e15  # a whole number below is written with all its digits, and without a point
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(?:-[^\]]*)?\]|\[[^\]]*\]|_.|\*.')
_DIGITS = re.compile(r"([#0?,]*[0#?])(?:\.([0#?]*))?")
_NOT_PLAIN = re.compile(r"[A-DF-Za-df-zE@/]")  # dates, exponents, fractions, text
_IN_QUOTES = re.compile(r'"[^"]*"|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\[[^\]]*\]")
_OF_DATES = re.compile(r"[dmyhs]", re.IGNORECASE)
_FIRST_DAY = datetime(1899, 12, 30)
_YEARS_OF_WINDOWS = 1462  # days between that and the first day of a sheet of old Macs
_SECONDS = 86_400  # of a day
_MAX_SECTION = 200  # characters of a format
_LEAP_DAY_1900 = 60  # the number of a day that there was not; those before count from a day later
_MOST_DAYS = 2_958_465  # from the first day to the end of the year 9999


class NumberFormat(NamedTuple):
    """How a number is written: `12.5 %` has one decimal, a percent sign, and a space before it.

    Of the decimals so many are written even where they are 0. `least_digits` stand before the point, so that a postal
    code keeps its zeros: 01097.
    """

    decimals: int
    least_decimals: int
    least_digits: int
    is_percent: bool
    before: str = ""
    after: str = ""

    def written(self, number: float) -> str:
        """The number as this format shows it.

        >>> NumberFormat(1, 1, 1, True, after="%").written(0.125), NumberFormat(2, 0, 5, False).written(1097.5)
        ('12.5%', '01097.5')
        """
        whole, _, decimals = f"{abs(number) * (100 if self.is_percent else 1):.{self.decimals}f}".partition(".")
        decimals = decimals[: self.least_decimals] + decimals[self.least_decimals :].rstrip("0")
        digits = whole.zfill(self.least_digits) + (f".{decimals}" if decimals else "")
        sign = "-" if number < 0 and digits.strip("0.") else ""
        return f"{sign}{self.before}{digits}{self.after}"


def number_format(code: str) -> NumberFormat | None:
    """The format behind its code, None for one of another kind (dates, `General`, fractions).

    >>> form = number_format("#,##0.00 €")
    >>> form.written(1250.5) if form else "", number_format("yyyy-mm-dd"), number_format("General")
    ('1250.50 €', None, None)
    """
    section = code.split(";")[0][:_MAX_SECTION]
    literals: list[str] = []

    def keep(literal: re.Match[str]) -> str:
        literals.append(literal[1] or literal[2] or literal[3] or "")
        return "\0"

    bare = _LITERAL.sub(keep, section)
    digits = _DIGITS.search(bare)
    if not digits or _NOT_PLAIN.search(bare) or bare[digits.end() :].startswith(","):
        return None  # a comma at the end divides by a thousand
    kept = iter(literals)
    before = re.sub("\0", lambda _: next(kept), bare[: digits.start()])
    after = re.sub("\0", lambda _: next(kept), bare[digits.end() :])
    if re.search("[#0?]", after):
        return None
    decimals = digits[2] or ""
    return NumberFormat(
        len(decimals), decimals.count("0"), digits[1].count("0"), "%" in bare, before.lstrip(), after.rstrip()
    )


def serial_shown(number: float, code: str, *, since_1904: bool = False) -> str:
    """A number as a cell with this format shows it: days and their parts are dates, times and durations.

    >>> serial_shown(45292, "dd.mm.yyyy"), serial_shown(1.5, "[h]:mm"), serial_shown(0.25, "0%"), serial_shown(3.0, "General")
    ('2024-01-01', '36:00', '25%', '3')
    """
    if not is_of_days(code) or not 0 <= number <= _MOST_DAYS - since_1904 * _YEARS_OF_WINDOWS:
        return shown(number, number_format(code))
    is_elapsed = bool(_ELAPSED.search(code))
    return shown(timedelta(seconds=round(number * _SECONDS)) if is_elapsed else _moment(number, since_1904))


def is_of_days(code: str) -> bool:
    """Whether a format shows a number as a date, a time or a duration.

    >>> is_of_days("d/m/yy"), is_of_days("[h]:mm"), is_of_days('0.0 "days"'), is_of_days("General")
    (True, True, False, False)
    """
    section = _IN_QUOTES.sub("", code.split(";")[0][:_MAX_SECTION])
    return bool(_ELAPSED.search(section) or _OF_DATES.search(_IN_BRACKETS.sub("", section)))


def _moment(number: float, since_1904: bool) -> time | date | datetime:
    """The day, or the time of a day, or both, that a number stands for."""
    days_before = _YEARS_OF_WINDOWS if since_1904 else int(number < _LEAP_DAY_1900)
    moment = _FIRST_DAY + timedelta(days=days_before, seconds=round(number * _SECONDS))
    if number < 1:
        return moment.time()
    return moment if moment.time() != time() else moment.date()


def shown(value: Value, form: NumberFormat | None = None) -> str:
    """A value as people see it, on one line; a number in its format, if it has one.

    >>> [shown(value) for value in (2024.0, 0.1 + 0.2, True, 1e21, "two\\nlines")]
    ['2024', '0.3', 'TRUE', '1e+21', 'two lines']
    >>> shown(datetime(2024, 5, 1, 13, 30)), shown(time(9, 5, 7)), shown(timedelta(hours=36, minutes=5))
    ('2024-05-01 13:30', '09:05:07', '36:05')
    """
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return f"{value.date().isoformat()} {shown(value.time())}"
    if isinstance(value, time):
        return value.replace(microsecond=0).isoformat("seconds" if value.second else "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if form is not None:
        return form.written(value)
    return str(int(value)) if value == value // 1 and abs(value) < _LARGEST_EXACT else f"{value:.15g}"


def _duration(value: timedelta) -> str:
    seconds = round(abs(value.total_seconds()))
    minutes, second = divmod(seconds, 60)
    shown_seconds = f":{second:02}" if second else ""
    return f"{'-' if value < timedelta() else ''}{minutes // 60}:{minutes % 60:02}{shown_seconds}"
