"""Prepare TFDS's own sets without TensorFlow.

TFDS *reads* sets without TensorFlow, but many of its builders open their files with `tf.io.gfile` and hand over images
as arrays, which TFDS encodes with TensorFlow. Here Python opens the files and Pillow encodes; the rest is TFDS's.
"""

import contextlib
import glob
import logging
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import downloader

from nn.data.builders import encode

NETWORK_ERRORS = (requests.exceptions.RequestException, ConnectionError, TimeoutError, tfds.download.DownloadError)

FILES = SimpleNamespace(GFile=open, Open=open, exists=os.path.exists, isdir=os.path.isdir, listdir=os.listdir, glob=glob.glob)


def download_and_prepare(builder: tfds.core.DatasetBuilder) -> None:
    """Download a stock set and write it to the builder's directory, with TFDS's progress bars.

    Raises:
      NETWORK_ERRORS: what is downloaded cannot be had.
      ModuleNotFoundError: the builder needs TensorFlow for more than files and images, and there is none.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(patience(3))
        if find_spec("tensorflow") is None:
            stack.enter_context(without_tensorflow(builder))
        builder.download_and_prepare()


@contextlib.contextmanager
def patience(retries: int) -> Iterator[None]:
    """TFDS tries ten times, minutes in all, and logs each: too long to be told that there is no network."""
    log = logging.getLogger("urllib3.connectionpool")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with mock.patch.object(downloader, "MAX_RETRIES", retries):
            yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def without_tensorflow(builder: Any) -> Iterator[None]:
    """While it lasts, the builder's module finds plain files where it looks for `tf`, and its images come encoded."""
    generate = builder._generate_examples

    def generate_encoded(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        for key, example in generate(*args, **kwargs):
            yield key, {name: encoded(value, builder.info.features[name]) for name, value in example.items()}

    module = sys.modules[type(builder).__module__]
    stand_in = SimpleNamespace(io=SimpleNamespace(gfile=FILES))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(builder, "_generate_examples", generate_encoded))
        if hasattr(module, "tf"):
            stack.enter_context(mock.patch.object(module, "tf", stand_in))
        try:
            yield
        except AttributeError as error:
            if getattr(error, "obj", None) in (stand_in, stand_in.io, FILES):
                raise ModuleNotFoundError(f"tensorflow ({error.name})", name="tensorflow") from error
            raise


def encoded(value: Any, feature: Any) -> Any:
    """An image given as uint8 pixels (height, width, channels) becomes a file; all else stays as it is."""
    if not (isinstance(feature, tfds.features.Image) and isinstance(value, np.ndarray)):
        return value
    return encode(value, feature.encoding_format or "png")
