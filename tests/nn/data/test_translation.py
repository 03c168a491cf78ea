import numpy as np
import pytest

from nn.data import load
from nn.data.catalogue import BUILDERS
from nn.data.translation import entries, pairs, same_thing

NAMES = ("country_names", "english_ukrainian")


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """name -> (train, test)"""
    folder = tmp_path_factory.mktemp("data")
    return {name: tuple(load(name, split, data_dir=folder) for split in ("train", "test")) for name in NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_named_is_in_both_splits(name, splits):
    kinds = BUILDERS[name].KINDS
    train, test = ({english for english, _ in pairs(part)} for part in splits[name])
    for kind in kinds:
        for names in entries(kind):
            assert not (train.intersection(names) and test.intersection(names)), names
    thing = same_thing(kinds)
    assert {thing[english] for english in train}.isdisjoint(thing[english] for english in test)
    assert 0.15 < len(test) / (len(train) + len(test)) < 0.25


@pytest.mark.slow
def test_translations_are_those_of_their_language(splits):
    both = [part for name in NAMES for part in splits[name]]
    countries = [pair for part in both[:2] for pair in pairs(part, "de")]
    assert ("Germany", "Deutschland") in countries and len(countries) > 400
    countries = [pair for part in both[:2] for pair in pairs(part, "fr")]
    assert ("Germany", "Allemagne") in countries and ("Spain", "Espagne") in countries
    names = [pair for part in both[2:] for pair in pairs(part)]
    assert ("Albanian", "албанська") in names and len(names) > 9000
    assert all(english and translation for english, translation in names)
    assert len(set(names)) == len(names), "no pair is there twice"


@pytest.mark.slow
def test_every_beginning_has_its_share_of_each_language(splits):
    train, _ = splits["country_names"]
    languages = train.info.features["language"].names
    counts = np.bincount(train.arrays()["language"][: 10 * len(languages)], minlength=len(languages))
    assert counts.min() >= 9 and counts.max() <= 11


@pytest.mark.slow
def test_a_language_that_is_not_there_is_answered_with_those_that_are(splits):
    with pytest.raises(ValueError, match=r"pairs expects one of the languages uk, got 'de'\."):
        pairs(splits["english_ukrainian"][0], "de")


def test_all_names_of_a_thing_stand_together():
    thing = same_thing(["country", "language", "script"])
    assert thing["Peru"] == thing["Republic of Peru"]
    assert thing["Sami, Kemi"] == thing["Kemi Sami"]
    assert thing["Peru"] != thing["Chile"] and thing["Kemi Sami"] != thing["Lule Sami"]
    every = {name for kind in ("country", "language", "script") for names in entries(kind) for name in names}
    assert set(thing) == every and set(thing.values()) <= every
