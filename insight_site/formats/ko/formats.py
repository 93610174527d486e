"""One form of dates on all pages, as `reporting.numbers.day_text` writes them too: docs/words.ko.md."""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y년 n월 j일"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y년 n월 j일 H:i"
MONTH_DAY_FORMAT = "n월 j일"
YEAR_MONTH_FORMAT = "Y년 n월"
