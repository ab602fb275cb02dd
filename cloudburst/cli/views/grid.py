"""A table as text, fitted to the width: what does not fit is shortened, and the last columns go first."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

from .paint import PLAIN, Paint

GAP = "  "
GAP_MARK = "…"
"""A cell that stands for rows left out."""
NARROW = 6
"""No column is squeezed below this; before that, columns are left out."""


def grid(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    floors: Sequence[int] = (),
    indent: str = "",
    paint: Paint = PLAIN,
) -> list[str]:
    """The lines, the header first. Columns that read as numbers are set to the right.

    `floors` are the least widths of the first columns; those after them may shrink to NARROW.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    numbers = [_are_numbers([row[at] for row in rows]) for at in range(len(header))]
    least = [*floors, *[NARROW] * (len(header) - len(floors))]
    widths = fit([_widest(header, rows, at) for at in range(len(header))], least, width - len(indent))
    top = _line(header, widths, numbers) + _more(len(header) - len(widths))
    return [
        indent + paint.bold(top.rstrip()),
        *(indent + _line(row, widths, numbers).rstrip() for row in rows),
    ]


def fit(wanted: Sequence[int], floors: Sequence[int], width: int) -> list[int]:
    """How wide each column may be; fewer than were wanted when there is no room for all.

    The widest give way first, none below its floor, so that numbers stay whole while texts are cut.
    """
    shown, note = len(wanted), 0
    least = [min(w, floor) for w, floor in zip(wanted, floors, strict=True)]
    while shown > 1 and _total(least[:shown]) + note > width:
        shown -= 1
        note = len(_more(len(wanted) - shown))
    widths = [min(w, width) for w in wanted[:shown]]
    while _total(widths) + note > width:
        loose = [at for at in range(shown) if widths[at] > least[at]]
        if not loose:
            break
        widths[max(loose, key=lambda at: widths[at])] -= 1
    return widths


def _more(columns: int) -> str:
    return f"{GAP}… {columns} more" if columns else ""


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _widest(header: Sequence[str], rows: Sequence[Sequence[str]], at: int) -> int:
    return max(cells(header[at]), *(cells(row[at]) for row in rows)) if rows else cells(header[at])


def _line(row: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    return GAP.join(
        _set(cell, width, number) for cell, width, number in zip(row, widths, numbers, strict=False)
    )


def _set(text: str, width: int, right: bool) -> str:
    text = cut(text, width)
    space = " " * (width - cells(text))
    return space + text if right else text + space


def cut(text: str, width: int) -> str:
    """At most `width` columns, with `…` where something is missing."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def one_line(text: str) -> str:
    """Line ends and other control characters made visible: a cell is one line and moves no cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else {"\n": "⏎", "\t": " "}.get(c, "\ufffd") for c in text)


def _are_numbers(column: Sequence[str]) -> bool:
    said = [cell for cell in column if cell not in ("", GAP_MARK)]
    return bool(said) and all(map(_is_number, said))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
