"""Named experiments, one file each; lessons, the command line and the tests all run these same functions."""

from transfer.experiments.experiment import Experiment as Experiment
from transfer.experiments.experiment import run as run
from transfer.experiments.few_labels import FEW_LABELS as FEW_LABELS
from transfer.experiments.negative_transfer import NEGATIVE_TRANSFER as NEGATIVE_TRANSFER
from transfer.experiments.registry import EXPERIMENTS as EXPERIMENTS
