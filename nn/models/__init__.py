"""Whole networks, each with the frozen config that describes it."""

from nn.models.classifier import Classifier as Classifier
from nn.models.mlp import MLP as MLP
from nn.models.mlp import MLPConfig as MLPConfig
