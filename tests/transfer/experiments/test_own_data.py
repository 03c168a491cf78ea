"""Your own pictures: how they are read, what is compared with what, and what the first lines of the report say."""

import dataclasses
import io
from itertools import count

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from transfer.diagnosis import ARMS, CONTRASTS, diagnosis_of
from transfer.experiments import own_data as module
from transfer.experiments.answer import COLUMNS, Arm, answer, source_table
from transfer.experiments.experiment import Detail
from transfer.experiments.own_data import OwnData, choose_ways, make_arms, own_data
from transfer.experiments.pictures import Pictures, read_pictures, same_pictures, tell_apart
from transfer.report import Method, Results, outcomes, paired_difference


def pictures(name, classes=("a", "b"), each=8, *, channels=1, seed=0, notes=()):
    """Noise, a few pictures of each class to learn from and one to test on."""
    rng = np.random.default_rng(seed)

    def part(count):
        return rng.integers(0, 256, (count * len(classes), 12, 12, channels), np.uint8), np.repeat(range(len(classes)), count)

    return Pictures(name, part(each), part(1), tuple(classes), notes)


def results_of(arms, accuracy, *, settings=(1, 5), seeds=6, **details):
    """accuracy(arm, setting) and a little luck of the seed, which all arms share, and a grain of the arm's own."""
    results = Results(
        experiment="known",
        title="Known",
        question="Does it?",
        setting_name="examples per class",
        settings=settings,
        methods=tuple(
            Method(name=arm.name, kind="method" if arm.control or arm.way == "scratch" else "control") for arm in arms
        ),
        seeds=tuple(range(seeds)),
        details=details,
    )
    rng = np.random.default_rng(0)
    for seed in range(seeds):
        for n in settings:
            for arm in arms:
                results.add(seed, n, arm.name, accuracy(arm, n) + 0.01 * seed + 0.004 * rng.random())
    return results


def of_ways(**ways):
    """Accuracies by way, 0.5 for any other."""
    return lambda arm, n: ways.get(arm.way.replace(" ", "_").replace("-", "_"), 0.5)


def sentences(text):
    """Question → its text, lines joined."""
    found, question = {}, ""
    for line in text.splitlines():
        question = line[:18].strip() or question
        found[question] = f"{found.get(question, '')} {line[18:].strip()}".strip()
    return found


ONE = make_arms(("fine-tune", "linear probe"), ["cats"])
TWO = make_arms(("fine-tune", "linear probe"), ["cats", "cars"])


def test_every_way_has_its_source_and_the_control_that_belongs_to_it():
    assert [arm.name for arm in ONE] == ["scratch", "fine-tune", "linear probe", "shuffled labels", "random features"]
    assert [arm.name for arm in TWO if arm.control] == [
        "fine-tune from cats",
        "linear probe from cats",
        "fine-tune from cars",
        "linear probe from cars",
    ]
    names = {arm.name for arm in TWO}
    assert all(arm.control in names for arm in TWO if arm.control)
    assert Arm("fine-tune from cars", "fine-tune", "cars", "shuffled labels from cars") in TWO
    assert [arm.name for arm in make_arms(("prototypes",), ["cats"])] == ["scratch", "prototypes", "random features"]


def test_a_gain_is_answered_with_yes_how_sure_which_method_and_whether_it_is_the_source():
    says = sentences(answer(results_of(ONE, of_ways(linear_probe=0.7, fine_tune=0.6)), ONE))
    assert says["Does it help?"] == "Yes, with 1 and 5 examples per class."
    assert says["How sure?"].startswith("With 1 example per class: linear probe, +20.") and "6 of 6 seeds" in says["How sure?"]
    assert "linear probe, ahead of fine-tune" in says["Which method?"]
    assert "Yes. linear probe minus random features: +20." in says["Is it the source?"]
    assert "What does harm?" not in says and "Which source?" not in says


def test_a_gain_that_its_control_has_too_is_not_put_down_to_the_source():
    says = sentences(answer(results_of(ONE, of_ways(linear_probe=0.7, random_features=0.7)), ONE))
    assert (
        says["Does it help?"].startswith("Yes") and "Not shown. linear probe minus random features" in says["Is it the source?"]
    )


