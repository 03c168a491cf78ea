"""The page of results says what the files say, and no more."""

from pathlib import Path

import pytest

import benchmarks
from benchmarks import __main__ as command
from benchmarks import machine, report
from benchmarks.process import ROOT
from benchmarks.workload import HALF, LIBRARIES, MESH

HERE = Path(benchmarks.__file__).parent
MARKED = """before
<!-- begin of results: python -m benchmarks --tables -->
old
<!-- end of results: python -m benchmarks --tables -->
<!-- begin of profile: python -m benchmarks --tables -->
<!-- end of profile: python -m benchmarks --tables -->
<!-- begin of overhead: python -m benchmarks --tables -->
<!-- end of overhead: python -m benchmarks --tables -->
after"""


def run_of(name, family, size, cores, speed=1.0):
    def rounds(factor):
        return [{"wall": factor * speed * 1e-3, "cpu": factor * speed * 1e-3} for _ in range(6)]

    def library(factor):
        return {
            "import": 0.5,
            "first train": 2.0,
            "first infer": 0.5,
            "train": rounds(factor),
            "infer": rounds(factor / 4),
            "before": 10**8,
            "peak": int(2e8 * factor),
        }

    return {
        "workload": name,
        "family": family,
        "size": size,
        "cores": cores,
        "operations": {"train": 1e8, "infer": 5e7},
        "libraries": {"ours": library(1), "PyTorch": library(1.25)},
        "floor": {"operations": 2e9, "products": {"NumPy": [{"wall": 0.01, "cpu": 0.01}] * 6}},
        "left out": {},
    }


@pytest.fixture
def results():
    growing = [run_of(f"attention-{size}", "attention", size, 1, size / 100) for size in (512, 256)]
    results, part = report.begun("python -m benchmarks --rounds 6", 6, machine.header())
    part["left out"] = {"Keras": "keras is not installed"}
    part["agreement"] = {"mlp": {"agreement": {"PyTorch": [1e-7, 2e-7, 3e-6]}, "left out": {}}}
    part["runs"] = [run_of("mlp", "mlp", 0, 1), run_of("mlp", "mlp", 0, 2), *growing]
    return results


def test_the_tables_hold_times_ratios_shares_first_steps_and_memory(results):
    text = report.tables(results)
    assert "| mlp | 1.00 | 1.25 |" in text
    assert "| mlp | 1.25 [1.25, 1.25] |" in text
    assert "| mlp | 50% | 40% |" in text  # 1e8 operations in 1 ms, of 2e9 in 10 ms
    assert "| mlp | 2.0 | 2.0 |" in text
    assert "| mlp | 100 | 150 |" in text
    assert "### Training on one core" in text and "### Training on 2 cores" in text
    assert text.index("| attention-256 | 2.56") < text.index("| attention-512 | 5.12")


def test_the_header_names_machine_versions_settings_who_is_left_out_and_how_well_all_agree(results):
    head = report.tables(results).split("###")[0]
    for part in ("GiB", "python 3", "GLIBC_TUNABLES=", "6 rounds", "200 GFLOP/s on 1 core", "3e-06", "Keras, for keras is not"):
        assert part in head
    assert str(ROOT) not in head and str(Path.home()) not in head


def test_a_library_that_takes_no_part_has_a_dash(results):
    runs = results["parts"][0]["runs"]
    del runs[0]["libraries"]["PyTorch"]
    runs.append(run_of("gpt", "gpt", 0, 1))
    assert "| mlp | 1.00 | – |" in report.tables(results)


def test_a_part_that_is_added_keeps_the_others_and_replaces_its_own_workloads(results):
    both, part = report.begun("python -m benchmarks --add --workloads mlp lstm", 7, results["machine"], results)
    part["runs"] = [run_of("mlp", "mlp", 0, 1, speed=2), run_of("lstm", "lstm", 128, 1)]
    text = report.tables(both)
    assert "rounds 6`; 6 rounds." in text and "mlp lstm`; 7 rounds." in text
    one_core, two_cores = text.split("### Training on 2 cores")
    assert "| mlp | 2.00 | 2.50 |" in one_core and "| lstm | 1.00 | 1.25 |" in one_core
    assert "| mlp | 1.00 | 1.25 |" in two_cores
    assert len(results["parts"]) == 1


def test_results_of_two_machines_are_not_put_together(results):
    with pytest.raises(ValueError, match=r"here differ \['cores', 'memory'\]"):
        report.begun("python -m benchmarks --add", 7, results["machine"] | {"cores": 96, "memory": "1 TiB"}, results)


def test_what_is_written_is_read_again_and_drawn(results, tmp_path):
    assert report.read_results(tmp_path) is None
    report.write_results(results, tmp_path)
    assert report.read_results(tmp_path) == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    report.draw(results, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


def test_tables_go_between_the_markers_and_do_so_again(results, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(MARKED, encoding="utf-8")
    report.write_tables(tmp_path, page)
    first = page.read_text(encoding="utf-8")
    assert first.count(report.NOT_YET) == 3 and "old" not in first
    report.write_results(results, tmp_path)
    report.write_tables(tmp_path, page)
    second = page.read_text(encoding="utf-8")
    assert "| mlp | 1.00 | 1.25 |" in second and second.count(report.NOT_YET) == 2
    assert second.startswith("before\n") and second.endswith("\nafter")
    report.write_tables(tmp_path, page)
    assert page.read_text(encoding="utf-8") == second


@pytest.mark.parametrize("broken", [MARKED.replace("<!-- end of results", "<!-- no"), MARKED + MARKED, "nothing"])
def test_a_page_without_its_markers_is_refused(broken):
    with pytest.raises(ValueError, match="begin of results"):
        report.between(broken, "results", "")


def test_the_page_is_what_the_files_say():
    page = (HERE / "README.md").read_text(encoding="utf-8")
    assert report.with_tables(page, HERE) == page


def test_three_digits_are_enough():
    assert [report._three(value) for value in (0.01234, 1.234, 12.34, 123.4, 1234.5, 0)] == [
        "0.0123",
        "1.23",
        "12.3",
        "123",
        "1234",
        "0",
    ]


def test_the_environment_is_the_same_for_all_but_for_the_number_of_cores(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_of_someone_else")
    one, two = machine.environment(1), machine.environment(2)
    assert one | {"OMP_NUM_THREADS": "2"} == two
    assert "XLA_FLAGS" not in one and one["GLIBC_TUNABLES"] == machine.MALLOC


def test_all_take_part_and_half_precision_is_opted_for(capsys):
    assert set(command.everybody()) >= {*LIBRARIES, *HALF, MESH}
    assert not command.parser().parse_args([]).bfloat16
    with pytest.raises(SystemExit):
        command.parser().parse_args(["--workloads", "rnn"])
    with pytest.raises(SystemExit):
        command.parser().parse_args(["--rounds", "0"])
    assert "expected at least 1, got 0" in capsys.readouterr().err
