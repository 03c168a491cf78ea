"""The one door to data: sets by name, and their batches.

Everything is a set of TensorFlow Datasets (TFDS), so what a student learns here opens hundreds of others. TensorFlow
itself is not needed.
"""

from nn.data.bucketing import pad_to_bucket
from nn.data.dataset import Batches, Dataset
from nn.data.images import as_images, as_vectors
from nn.data.loading import load
from nn.data.preparation import OURS, DataNotPreparedError, data_directory, is_prepared, prepare

__all__ = [
    "OURS",
    "Batches",
    "DataNotPreparedError",
    "Dataset",
    "as_images",
    "as_vectors",
    "data_directory",
    "is_prepared",
    "load",
    "pad_to_bucket",
    "prepare",
]
