"""The table of a report for a terminal.

Why a mark beside each colour: the verdict must be legible in a log file, on paper, and to those who see red and green
alike.
"""

import textwrap

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from transfer.report.outcomes import Outcome, outcomes
from transfer.report.results import Results
from transfer.report.wording import (
    accuracy_text,
    caption,
    difference_text,
    partial_notice,
    setting_text,
    summary,
    verdict_text,
)

STYLES = {"positive": "bold green", "negative": "bold red", "inconclusive": "yellow"}


def results_table(results: Results) -> Group:
    """Everything a terminal shows of a report, for `rich.print`: title, question, rows by setting, summary, caption.

    Raises:
      ValueError: where no seed finished.
    """
    # Text objects throughout: a name in square brackets is a name, not markup.
    parts: list = [Text(results.title, style="bold"), Text(results.question, style="italic")]
    if notice := partial_notice(results):
        parts.append(Text(notice, style="bold yellow"))
    if results.answer:
        parts.append(Padding(Text(results.answer), (1, 0, 0, 0)))
    parts += [Padding(_rows(results), (1, 0)), Text(summary(results)), Text(caption(results), style="dim")]
    for section in results.sections:
        parts += [Padding(Text(section.title, style="bold"), (1, 0, 0, 0)), Text(section.text)]
    return Group(*parts)


def _rows(results: Results) -> Table:
    many = len(results.settings) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    if many:
        # As narrow as its longest word, which leaves 80 columns enough for the rest.
        words = [
            *results.setting_name.split(),
            *(word for setting in results.settings for word in str(setting).split()),
        ]
        table.add_column(Text(results.setting_name), width=max(len(word) for word in words))
    table.add_column(Text("method" if many else f"with {setting_text(results, results.settings[0])}"), overflow="fold")
    table.add_column(Text("accuracy"), justify="right", no_wrap=True)
    table.add_column(Text(f"Δ over {results.baseline}"), no_wrap=True)
    table.add_column(Text("wins"), justify="right", no_wrap=True)
    table.add_column(Text("verdict"), no_wrap=True)
    previous = None
    for row in outcomes(results):
        first = row.setting != previous
        if many and first and previous is not None:
            table.add_section()
        label = [Text(str(row.setting) if first else "", style="bold")] if many else []
        table.add_row(*label, *_cells(results, row))
        previous = row.setting
    return table


def _cells(results: Results, row: Outcome) -> list[Text]:
    name = Text(row.method.name, style="dim" if row.method.kind == "control" else "")
    if row.comparison is None:
        return [name, Text(accuracy_text(row.accuracy)), Text("baseline", style="dim"), Text(""), Text("")]
    difference = Text(difference_text(row.comparison))
    if row.reference != results.baseline:
        difference.append("\n" + textwrap.fill(f"over {row.reference}", 20), style="dim")
    return [
        name,
        Text(accuracy_text(row.accuracy)),
        difference,
        Text(f"{row.comparison.wins}/{row.comparison.n}"),
        Text(verdict_text(row), style=STYLES[row.comparison.verdict]),
    ]
