"""One form of dates on all pages, as `reporting.numbers.day_text` writes them too: docs/words.md, "Dates".

Hours run from 0 to 23: "10:05 p.m." would end a sentence with two full stops.
"""

DATE_FORMAT = SHORT_DATE_FORMAT = "M j, Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "M j, Y, H:i"
MONTH_DAY_FORMAT = "M j"
YEAR_MONTH_FORMAT = "M Y"
