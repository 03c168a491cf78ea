"""Every experiment by its name, as the command line knows it."""

from transfer.experiments.domain_shift import DOMAIN_SHIFT
from transfer.experiments.few_labels import FEW_LABELS
from transfer.experiments.how_much_moves import FINE_TUNING, FINE_TUNING_ELSEWHERE
from transfer.experiments.negative_transfer import NEGATIVE_TRANSFER
from transfer.experiments.source_choice import SOURCE_CHOICE
from transfer.experiments.two_tasks import TWO_TASKS
from transfer.experiments.zero_shot import ZERO_SHOT

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        FEW_LABELS,
        NEGATIVE_TRANSFER,
        FINE_TUNING,
        FINE_TUNING_ELSEWHERE,
        SOURCE_CHOICE,
        DOMAIN_SHIFT,
        TWO_TASKS,
        ZERO_SHOT,
    )
}
