"""The table of chips: what is written is what was measured, and what it shows is what lesson 11 says."""

import json

import pytest

from benchmarks.scaling import FOLDER, WORKLOADS, page

MEASURED = json.loads((FOLDER / "scaling.json").read_text(encoding="utf-8"))


def rows(network, model):
    return [row for row in MEASURED["rows"] if row["network"] == network and row["model"] == model and row["chips"] > 1]


def test_the_page_is_made_of_the_measured_rows():
    assert (FOLDER / "scaling.md").read_text(encoding="utf-8") == page(MEASURED)


@pytest.mark.parametrize("network", WORKLOADS)
def test_with_the_batch_split_the_weights_are_sent_whatever_the_batch_and_the_number_of_chips(network):
    (sent,) = {sum(row["bytes sent"].values()) for row in rows(network, 1)}
    assert len(rows(network, 1)) > 2
    assert 1 <= sent / rows(network, 1)[0]["bytes of weights"] < 1.05


def test_with_the_network_split_what_is_sent_grows_with_the_batch_and_each_chip_holds_less():
    network = next(name for name, workload in WORKLOADS.items() if workload.rules)
    small, large = rows(network, 4)[:2]
    assert large["batch"] == 2 * small["batch"]
    assert sum(large["bytes sent"].values()) == 2 * sum(small["bytes sent"].values())
    assert small["bytes of arguments"] < 0.6 * rows(network, 1)[0]["bytes of arguments"]