def test_a_control_that_holm_takes_back_is_not_shown_though_its_interval_is_above_zero():
    results = results_of(ONE, of_ways(linear_probe=0.503))
    control = paired_difference(results.accuracies("linear probe", 1), results.accuracies("random features", 1))
    says = sentences(answer(results, ONE))["Is it the source?"]
    assert control.verdict == "positive" and "With 1 example per class: Not shown. linear probe minus" in says


def test_a_method_that_loses_less_than_its_control_helps_only_in_part():
    says = sentences(answer(results_of(ONE, of_ways(scratch=0.7, random_features=0.3)), ONE))
    assert says["Is it the source?"].count("What it teaches helps, the whole does not. linear probe minus") == 2


def test_a_loss_is_answered_with_no_and_what_does_it():
    says = sentences(answer(results_of(ONE, lambda arm, n: 0.5 if arm.way == "scratch" or n == 1 else 0.4), ONE))
    assert says["Does it help?"] == "Not shown with 1 example per class. No, it does harm with 5 examples per class."
    assert says["What does harm?"].count("With 5 examples per class: ") == 2 and "With 1 " not in says["What does harm?"]
    assert says["What does harm?"].count("6 of 6 seeds") == 2, "a loss is counted by the seeds that lose"


def test_a_method_that_loses_beside_one_that_does_not_is_no_no():
    says = sentences(answer(results_of(ONE, of_ways(linear_probe=0.4)), ONE))
    assert says["Does it help?"] == "Not shown with 1 and 5 examples per class." and "linear probe" in says["What does harm?"]


def test_a_gain_that_holm_takes_back_is_a_perhaps():
    results = results_of(ONE, of_ways(fine_tune=0.503))
    alone = [row.comparison.verdict for row in outcomes(results) if row.method.name == "fine-tune"]
    says = sentences(answer(results, ONE))
    assert "positive" in alone and says["Does it help?"].startswith("Perhaps, with ") and "Yes" not in says["Does it help?"]


def test_nothing_is_answered_with_nothing():
    says = sentences(answer(results_of(ONE, lambda arm, n: 0.5), ONE))
    assert says["Does it help?"] == "Not shown with 1 and 5 examples per class."
    assert "hard to tell from" in says["Which method?"]


def test_the_better_source_is_named():
    results = results_of(TWO, lambda arm, n: 0.7 if arm.source == "cars" and arm.control else 0.5)
    says = sentences(answer(results, TWO))
    assert says["Which source?"].count("cars, ahead of cats") == 2
    with_two = sentences(answer(results_of(TWO, lambda arm, n: 0.7 if arm.control else 0.5), TWO))
    assert "hard to tell from" in with_two["Which source?"]


def test_of_one_seed_nothing_speaks_of_an_interval_or_of_chance():
    text = answer(results_of(ONE, of_ways(linear_probe=0.7), seeds=1), ONE)
    says = sentences(text)
    assert says["Does it help?"] == "Not shown with 1 and 5 examples per class."
    assert (
        says["How sure?"].startswith("With 1 example per class: linear probe, +19.8. With 5 ")
        and "One seed shows no spread" in text
    )
    assert not any(word in text for word in ("[", "?,", "p\u00a0", "interval", "Holm", "seeds"))


def test_networks_that_guess_are_warned_of_above_all_else():
    def known(cats, cars):
        return {
            f"known of {name}": {seed: {"own test": own} for seed in range(6)} for name, own in (("cats", cats), ("cars", cars))
        }

    def tested(name):
        few = pictures(name)
        return dataclasses.replace(few, test=(few.test[0][[0] * 200], np.repeat([0, 1], 100)))

    work = OwnData((tested("cats"), tested("cars")), tested("dogs"), TWO, dict(module.TRAINING))
    assert work.target.is_guessed(0.3) and work.target.is_guessed(0.57) and not work.target.is_guessed(0.58)
    assert pictures("dogs").is_guessed(1.0), "two pictures show nothing"
    assert not list(work.warnings(results_of(TWO, lambda arm, n: 0.6, **known(0.9, 0.9))))
    guessed = results_of(TWO, lambda arm, n: 0.4 if n == 1 else 0.7, **known(0.9, 0.5))
    first, second = work.warnings(guessed)
    assert first.startswith("It is not shown that the networks have learned cars: 50.0% right on its own 200 test pictures")
    assert second.startswith("With 1 example per class no network is shown to be better than a guess, which is right in 50.0%")
    text = answer(guessed, TWO, [first, second])
    assert text.startswith("Beware ") and sentences(text)["Beware"] == f"{first} {second}"


