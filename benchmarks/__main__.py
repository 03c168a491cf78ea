"""`python -m benchmarks`: ours beside its peers, checked and then timed; results as JSON, a picture and tables."""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, report
from benchmarks.catalogue import FIVE, WORKLOADS
from benchmarks.run import check, installed, measure
from benchmarks.workload import BFLOAT16, HALF, MESH, Supervised, Workload

HERE = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Runs what is asked for; 0 if all of it could be done."""
    options = parser().parse_args(arguments)
    folder = options.output
    if options.tables:
        report.write_tables(folder, HERE / "README.md")
        if results := report.read_results(folder):
            report.draw(results, folder / "plot.png")
        return 0
    chosen = [WORKLOADS[name] for name in options.workloads or WORKLOADS]
    named = [library for library in everybody() if options.bfloat16 or not library.endswith(BFLOAT16)]
    asked = options.libraries or [library for library in named if any(library in taking_part(work) for work in chosen)]
    libraries, missing = installed(asked)
    for library, reason in missing.items():
        print(f"{library} is left out: {reason}.")
    folder.mkdir(parents=True, exist_ok=True)
    asked_for = shlex.join(sys.argv[1:] if arguments is None else arguments)
    before = report.read_results(folder) if options.add else None
    results, part = report.begun(f"python -m benchmarks {asked_for}".strip(), options.rounds, machine.header(), before)
    part["left out"] = missing
    with tempfile.TemporaryDirectory() as scratch:
        print("Do all compute the same?")
        for workload in chosen:
            mine = [library for library in libraries if library in taking_part(workload)]
            part["agreement"][workload.name] = check(workload, mine, Path(scratch), say)
        if options.check_only:
            return 0
        for cores in options.cores:
            for workload in chosen:
                if cores > 1 and workload not in FIVE and not options.workloads:
                    continue  # how cost grows is shown on one core
                print(f"{workload.name} on {cores} core{'s' * (cores > 1)}, {options.rounds} rounds:", flush=True)
                failed = part["agreement"][workload.name]["left out"]
                mine = [one for one in libraries if one in taking_part(workload) and one not in failed]
                mine = [one for one in mine if cores > 1 or one != MESH]
                run = measure(workload, mine, cores=cores, rounds=options.rounds, folder=Path(scratch), say=say)
                part["runs"].append(run)
                report.write_results(results, folder)  # so far: a run that is stopped leaves what it has
    print(report.tables(results))
    report.draw(results, folder / "plot.png")
    print(
        f"Written: {folder / 'results.json'}, {folder / 'plot.png'}. `python -m benchmarks --tables` puts them into README.md."
    )
    return 0


def say(line: str) -> None:
    """What goes on, at once: a run takes long."""
    print(line, flush=True)


def everybody() -> list[str]:
    """Every library that takes part in some workload."""
    return list(dict.fromkeys(library for workload in WORKLOADS.values() for library in taking_part(workload)))


def taking_part(workload: Workload) -> tuple[str, ...]:
    """Who can do a workload, in half precision, too."""
    return (*workload.libraries, *(HALF if isinstance(workload, Supervised) else ()))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    libraries = everybody()
    parser.add_argument("--workloads", nargs="+", metavar="NAME", choices=list(WORKLOADS), help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--libraries", nargs="+", metavar="NAME", choices=libraries, help=f"of {', '.join(libraries)}")
    parser.add_argument("--bfloat16", action="store_true", help="add those that can calculate in bfloat16")
    parser.add_argument(
        "--cores", nargs="+", type=_positive, default=[1, 2], metavar="N", help="how many to be pinned to (1 2)"
    )
    parser.add_argument("--rounds", type=_positive, default=15, metavar="N", help="turns of each library (15)")
    parser.add_argument("--output", type=Path, default=HERE, metavar="FOLDER", help="for results.json and plot.png")
    parser.add_argument("--add", action="store_true", help="keep what results.json holds of other workloads and cores")
    parser.add_argument("--check-only", action="store_true", help="ask whether all compute the same, and time nothing")
    parser.add_argument(
        "--tables", action="store_true", help="write the tables of results.json into README.md, draw plot.png, and run nothing"
    )
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value


if __name__ == "__main__":
    sys.exit(main())
