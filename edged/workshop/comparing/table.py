"""A comparison as tables for a person: rich's, an extra."""

from __future__ import annotations

from typing import Any

from ...errors import MissingExtra
from ...toml_text import printable
from .figures import fallen_rows, loss_rows, rows
from .run import Compared
from .words import meanings


def console() -> Any:
    """Where tables go, before anything is measured. Raises MissingExtra."""
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtra("rich, which draws the tables,", "workshop") from error
    return Console(highlight=False)


def show(compared: Compared, to: Any) -> None:
    """``to``: a console."""
    names = (compared.one.path.name, compared.other.path.name)
    _table(
        to,
        f"{compared.examples:,} examples of {compared.data}",
        ("", *names, "second"),
        rows(compared),
    )
    fallen = list(fallen_rows(compared))
    if fallen:
        heads = ("model", "operator", "output", "ms")
        _table(to, "left to the runtime's own kernels", heads, fallen)
    losses = list(loss_rows(compared))
    if losses:
        told = ("operator", "output", "by itself", "as it runs")
        _table(to, f"where {names[1]} loses most (SQNR)", told, losses)
    for sentence in meanings(compared):
        to.print(printable(f"- {sentence}"), markup=False, soft_wrap=True)


def _table(to: Any, title: str, heads: Any, lines: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title)), title_justify="left", box=None, pad_edge=False)
    for place, head in enumerate(heads):
        right = place > 0 and head not in ("operator", "output")
        table.add_column(Text(printable(head)), justify="right" if right else "left")
    for line in lines:
        table.add_row(*(Text(printable(cell)) for cell in line))
    to.print(table)
    to.print()
