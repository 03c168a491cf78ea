import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.data import Dataset
from nn.data import dataset as dataset_module


def numbered(count):
    return Dataset.from_arrays({"image": np.arange(count * 4).reshape(count, 2, 2), "label": np.arange(count)})


class Reads:
    """Examples that note which of them were read."""

    def __init__(self, count):
        self.count, self.read = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.read.append(index)
        return {"label": index}


def labels(batches):
    return [batch["label"].tolist() for batch in batches]


sizes = st.tuples(st.integers(1, 20), st.integers(1, 20)).filter(lambda pair: pair[0] >= pair[1])


@given(sizes, st.integers(0, 9), st.integers(1, 4))
def test_every_epoch_holds_every_example_once(size, seed, epochs):
    count, batch_size = size
    batches = numbered(count).batches(batch_size, seed=seed, epochs=epochs, drop_remainder=False)
    seen = list(itertools.chain.from_iterable(labels(batches)))
    for epoch in range(epochs):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


@given(sizes, st.integers(0, 9), st.integers(1, 4), st.booleans(), st.data())
def test_beginning_at_a_step_is_skipping_the_steps_before_it(size, seed, epochs, drop_remainder, data):
    count, batch_size = size
    batches = numbered(count).batches(batch_size, seed=seed, epochs=epochs, drop_remainder=drop_remainder)
    step = data.draw(st.integers(0, len(batches)))
    assert labels(batches.from_step(step)) == labels(batches)[step:]
    assert len(batches.from_step(step)) == len(batches) - step
    assert labels(batches.from_step(len(batches)).from_step(step)) == labels(batches)[step:]


def test_beginning_late_reads_nothing_of_what_came_before(monkeypatch):
    monkeypatch.setattr(dataset_module, "IN_MEMORY", 0)
    examples = Reads(100)
    stream = iter(Dataset(examples).batches(10, seed=0).from_step(10**9))
    examples.read.clear()
    batch = next(stream)
    assert sorted(batch["label"].tolist()) == sorted(set(examples.read)) and len(batch["label"]) == 10


def test_a_set_too_large_for_memory_gives_the_same_batches(monkeypatch):
    expected = labels(Dataset(Reads(50)).batches(8, seed=3, epochs=2))
    monkeypatch.setattr(dataset_module, "IN_MEMORY", 0)
    assert labels(Dataset(Reads(50)).batches(8, seed=3, epochs=2)) == expected


def test_a_seed_decides_the_order_and_epochs_differ():
    def first_two_epochs(seed):
        return labels(numbered(40).batches(40, seed=seed, epochs=2))

    assert first_two_epochs(1) == first_two_epochs(1)
    assert first_two_epochs(1) != first_two_epochs(2)
    assert first_two_epochs(1)[0] != first_two_epochs(1)[1]


def test_the_global_random_state_has_no_say():
    np.random.seed(0)
    expected = labels(numbered(9).batches(3, seed=5, epochs=1))
    np.random.seed(1)
    assert labels(numbered(9).batches(3, seed=5, epochs=1)) == expected


def test_without_a_seed_the_order_stays():
    assert labels(numbered(5).batches(2, seed=None, epochs=1, drop_remainder=False)) == [[0, 1], [2, 3], [4]]


def test_without_epochs_there_is_no_end():
    batches = numbered(4).batches(4, seed=0)
    assert len(list(itertools.islice(batches, 25))) == 25
    with pytest.raises(TypeError, match="have no end"):
        len(batches)


def test_columns_stay_together():
    for batch in numbered(30).batches(7, seed=0, epochs=2):
        np.testing.assert_array_equal(batch["image"][:, 0, 0], 4 * batch["label"])


def test_changing_a_batch_leaves_the_set_as_it_is():
    dataset = numbered(6)
    for batch in dataset.batches(3, seed=None, epochs=1):
        batch["label"][:] = -1
    np.testing.assert_array_equal(dataset.arrays()["label"], np.arange(6))
    with pytest.raises(ValueError, match="read-only"):
        dataset.arrays()["label"][0] = 7


