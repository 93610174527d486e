"""A form field of several rows, each a small form of its own: added and removed by buttons, with and without script."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from events.pickers.fields import Drawn
from events.pickers.quick_fixes import QuickFix

# Names of the inputs and of the buttons that send the form to get a row more or less.

ADD, REMOVE = "row_add", "row_remove"
COUNT = "rows"  # name of the number of rows, after the field's
MOST = 40
AT_ROW = "row"  # code of an error that is shown at its row, and not again for the whole field


class RowForm(forms.Form):
    """One row; every part may be empty, and `clean` says what is missing in one that isn't.

    Attributes:
        told_by: parts that make a row: where all of them are empty, the row counts as not there.
        unique: a part that no two rows may share; "" for none.
    """

    told_by: ClassVar[tuple[str, ...]] = ()
    unique: ClassVar[str] = ""
    use_required_attribute = False

    def __init__(self, *args: Any, earlier: Sequence["RowForm"] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.earlier = earlier  # rows above it
        for field in self.fields.values():
            field.required = False

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """Initial values of the row for one stored entry."""
        return dict(stored)

    def entry(self) -> Any:
        """The stored entry that a valid row stands for."""
        return self.cleaned_data

    @property
    def is_empty(self) -> bool:
        """True for an unused row."""
        return not any(str(self[name].data or "").strip() for name in self.told_by or self.fields)

    def full_clean(self) -> None:
        """An unused row has no mistakes."""
        super().full_clean()
        if self.is_bound and self.is_empty:
            self._errors = forms.utils.ErrorDict()
            self.cleaned_data: dict[str, Any] = {}
        elif self.is_bound and self.unique and not self._errors:
            self._compare()

    def _compare(self) -> None:
        """Say that an earlier row has the same already."""
        mine = self.cleaned_data.get(self.unique)
        for number, row in enumerate(self.earlier, start=1):
            if mine not in (None, "") and row.is_valid() and row.cleaned_data.get(self.unique) == mine:
                self.add_error(self.unique, _("Row {n} has the same already. Remove one of them.").format(n=number))
                return

    @property
    def cells(self) -> list[tuple[forms.BoundField, list[dict[str, str]]]]:
        """Each visible part with the buttons that mend it: `value` as the steps' pages read it."""
        return [(bound, _mends(bound)) for bound in self.visible_fields()]

    @property
    def first_wrong(self) -> str:
        """Name of the first part with a mistake; "" for none."""
        return next((name for name in self.fields if self.errors.get(name)), "") if self.is_bound else ""


def _mends(bound: forms.BoundField) -> list[dict[str, str]]:
    fixes: list[QuickFix] = [fix for error in bound.errors.data for fix in getattr(error, "mends", ())]
    return [{"label": str(fix.label), "value": urlencode({bound.html_name: fix.value})} for fix in fixes]


class Rows(Drawn):
    """The rows, a button that adds one, and one on each row that removes it.

    Args:
        row: form of a row.
        add: words of the button that adds one.
        blank: empty rows shown where there are none yet.
    """

    template_name = "pickers/rows.html"
    use_fieldset = True

    class Media:
        js = ["insight_site/rows.js"]

    def __init__(self, row: type[RowForm], *, add: Any, blank: int = 0, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.row, self.add, self.blank = row, add, blank

    def id_for_label(self, id_: str) -> str:
        """No input of its own: the label is a legend."""
        return ""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The forms of the rows that were sent."""
        count = count_of(data, name)
        new = count - 1 if data.get(ADD) == name else None
        places = [at for at in range(count) if at == new or any(key.startswith(f"{name}-{at}-") for key in data)]
        rows: list[RowForm] = []
        for at in places:
            rows.append(self.row(data, prefix=f"{name}-{at}", earlier=tuple(rows)))
        return rows

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Whether the form had no such rows."""
        return f"{name}-{COUNT}" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Sent rows, or those of the stored entries."""
        sent = bool(value) and isinstance(value[0], RowForm)
        if sent:
            rows = list(value)
        else:
            begin = self.row.begin
            rows = [self.row(initial=begin(entry), prefix=f"{name}-{at}") for at, entry in enumerate(value or ())]
            rows += [self.row(prefix=f"{name}-{at}") for at in range(len(rows), self.blank)]
        self._focus(name, rows)
        context: dict[str, Any] = super().get_context(name, None, attrs)
        return context | {
            "rows": rows,
            "blank": self.row(prefix=f"{name}-__row__"),
            "count": f"{name}-{COUNT}",
            "number": int(str(rows[-1].prefix).rpartition("-")[2]) + 1 if rows else 0,
            "add": self.add,
            "most": MOST,
        }

    @staticmethod
    def _focus(name: str, rows: Sequence[RowForm]) -> None:
        """Put the cursor on the first mistake, or on the row that a button without script has just added."""
        wrong = next(((row, part) for row in rows if (part := row.first_wrong)), None)
        if wrong is None and rows and rows[-1].is_bound and rows[-1].data.get(ADD) == name:
            wrong = rows[-1], next(iter(rows[-1].fields))
        if wrong is not None:
            wrong[0].fields[wrong[1]].widget.attrs["autofocus"] = True


class RowsField(forms.Field):
    """Several rows, cleaned to the list of their entries; unused rows are left out."""

    widget: Rows

    def __init__(self, row: type[RowForm], *, add: Any, blank: int = 0, **options: Any) -> None:
        self.row = row
        super().__init__(**{"required": False, "widget": Rows(row, add=add, blank=blank), **options})

    def clean(self, value: Any) -> list[Any]:
        """Entries of the used rows; a mistake is shown at its row."""
        rows = [row for row in value or () if not row.is_empty]
        wrong = [text for row in rows for errors in row.errors.values() for text in errors]
        if wrong:
            raise forms.ValidationError([forms.ValidationError(text, code=AT_ROW) for text in wrong])
        return [row.entry() for row in rows]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare entries."""
        return [row.entry() for row in data or () if not row.is_empty and row.is_valid()] != (initial or [])


def count_of(data: Mapping[str, Any], name: str) -> int:
    """Number of rows that a browser sent of a field; 0 for none, or for what is no number."""
    text = str(data.get(f"{name}-{COUNT}", ""))
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def row_values(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What a browser sends of these rows, for a button that fills them in."""
    sent = {f"{name}-{at}-{part}": str(text) for at, row in enumerate(rows) for part, text in row.items()}
    return {f"{name}-{COUNT}": str(len(rows)), **sent}


def is_edit(data: Mapping[str, Any]) -> bool:
    """True where a button without script asks for a row more or less: nothing is stored then."""
    return ADD in data or REMOVE in data


def edited(data: QueryDict) -> QueryDict:
    """The sent data with a row more, or without the one whose button was pressed; later rows move up."""
    if ADD in data:
        name = str(data[ADD])
        data[f"{name}-{COUNT}"] = str(min(count_of(data, name) + 1, MOST))
    name, _dash, at = data.get(REMOVE, "").rpartition("-")
    if not (name and at.isascii() and at.isdigit()):
        return data
    last = count_of(data, name) - 1
    if int(at) > last:
        return data
    for place in range(int(at), last):
        for part in _parts(data, f"{name}-{place}-"):
            del data[f"{name}-{place}-{part}"]
        for part in _parts(data, f"{name}-{place + 1}-"):
            data.setlist(f"{name}-{place}-{part}", data.getlist(f"{name}-{place + 1}-{part}"))
    data[f"{name}-{COUNT}"] = str(last)
    return data


def _parts(data: QueryDict, begin: str) -> list[str]:
    return [key.removeprefix(begin) for key in data if key.startswith(begin)]