def test_sources_that_show_the_same_number_are_shown_as_ties_and_no_name_is_cut():
    names = ["weathered_photographs_of_birds_from_the_north", "cats"]
    arms = make_arms(("fine-tune",), names)
    scores = {"own test": 0.9, "trial": 0.50001, "LogME": 1.0, "H-score": 1.0, "LEEP": -2.0}
    known = {
        names[0]: dict.fromkeys(range(6), scores),
        names[1]: dict.fromkeys(range(6), scores | {"trial": 0.5, "LEEP": -1.0}),
    }
    table = source_table(results_of(arms, lambda arm, n: 0.5 + 0.2 * (arm.source == "cats")), arms, known)
    assert max(map(len, table.splitlines())) <= COLUMNS
    ranked = " ".join(table.splitlines()[-3:])
    assert f"{names[0]} and cats alike by trial, LogME, H-score; cats by LEEP. Best afterwards: cats." in ranked
    assert names[0] in "".join(line.split("  ")[0] for line in table.splitlines()[1:4])
    equal = results_of(arms, lambda arm, n: 0.5)
    for records in (equal._cells["fine-tune from cats", 5], equal._cells[f"fine-tune from {names[0]}", 5]):
        records.update(dict.fromkeys(records, 0.25))
    assert source_table(equal, arms, known).endswith("cats alike.")


def test_sets_of_one_name_are_told_apart_by_what_they_lie_in(tmp_path):
    def birds(place, name="birds"):
        return dataclasses.replace(pictures(name), place=place and tmp_path / place)

    def told(*sets):
        return [pictures.name for pictures in tell_apart(sets)]

    assert told(birds("a/birds"), birds("b/cats", "cats")) == ["birds", "cats"]
    assert told(birds("a/birds"), birds("b/birds")) == ["a/birds", "b/birds"]
    assert told(birds("x/a/birds"), birds("y/a/birds"), birds("b/birds")) == ["x/a/birds", "y/a/birds", "b/birds"]
    assert told(birds(None), birds("b/birds")) == ["birds", "b/birds"], "a set by its name is that set"
    assert told(birds("a/birds"), birds("a/birds")) == ["birds", "birds"]
    experiment = own_data([birds("a/birds"), birds("b/birds")], birds("c/birds"))
    assert experiment.name == "a-birds_b-birds_to_c-birds" and "a/birds, b/birds" in experiment.question


def test_a_diagnosis_is_legible_in_80_columns(monkeypatch):
    rng = np.random.default_rng(0)
    accuracies = {arm: {seed: 0.4 + 0.2 * rng.random() for seed in range(6)} for arm in ARMS}
    monkeypatch.setattr(module, "diagnose_negative_transfer", lambda *_, **__: diagnosis_of(accuracies, [1.5, 1.7]))
    (section,) = job([pictures("cats")], pictures("dogs")).diagnosis(
        results_of(ONE, lambda arm, n: 0.3 if (arm.way, n) == ("linear probe", 5) else 0.5), None
    )
    assert max(map(len, section.text.splitlines())) <= COLUMNS and "…" not in section.text
    words = set(section.text.split())
    assert {word for contrast in CONTRASTS for word in f"{contrast.question} {contrast.arm}".split()} <= words


