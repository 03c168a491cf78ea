"""`load`: the one door to data.

Every set, ours or one of TFDS's, is kept as array records: the format that TFDS reads at random without TensorFlow.
"""

from pathlib import Path

from nn.data.dataset import Dataset
from nn.data.preparation import data_directory, ready


def load(name: str, split: str = "train", *, data_dir: str | Path | None = None) -> Dataset:
    """A data set by name, prepared first where it is not.

    Args:
      name: one of `nn.data.OURS`, as `digits` (made on the spot), or a name of TFDS, as `fashion_mnist` (downloaded).
      split: `train`, `test` or what the set has; parts and sums in TFDS's notation: `train[:80%]`, `train+test`.
        Our sets of classes are stored in a balanced order: `train[:100]` has of each class what is due to it in 100; our
        series are stored in the order of time.
      data_dir: where sets are kept; else NN_DATA_DIR, else TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Returns:
      Examples with `image` (height, width, channels) uint8 and `label` () int64; of a series `year` and `value`, () float64;
      of other sets, what they have.
      Label names are `info.features["label"].names`.

    Raises:
      ValueError: there is no such set, or no such split.
      DataNotPreparedError: it is not in the data directory, and cannot be downloaded or written.
    """
    builder = ready(name, data_directory(data_dir))
    try:
        source = builder.as_data_source(split)
    except ValueError:
        splits = ", ".join(builder.info.splits)
        raise ValueError(
            f"{name} has the splits {splits}; load expects one, a part of one ('train[:80%]') or a sum "
            f"('train+test') that holds an example, got {split!r}."
        ) from None
    return Dataset(source, info=builder.info)
