"""Transfer learning, measured honestly: reuse what one task taught for another, and know whether it helped."""

from transfer.few_shot import class_prototypes as class_prototypes
from transfer.few_shot import prototype_accuracy as prototype_accuracy
from transfer.few_shot import prototype_logits as prototype_logits
from transfer.few_shot import unit_length as unit_length
from transfer.fine_tuning import extract_features as extract_features
from transfer.fine_tuning import fine_tune as fine_tune
from transfer.fine_tuning import linear_probe as linear_probe
from transfer.fine_tuning import replace_head as replace_head
from transfer.freezing import freeze as freeze
from transfer.freezing import trainable_filter as trainable_filter
from transfer.negative_transfer import JointBatches as JointBatches
from transfer.negative_transfer import shift_labels as shift_labels