def test_sources_are_ranked_by_the_trial_and_each_score_has_its_choice():
    def known(trial, log_me):
        scores = {"own test": 0.9, "trial": trial, "LogME": log_me, "H-score": 1.0, "LEEP": -2.0 + log_me}
        return {seed: scores for seed in range(6)}  # noqa: C420

    results = results_of(TWO, lambda arm, n: 0.7 if arm.source == "cars" and arm.control else 0.5)
    table = source_table(results, TWO, {"cats": known(0.4, 1.5), "cars": known(0.6, 0.5)})
    heads, first, second, *_ = table.splitlines()
    assert heads.split()[0] == "source" and first.startswith("cars") and second.startswith("cats")
    assert "Chosen beforehand: cars by trial; cats by LogME, LEEP; cars and cats alike by H-score. Best" in " ".join(
        table.split()
    ) and table.endswith("afterwards: cars.")
    single = source_table(results, TWO, {"cats": known(None, 1.5)})
    assert (
        " – " in single
        and "Chosen" not in single
        and "on 4 of the 5 labelled pictures of each class of the target, tested on the other 1." in " ".join(single.split())
    )


def test_the_plan_holds_what_decides_the_numbers_and_what_the_target_has():
    source, target = pictures("cats", each=9), pictures("dogs", ("x", "y", "z"), each=6)
    experiment = own_data([source], target)
    assert (experiment.name, experiment.shots, experiment.most_shots) == ("cats_to_dogs", (1, 5), 6)
    assert experiment.configuration["sources"] == {"cats": source.checksum} and experiment.configuration["side"] == 12
    assert source.checksum != pictures("cats", each=9, seed=1).checksum == pictures("other", each=9, seed=1).checksum
    several = own_data([source, pictures("cars")], target)
    assert sum(method.kind == "method" for method in several.methods) == 5  # scratch, and two ways from each
    assert [method.name for method in own_data([source], target, methods=["LP-FT"]).methods][1] == "probe, then fine-tune"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: own_data([pictures("cats"), pictures("cats")], pictures("dogs")), "each set once, got cats, cats"),
        (lambda: choose_ways(["fine-tun"], 1), "'fine-tune', 'linear probe', .* with --source; got 'fine-tun'"),
        (lambda: own_data([pictures("cats")], pictures("dogs"), methods=["x"]), "--methods expects"),
        (
            lambda: read_pictures("nowhere", side=12),
            "nowhere is not a folder: .* has no folder nowhere. And 'nowhere' is not a data set",
        ),
        (
            lambda: read_pictures("nowhere/", side=12),
            "nowhere/ is not a folder: .* has no folder nowhere. And 'nowhere' is not a data set",
        ),
        (lambda: read_pictures("./nowhere", side=12), "^./nowhere is not a folder: .* has no folder nowhere"),
        (lambda: read_pictures("sunspots", side=12), "sunspots has no pictures with one label each"),
    ],
)
def test_what_cannot_be_compared_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_folder_and_a_set_of_the_same_pictures_are_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    digits = read_pictures("digits", side=12)  # the name of a set is the set, whatever lies here
    assert (digits.channels, len(digits.classes), digits.train[0].shape) == (1, 10, (1000, 12, 12, 1))
    for i, (picture, label) in enumerate(zip(*digits.train, strict=True)):
        if i < 100:
            folder = tmp_path / "digits" / "train" / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture[..., 0]).save(folder / f"{i:03}.png")
            (tmp_path / "digits" / "test" / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture[..., 0]).save(tmp_path / "digits" / "test" / str(label) / f"{i:03}.png")
    folder = read_pictures("./digits", side=12)
    assert folder.name == "digits" and len(folder.train[1]) == 100 and folder.place == tmp_path / "digits"
    (tmp_path / "link").symlink_to("digits")
    assert read_pictures("link", side=12).name == "link"
    with pytest.raises(ValueError, match=r"^digits/tran is not a folder: .*digits has no folder tran; did you mean train\?$"):
        read_pictures("digits/tran", side=12)  # and not a data set of that name

    def together(set_of_pictures):
        return {(picture.tobytes(), int(label)) for picture, label in zip(*set_of_pictures, strict=True)}

    assert together(folder.train) == together(folder.test) == together((digits.train[0][:100], digits.train[1][:100]))


