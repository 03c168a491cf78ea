"""A report as one HTML file that needs nothing else: style and figures inside, no script, no address outside.

Why so strict: it is mailed, archived and opened offline years later, and names in it come from whoever wrote the
experiment.
"""

import base64
import json
from collections.abc import Mapping
from html import escape
from typing import Any

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

STYLE = """
:root { color-scheme: light dark; --ink: #222; --quiet: #666; --rule: #ddd; --page: #fff; --card: #f6f6f4;
  --positive: #00598c; --negative: #b34700; --inconclusive: #666; --notice: #fff3d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --quiet: #a5a5a5; --rule: #3a3a3a; --page: #17181a;
  --card: #222427; --positive: #6cbcf0; --negative: #ff9a5c; --inconclusive: #a5a5a5; --notice: #4a3a10; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 58rem; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; }
p { max-width: 46rem; }
.question { font-size: 1.15rem; color: var(--quiet); margin-top: 0; }
.summary { border-left: 4px solid var(--positive); padding: .2rem 0 .2rem 1rem; font-size: 1.08rem; }
.notice { background: var(--notice); border-radius: 6px; padding: .6rem 1rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--quiet); border-bottom: 1px solid var(--quiet); }
th, td { padding: .32rem 1.5rem .32rem 0; vertical-align: top; }
tbody td { border-bottom: 1px solid var(--rule); }
tbody th { color: var(--ink); border-bottom: 1px solid var(--rule); padding-top: 1.1rem; }
.number { text-align: right; white-space: nowrap; }
.verdict { white-space: nowrap; font-weight: 600; }
.positive { color: var(--positive); } .negative { color: var(--negative); }
.inconclusive { color: var(--inconclusive); font-weight: 400; }
.quiet, .control { color: var(--quiet); }
.small { font-size: .88rem; }
figure { margin: 0 0 1.6rem; background: #fff; border: 1px solid var(--rule); border-radius: 8px; padding: .8rem; }
figure img { display: block; width: 100%; height: auto; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; color: var(--quiet); }
pre { background: var(--card); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; font-size: .86rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
""".strip()

SEED_BY_SEED = (
    "Every seed draws its own examples, order and initial weights, and every method runs on the same draws. So methods "
    "are compared seed by seed: Δ is the mean of those differences, and wins counts the seeds where the method came "
    "out ahead."
)
OF_INTERVALS = (
    "Where all seeds are tested on the same pictures, the intervals do not say what other test pictures would have shown.",
    "A verdict is positive or negative only where the whole 95% interval of Δ lies on one side of zero. An interval "
    "that touches or crosses zero is inconclusive, which says “these seeds cannot tell”, not “there is no difference”.",
    "Each interval misses the truth about once in twenty. Where many are printed, expect a false alarm among them: "
    "† marks a verdict that Holm’s adjustment for all comparisons of this report takes back. The largest of many "
    "differences is partly luck; trust its sign before its size.",
)
OF_ONE_SEED = ("One seed shows no spread: another may well say the opposite. So every verdict is inconclusive; run more.",)
OF_CONTROLS = (
    "Controls show what is reached without the idea under test. A method that only matches a control has not shown "
    "that its idea did the work."
)

PICTURES = {
    "accuracy": "Accuracy of each method; the table above has the numbers.",
    "differences": "Paired differences; the table above has the numbers.",
}


def html_page(results: Results, record: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The whole page.

    Args:
      results: what was measured.
      record: what `report.json` holds; date, wall time and environment are taken from it.
      pictures: PNG images by name, "accuracy" and "differences".
    """
    notice = partial_notice(results)
    methods = "".join(
        f"<dt>{escape(method.name)}{' <span class=quiet>(control)</span>' if method.kind == 'control' else ''}</dt>"
        f"<dd>{escape(method.description)}</dd>"
        for method in results.methods
    )
    images = "".join(
        f'<figure><img alt="{PICTURES[name]}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'
        for name, png in pictures.items()
    )
    answer = f"<pre>{escape(results.answer)}</pre>\n" if results.answer else ""
    sections = "".join(f"<h2>{escape(section.title)}</h2><pre>{escape(section.text)}</pre>\n" for section in results.sections)
    command = f"<h2>Run it again</h2><pre>{escape(results.command)}</pre>" if results.command else ""
    how_to_read = (SEED_BY_SEED, *(OF_INTERVALS if len(results.finished) > 1 else OF_ONE_SEED), OF_CONTROLS)
    settled = json.dumps(results.configuration, indent=2, ensure_ascii=False)
    configuration = f"<h2>Configuration</h2><pre>{escape(settled)}</pre>" if results.configuration else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(results.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(results.title)}</h1>
<p class="question">{escape(results.question)}</p>
{f'<p class="notice">{escape(notice)}</p>' if notice else ""}
{answer}<p class="summary">{escape(summary(results))}</p>
<h2>The numbers</h2>
<div class="scroll">{_table(results)}</div>
<p class="small quiet">{escape(caption(results))}</p>
<h2>The pictures</h2>
{images}
{sections}<h2>How to read this</h2>
{"".join(f"<p>{escape(paragraph)}</p>" for paragraph in how_to_read)}
<h2>The methods</h2>
<dl>{methods}</dl>
{command}
{configuration}
<h2>Where it ran</h2>
<p class="small quiet">{escape(_where(record))}</p>
</body>
</html>
"""


def _table(results: Results) -> str:
    heads = ("method", "accuracy", f"Δ over {results.baseline}", "wins", "verdict")
    numbers = ("accuracy", "wins")
    head = "".join(f'<th scope="col"{" class=number" if name in numbers else ""}>{escape(name)}</th>' for name in heads)
    body, previous = [], None
    for row in outcomes(results):
        if row.setting != previous:
            phrase = f"with {setting_text(results, row.setting)}"
            body.append(f'<tr><th scope="rowgroup" colspan="{len(heads)}">{escape(phrase)}</th></tr>')
            previous = row.setting
        body.append(_row(results, row))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _row(results: Results, row: Outcome) -> str:
    name = f"<td{' class=control' if row.method.kind == 'control' else ''}>{escape(row.method.name)}</td>"
    accuracy = f"<td class=number>{escape(accuracy_text(row.accuracy))}</td>"
    if row.comparison is None:
        return f"<tr>{name}{accuracy}<td class=quiet>baseline</td><td></td><td></td></tr>"
    other = row.reference if row.reference != results.baseline else None
    over = f'<br><span class="small quiet">over {escape(other)}</span>' if other else ""
    return (
        f"<tr>{name}{accuracy}<td>{escape(difference_text(row.comparison))}{over}</td>"
        f"<td class=number>{row.comparison.wins}/{row.comparison.n}</td>"
        f'<td class="verdict {row.comparison.verdict}">{escape(verdict_text(row))}</td></tr>'
    )


def _where(record: Mapping[str, Any]) -> str:
    where, seconds = record["environment"], record["wall_time"]
    device, git = where["device"], where["git"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items() if version)
    commit = f" Commit {git['commit'][:12]}{', with uncommitted changes' if git['dirty'] else ''}." if git else ""
    seeds = ", ".join(str(seed) for seed in record["seeds"]["finished"])
    when, place = record["date"][:16].replace("T", " "), f"{device['count']} × {device['kind']} ({device['platform']})"
    return f"{when} UTC, {seconds:.0f} s on {place}, {where['system']}. Seeds {seeds}. {versions}.{commit}"
