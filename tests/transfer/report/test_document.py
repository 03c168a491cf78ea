import base64
import json
import math
import os
import subprocess
from html.parser import HTMLParser

import pytest

from transfer.report import Method, outcomes, read_report, set_aside, write_report
from transfer.report.environment import _commit

HOSTILE = "<script>alert('x')</script> & $\\frac$ [red]"


@pytest.fixture(scope="module")
def whole(experiment, tmp_path_factory):
    """A report of all seeds, written once: the results and the directory."""
    directory = tmp_path_factory.mktemp("whole")
    write_report(results := experiment(), directory)
    return results, directory


class Page(HTMLParser):
    """All tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_what_is_written_is_read_again_bit_for_bit(experiment, tmp_path):
    results = experiment(finished=4)
    for accuracy, method in zip((0.1 + 0.2, 1 / 3, math.nextafter(0.5, 1), 0.0, 1.0), results.methods, strict=True):
        for setting in results.settings:
            results.add(5, setting, method.name, accuracy)
    write_report(results, tmp_path)
    again = read_report(tmp_path)
    assert again == results
    assert outcomes(again) == outcomes(results)
    assert read_report(tmp_path / "report.json") == results


def test_the_json_holds_what_the_table_says(whole):
    results, directory = whole
    record = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    assert len(record["results"]) == 6 * 3 * 5
    rows = [row for row in outcomes(results) if row.comparison]
    for entry, row in zip(record["comparisons"], rows, strict=True):
        assert (entry["setting"], entry["method"], entry["reference"]) == (row.setting, row.method.name, row.reference)
        assert (entry["low"], entry["high"]) == (row.comparison.low, row.comparison.high)
        assert (entry["p_holm"], entry["verdict"]) == (row.p_holm, row.comparison.verdict)
    assert {"python", "jax", "jaxlib", "flax", "optax", "numpy"} <= record["environment"]["versions"].keys()
    assert record["seeds"] == {"requested": [0, 1, 2, 3, 4, 5], "finished": [0, 1, 2, 3, 4, 5]}
    assert (record["schema"], record["wall_time"], record["date"][-6:]) == (1, 12.5, "+00:00")


def test_one_seed_is_strict_json_with_open_ends(experiment, tmp_path):
    write_report(experiment(finished=1, settings=(5,)), tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert {(entry["low"], entry["high"], entry["verdict"]) for entry in record["comparisons"]} == {
        (None, None, "inconclusive")
    }


def test_of_one_seed_no_page_speaks_of_an_interval(experiment, whole, tmp_path):
    one = write_report(experiment(finished=1, settings=(5,)), tmp_path).read_text(encoding="utf-8")
    assert "interval" not in one and "One seed shows no spread" in Page(one).text
    assert "interval" in (whole[1] / "report.html").read_text(encoding="utf-8")


def test_a_report_makes_room_only_for_one_of_another_plan_or_of_fewer_seeds(experiment, tmp_path):
    assert set_aside(experiment(), tmp_path / "nowhere") is None
    write_report(first := experiment(finished=4, settings=(5,)), tmp_path)
    assert set_aside(experiment(finished=4, settings=(5,)), tmp_path) is None
    assert set_aside(experiment(finished=6, settings=(5,)), tmp_path) is None
    aside = set_aside(experiment(finished=3, settings=(5,)), tmp_path)
    assert aside is not None and aside.exists() and read_report(aside.with_suffix(".json")) == first
    assert not (tmp_path / "report.json").exists() and not (tmp_path / "report.html").exists()
    for changed in ({"settings": (1,)}, {"configuration": {}}, {"methods": first.methods[:2]}):
        (tmp_path / "report.json").write_bytes(aside.with_suffix(".json").read_bytes())
        assert set_aside(experiment(**{"settings": (5,), **changed}), tmp_path) == aside, changed
    (tmp_path / "report.json").write_text("{}")
    assert set_aside(first, tmp_path) is None, "who knows what it is"


def test_hostile_words_stay_words(experiment, tmp_path):
    methods = (Method(name="scratch"), Method(name=HOSTILE, description=HOSTILE, kind="control"))
    results = experiment(
        methods=methods, settings=(HOSTILE,), title=HOSTILE, question=HOSTILE, setting_name=HOSTILE,
        command=HOSTILE, configuration={HOSTILE: HOSTILE},
    )  # fmt: skip
    page = Page(write_report(results, tmp_path).read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) >= 7
    assert read_report(tmp_path) == results


def test_the_page_needs_nothing_from_outside(whole):
    html = (whole[1] / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert "http://" not in html and "https://" not in html and "url(" not in html
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    sources = [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources] == [
        (whole[1] / f"{name}.png").read_bytes() for name in ("accuracy", "differences")
    ]
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")


def test_the_page_shows_every_verdict_the_question_and_the_command(whole):
    results, page = whole[0], Page((whole[1] / "report.html").read_text(encoding="utf-8"))
    shown = [attributes["class"].split()[1] for tag, attributes in page.tags if "verdict " in attributes.get("class", "")]
    assert shown == [row.comparison.verdict for row in outcomes(results) if row.comparison]
    assert results.question in page.text and results.command in page.text and "learning_rate" in page.text


def test_a_partial_page_says_so_and_a_whole_one_does_not(experiment, whole, tmp_path):
    partial = write_report(experiment(finished=4, settings=(5,)), tmp_path).read_text(encoding="utf-8")
    assert "Partial: 4 of 6 seeds finished" in Page(partial).text
    assert "Partial" not in Page((whole[1] / "report.html").read_text(encoding="utf-8")).text
    for directory, said in ((tmp_path, True), (whole[1], False)):
        assert json.loads((directory / "report.json").read_text(encoding="utf-8"))["partial"] is said


def test_a_write_cut_short_leaves_the_old_report_whole(experiment, tmp_path, monkeypatch):
    write_report(experiment(settings=(5,)), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def cut(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(KeyboardInterrupt):
        write_report(experiment(settings=(5,), finished=3), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_is_written_where_no_seed_finished(experiment, tmp_path):
    with pytest.raises(ValueError, match="at least one finished seed"):
        write_report(experiment(finished=0), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("half of a rep", "expects JSON"), ('{"schema": 99}', "schema 1 in .*got schema 99"), ("[]", "got schema None")],
)
def test_what_is_no_report_is_refused(content, message, tmp_path):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_report(tmp_path)


@pytest.mark.slow
def test_the_commit_is_recorded_only_for_a_file_that_belongs_to_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    file, stranger = tmp_path / "ours.py", tmp_path / "installed.py"
    git("init", "-q")
    file.write_text("1")
    stranger.write_text("1")
    git("add", "ours.py")
    git("commit", "-qm", "one")
    assert _commit(stranger) is None
    assert _commit(file) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    file.write_text("2")
    assert _commit(file) == {"commit": git("rev-parse", "HEAD"), "dirty": True}