def same(first, second):
    """Whether two tuples hold the same arrays."""
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def rows(x):
    return {row.tobytes() for row in x}


def job(sources, target):
    return OwnData(tuple(sources), target, ONE, dict(module.TRAINING))


def test_pictures_that_were_seen_before_the_test_are_counted():
    source, target = pictures("cats", each=9), pictures("dogs", seed=3)
    target.train[0][3] = target.test[0][0]
    source.train[0][2:4] = target.test[0][1]
    source.train[0][4:7] = target.train[0][5:8]
    beware = [note for note in job([source], target).notes() if "Beware" in note]
    assert [note.split(":")[1].split(",")[0] for note in beware] == [
        " cats has 1 of the test pictures of dogs",
        " cats has 3 of the pictures that dogs has to learn from",
        " dogs has 1 of its test pictures among those to learn from",
    ]
    assert not any("Beware" in note for note in job([pictures("cars", seed=5)], pictures("dogs", seed=6)).notes())


def test_the_same_pictures_are_the_same_whether_stored_in_grey_or_in_colour():
    grey, colour = pictures("grey").train[0], pictures("colour", channels=3, seed=1).train[0]
    colour[2:5] = grey[:3]
    assert same_pictures(grey, colour) == same_pictures(colour, grey) == 3
    assert same_pictures(grey, grey[:, :6, :6]) == 0


def test_classes_of_one_name_have_one_number_in_the_diagnosis():
    source = pictures("cats", ("lion", "b", "a", "tiger"), each=2)
    _, labels = job([source], pictures("dogs", ("a", "b", "c"))).with_names_of_target(source)
    assert labels.reshape(4, 2)[:, 0].tolist() == [2, 1, 0, 3]


def test_a_diagnosis_is_made_where_a_method_lost_and_only_there(monkeypatch, capsys):
    asked = []

    def diagnose(make_model, source, target, test, **options):
        asked.append((capsys.readouterr().out, options))
        return "found out"

    monkeypatch.setattr(module, "diagnose_negative_transfer", diagnose)
    work = job([pictures("cats")], pictures("dogs"))
    lost = results_of(ONE, lambda arm, n: 0.3 if (arm.way, n) == ("linear probe", 5) else 0.5)
    (section,) = work.diagnosis(lost, None)
    assert section.title == "What may be wrong with cats? (linear probe loses, with 5 examples per class)"
    assert section.text == "found out"
    printed, options = asked[0]
    assert printed.startswith("linear probe loses, with 5 examples per class: ") and len(printed.splitlines()) == 1
    assert (options["shots"], options["seeds"]) == (5, (0, 1, 2, 3, 4, 5))
    assert not list(work.diagnosis(results_of(ONE, lambda arm, n: 0.5), None))
    controls_lose = results_of(ONE, lambda arm, n: 0.3 if arm.way in ("random features", "shuffled labels") else 0.5)
    assert not list(work.diagnosis(controls_lose, None)) and len(asked) == 1 and not capsys.readouterr().out


def test_a_killed_diagnosis_goes_on_where_it_was_and_is_not_mixed_with_another(monkeypatch, tmp_path):
    given, trial = [], {"accuracies": {"scratch": 0.1 + 0.2}, "distance": 1.5}

    def killed(*_, kept, on_seed, **__):
        given.append(dict(kept))
        on_seed(len(kept), trial)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "diagnose_negative_transfer", killed)
    work = job([pictures("cats")], pictures("dogs"))
    for n in (5, 5, 1):
        lost = results_of(ONE, lambda arm, shots, n=n: 0.3 if (arm.way, shots) == ("linear probe", n) else 0.5)
        with pytest.raises(KeyboardInterrupt):
            list(work.diagnosis(lost, tmp_path))
    assert given == [{}, {0: trial}, {}]


