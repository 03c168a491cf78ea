"""`python -m exercises list | next | check | hint | reset`: what to do now, and what is wrong with what was done."""

import argparse
import sys
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exercises.runner.answers import MINE, shown
from exercises.runner.catalogue import HINT_TIERS, Exercise, choose, lesson_after
from exercises.runner.outcomes import FAILING, NOT_WRITTEN, PASSING, Outcome, run_tests, states
from exercises.runner.restoring import restore

STYLES = {NOT_WRITTEN: "dim", FAILING: "red", PASSING: "green"}

console = Console(highlight=False, soft_wrap=True)


def list_exercises() -> int:
    """The exercises in order, and how far the student is."""
    exercises = choose([])
    with console.status("Running the tests of what you have written …"):
        found = states(exercises)
    table = Table(box=None, pad_edge=False)
    for column in ("exercise", "title", "state"):
        table.add_column(column, no_wrap=column == "exercise")  # a name is there to be typed
    for topic, of_topic in groupby(exercises, key=lambda exercise: exercise.topic):
        table.add_row(f"[bold]{topic}[/bold]")
        for exercise in of_topic:
            state, _ = found[exercise.name]
            table.add_row(f"  {exercise.name}", exercise.title, f"[{STYLES[state]}]{state}")
    console.print(table)
    passing = sum(state == PASSING for state, _ in found.values())
    go_on = goodbye(exercises) if passing == len(exercises) else "Go on with: python -m exercises next"
    console.print(f"\n{passing} of {len(exercises)} passing. {go_on}")
    return 0


def goodbye(exercises: list[Exercise]) -> str:
    """Where to go once all of these pass."""
    lesson = lesson_after(exercises[-1].topic)
    return f"Go on with the next lesson: {lesson}" if lesson else "That was the last topic."


def next_exercise() -> int:
    """The first exercise that does not pass: its task and its first failure."""
    exercises = choose([])
    with console.status("Looking for the first exercise that does not pass …"):
        found = states(exercises)
    for exercise in exercises:
        state, outcomes = found[exercise.name]
        if state == PASSING:
            continue
        console.print(f"[bold]{exercise.name}[/bold]: {exercise.title}\n")
        if state == NOT_WRITTEN:
            with console.status("Asking the blank …"):
                outcomes = run_tests([exercise], [MINE])
        show_failures(exercise, outcomes, most=1)
        console.print(f"\nEdit {shown(exercise.blank)}, then: python -m exercises check {exercise.name}")
        return 1
    console.print(f"[green]All exercises pass.[/green] {goodbye(exercises)}")
    return 0


def check(names: list[str]) -> int:
    """Runs the tests of the named exercises, or of all."""
    exercises = choose(names)
    with console.status("Running the tests …"):
        outcomes = run_tests(exercises, [MINE])
    for exercise in exercises:
        own = [outcome for outcome in outcomes if outcome.exercise == exercise.name]
        passed = sum(outcome.passed for outcome in own)
        if own and passed == len(own):
            library = exercise.library.partition(":")[0].replace(".", "/") + ".py"
            console.print(f"[green]✓ {exercise.name}[/green]: {passed} tests pass. Compare with {library}")
            continue
        told = [outcome.kind for outcome in own if outcome.kind.startswith("not ")]
        console.print(f"[red]✗ {exercise.name}[/red]: {told[0] if told else f'{passed} of {len(own)} tests pass'}")
        show_failures(exercise, own, most=2)
    return 0 if outcomes and all(outcome.passed for outcome in outcomes) else 1


def show_failures(exercise: Exercise, outcomes: list[Outcome], most: int) -> None:
    """The first failures that differ, in full, and once where to look; the others are often the same mistake."""
    failures = [outcome for outcome in outcomes if not outcome.passed]
    groups: dict[str, list[Outcome]] = {}
    for failure in failures:
        groups.setdefault(failure.message, []).append(failure)
    shown_groups = list(groups.items())[:most]
    for message, alike in shown_groups:
        if alike[0].kind in ("assertion", "crash"):
            console.print(f"  [bold]{alike[0].test.removeprefix('test_').replace('_', ' ')}[/bold]")
        console.print(escape(message.removesuffix(f"\n{exercise.look}")))
        if len(alike) > 1:
            console.print(f"  … the same in {len(alike) - 1} more")
    if more := len(failures) - sum(len(alike) for _, alike in shown_groups):
        console.print(f"  … and {more} more, often for the same reason.")
    if failures:
        console.print(escape(exercise.look))


def hint(names: list[str], level: int) -> int:
    """One tier of hint; nothing is remembered, so the next is asked for by its level."""
    for exercise in choose(names):
        console.print(f"[bold]{exercise.name}[/bold], hint {level} of {len(HINT_TIERS)}: {HINT_TIERS[level - 1]}")
        console.print(f"  {escape(exercise.hints[level - 1])}")
        if level < len(HINT_TIERS):
            console.print(f"[dim]  More: python -m exercises hint {exercise.name} --level {level + 1}[/dim]")
        else:
            console.print(f"[dim]  Still stuck? Read {exercise.lesson} and {exercise.reading}.[/dim]")
    return 0


def reset(names: list[str], yes: bool) -> int:
    """Puts blanks back, once the student has said yes."""
    for exercise in choose(names):
        if not yes:
            console.print(
                f"Nothing is changed yet. A reset takes {shown(exercise.blank)} back to the blank; your file is kept beside it."
            )
            console.print(f"If that is what you want: python -m exercises reset {exercise.name} --yes")
            continue
        console.print(f"{exercise.name} is blank again. What you wrote is in {shown(restore(exercise))}")
    return 0 if yes else 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    about = "Exercises: write yourself what the library has; tests say what is right so far, and what is not."
    top = argparse.ArgumentParser(prog="python -m exercises", description=about)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="list | next | check | hint | reset")
    for verb, names, text in (
        ("list", None, "show the exercises in order, and how far you are"),
        ("next", None, "show the first exercise that does not pass, and what to do now"),
        ("check", "*", "test what you wrote (all of it, if nothing is named)"),
        ("hint", 1, "say where to look; --level 2 and 3 say more"),
        ("reset", 1, "bring the blank back; what you wrote is kept beside it"),
    ):
        added = verbs.add_parser(verb, help=text, description=f"{text.capitalize()}.")
        if names:
            added.add_argument("names", nargs=names, metavar="NAME", help="an exercise or a topic, as `list` shows them")
    verbs.choices["hint"].add_argument(
        "--level", type=int, choices=range(1, len(HINT_TIERS) + 1), default=1, help="how much it says (default: 1)"
    )
    verbs.choices["reset"].add_argument("--yes", action="store_true", help="do it; without it, only what would happen is said")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb and returns the exit status: 0 done, 1 not passing or not done, 2 not understood."""
    options = parser().parse_args(arguments)
    try:
        choose(getattr(options, "names", []))
    except ValueError as error:
        print(f"python -m exercises: {error}", file=sys.stderr)
        return 2
    try:
        match options.verb:
            case "list":
                return list_exercises()
            case "next":
                return next_exercise()
            case "check":
                return check(options.names)
            case "hint":
                return hint(options.names, options.level)
            case _:
                return reset(options.names, options.yes)
    except RuntimeError as error:
        print(f"python -m exercises: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
