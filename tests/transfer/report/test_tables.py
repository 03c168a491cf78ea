import io
import re

import pytest
from rich.console import Console

from transfer.report import Method, outcomes, results_table, summary
from transfer.report.wording import difference_text


def printed(results, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(results_table(results))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("settings", [(1, 5, 20), (5,), ("no label shifted", "every label shifted")])
def test_every_number_and_verdict_is_legible_without_colour(width, settings, experiment):
    results = experiment(settings=settings)
    text = printed(results, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text and "…" not in text
    verdicts = re.findall(r"\d+/6  . (positive|negative|inconclusive)\b", text)
    assert verdicts == [row.comparison.verdict for row in outcomes(results) if row.comparison]


def test_long_names_are_folded_and_never_cut(experiment):
    long = "fine-tune from one/weathered_photographs_of_birds_2023"
    results = experiment(methods=(Method(name="scratch"), Method(name=long)), noise=0.3, seeds=2)
    text = printed(results, 80)
    assert max(len(line) for line in text.splitlines()) <= 80 and "…" not in text
    rows = [line for line in text.splitlines() if line[8:22].strip()]
    assert long.replace(" ", "") in "".join(line[8:22].strip() for line in rows).replace(" ", "")
    for row in outcomes(results):
        if row.comparison:
            assert difference_text(row.comparison) in text


def test_of_one_seed_no_interval_is_spoken_of(experiment):
    text = printed(experiment(finished=1), 80)
    assert "interval" not in text and "[" not in text and "±" not in text and "?" not in text.replace("few?", "")
    assert "one seed shows no spread" in " ".join(text.split())
    assert "interval" in printed(experiment(finished=2), 80)


def test_a_reference_other_than_the_baseline_is_said(experiment):
    text = printed(experiment(settings=(5,)), 100)
    assert "Δ over scratch" in text
    assert text.count("over random features") == 1


def test_how_many_comparisons_and_that_none_is_adjusted_is_said(experiment):
    text = " ".join(printed(experiment(), 100).split())
    assert "12 comparisons; each interval is 95% for itself, not adjusted" in text


def test_a_verdict_that_holm_takes_back_is_marked(experiment):
    noisy = experiment(noise=0.09)
    fragile = sum(row.fragile for row in outcomes(noisy))
    assert fragile > 0, "the example must hold one"
    text = printed(noisy, 100)
    assert len(re.findall(r"(?:positive|negative) †", text)) == fragile
    assert "after Holm's adjustment" in " ".join(text.split())
    assert " †)" in summary(noisy) and "†" not in summary(experiment()), "the sentences above the table say so, too"


def test_a_partial_report_says_so_and_a_whole_one_does_not(experiment):
    assert "Partial: 4 of 6 seeds finished" in printed(experiment(finished=4), 80)
    assert "Partial" not in printed(experiment(), 80)


def test_square_brackets_in_a_name_are_a_name(experiment):
    methods = (Method(name="scratch"), Method(name="[bold]x[/bold]"))
    assert "[bold]x[/bold]" in printed(experiment(methods=methods), 100)