@given(st.lists(st.integers(-8, 7), max_size=12), st.booleans())
def test_selecting_twice_is_selecting_from_the_selection(chosen, loaded):
    dataset = numbered(8) if loaded else Dataset(Reads(8))
    once = dataset.select(chosen)
    assert [int(example["label"]) for example in once] == [i % 8 for i in chosen]
    again = once.select(range(0, len(once), 2))
    assert [int(example["label"]) for example in again] == [i % 8 for i in chosen][::2]


def test_arrays_are_decoded_once():
    examples = Reads(20)
    dataset = Dataset(examples)
    dataset.arrays()
    examples.read.clear()
    dataset.arrays(), dataset[3], dataset.select([1]).arrays(), list(dataset.batches(4, seed=0, epochs=1))
    assert examples.read == []


def test_examples_are_those_of_the_arrays():
    dataset = numbered(5)
    for i in (0, 4, -1, np.int64(2)):
        np.testing.assert_array_equal(dataset[i]["image"], dataset.arrays()["image"][i])
    assert len(list(dataset)) == 5


def test_text_keeps_its_last_zero_byte():
    texts = Dataset([{"text": b"ab\0"}, {"text": b"a"}])
    assert texts.arrays()["text"].tolist() == [b"ab\0", b"a"]


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": 0}, "batch_size of at least 1, got 0"),
            ({"batch_size": 6}, "batch_size of at most 5, the size of the set, got 6; with drop_remainder=False"),
            ({"batch_size": 2, "epochs": 0}, "epochs of at least 1, or None for no end, got 0"),
            ({"batch_size": 2, "seed": -1}, "a seed of at least 0, or None for the stored order, got -1"),
        ],
    )
    def test_batches(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            numbered(5).batches(**{"seed": 0, **arguments})

    def test_batches_of_nothing(self):
        with pytest.raises(ValueError, match="a set with examples, got an empty one"):
            numbered(5).select([]).batches(1, seed=0)

    def test_the_seed_is_asked_for(self):
        with pytest.raises(TypeError, match="seed"):
            numbered(5).batches(2)

    @pytest.mark.parametrize("step", [-1, 5])
    def test_a_step_that_is_not_there(self, step):
        with pytest.raises(ValueError, match=rf"from_step expects a step from 0 to 4, got {step}"):
            numbered(5).batches(2, seed=0, epochs=2).from_step(step)

    @pytest.mark.parametrize("index", [5, -6])
    def test_an_index_that_is_not_there(self, index):
        with pytest.raises(IndexError, match=rf"Dataset has 5 examples, got index {index}"):
            numbered(5)[index]
        with pytest.raises(IndexError, match=rf"Dataset has 5 examples, got index {index}"):
            numbered(5).select([0, index])

    def test_a_mask_is_no_list_of_indices(self):
        with pytest.raises(ValueError, match=r"integers along one axis, got shape \(5,\) of bool"):
            numbered(5).select(np.ones(5, bool))

    def test_arrays_of_different_lengths(self):
        with pytest.raises(ValueError, match=r"arrays of one length, got {'image': 3, 'label': 2}"):
            Dataset.from_arrays({"image": np.zeros((3, 2)), "label": np.zeros(2)})

    @pytest.mark.parametrize("arrays", [{}, {"label": 3}])
    def test_arrays_without_examples(self, arrays):
        with pytest.raises(ValueError, match="arrays with an axis of examples"):
            Dataset.from_arrays(arrays)

    def test_examples_that_do_not_stack(self):
        ragged = Dataset([{"image": np.zeros((2, 2))}, {"image": np.zeros((2, 3))}])
        with pytest.raises(ValueError, match=r"one shape to stack 'image', got \[\(2, 2\), \(2, 3\)\]"):
            ragged.arrays()