def test_a_diagnosis_says_whether_the_method_that_lost_is_among_its_runs_and_its_error_is_no_end(monkeypatch):
    arms = make_arms(("prototypes",), ["cats"])
    work = OwnData((pictures("cats"),), pictures("dogs"), arms, dict(module.TRAINING))
    lost = results_of(arms, lambda arm, n: 0.3 if arm.way == "prototypes" else 0.5)
    monkeypatch.setattr(module, "diagnose_negative_transfer", lambda *_, **__: "found out")
    (section,) = work.diagnosis(lost, None)
    assert section.text.splitlines()[1:] == ["prototypes itself is not among these runs; they tell of the same source."]

    def refuse(*_, **__):
        raise ValueError("too few of them")

    monkeypatch.setattr(module, "diagnose_negative_transfer", refuse)
    (section,) = work.diagnosis(lost, None)
    assert "cats" in section.title and section.text == "No diagnosis could be made: too few of them"


def test_each_arm_begins_with_the_source_it_is_named_after_and_the_trial_is_tested_on_what_it_has_not_seen(monkeypatch):
    """Nothing is trained: who would be gets a number of its own into its first kernel, and is known by it afterwards."""
    events, numbers = [], count(1.0)

    def number_of(model):
        return float(np.ravel(model.conv1.kernel[...])[0])

    def recorded(kind):
        def call(model, x, y, **_):
            before, kernel = number_of(model), model.conv1.kernel
            if kind != "evaluate":
                kernel[...] = np.full(kernel.shape, next(numbers), np.float32)
            events.append((kind, before, number_of(model), x, y))
            return 0.5

        return call

    for kind in ("fine_tune", "linear_probe", "evaluate"):
        monkeypatch.setattr(module, kind, recorded(kind))
    monkeypatch.setattr(module, "extract_features", lambda model, x: x.reshape(len(x), -1)[:, :3])
    monkeypatch.setattr(module, "predict", lambda model, x: x.reshape(len(x), -1)[:, :2])
    sources = {"cats": pictures("cats"), "cars": pictures("cars", seed=1)}
    dogs = pictures("dogs", seed=2)
    work = OwnData(tuple(sources.values()), dogs, TWO, dict(module.TRAINING))
    untrained, (few_x, few_y) = number_of(work.untrained(0, 2)), work.few(0, 5)
    happened = {}  # until the number of an arm came, or what is known of a source
    for item in work.run_seed(0, (5,), frozenset(arm.name for arm in TWO)):
        happened[item.name if isinstance(item, Detail) else item[1]] = events.copy()
        events.clear()

    learned = {}  # number → what was learned by the network that bears it
    for arm in TWO:
        *pretraining, (kind, begun, ended, x, y), (_, tested, _, test_x, test_y) = happened[arm.name]
        learned |= {after: (x, y) for _, before, after, x, y in pretraining if before == untrained}
        assert kind == ("linear_probe" if arm.way in ("linear probe", "random features") else "fine_tune"), arm.name
        assert same((x, y), (few_x, few_y)) and tested == ended and same((test_x, test_y), dogs.floats("test", 1)), arm.name
        if arm.source is None:
            assert begun == untrained, arm.name
            continue
        (x, y), (source_x, source_y) = learned[begun], sources[arm.source].floats("train", 1)
        assert same((x,), (source_x,)) and same((np.sort(y),), (source_y,)), arm.name
        assert same((y,), (source_y,)) != (arm.way == "shuffled labels"), arm.name
    assert len(learned) == 4
    for name, source in sources.items():
        (_, begun, ended, x, y), (_, tested, _, held_x, held_y), (_, own, _, own_x, own_y) = happened[f"known of {name}"]
        assert begun == own and tested == ended and same(learned[begun], source.floats("train", 1)), name
        assert same((own_x, own_y), source.floats("test", 1)), name
        assert not rows(x) & rows(held_x) and rows(x) | rows(held_x) == rows(few_x), name
        assert np.bincount(y).tolist() == [4, 4] and np.bincount(held_y).tolist() == [1, 1], name


def test_the_first_lines_are_legible_on_a_narrow_terminal():
    from transfer.report import results_table

    results = results_of(ONE, of_ways(linear_probe=0.7))
    results.answer = answer(results, ONE)
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(results_table(results))
    text = console.file.getvalue()
    assert text.index("Does it help?") < text.index("wins") and max(map(len, text.splitlines())) <= 100
