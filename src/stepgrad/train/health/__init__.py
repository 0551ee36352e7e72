"""Health: what goes wrong in training, with its numbers, its cause, and a change that is tried on a copy."""

from stepgrad.train.health.check import Health, health
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.measure import Measurement, measure
from stepgrad.train.health.slopes import sensitivity
from stepgrad.train.health.trial import Trial

__all__ = ["Finding", "Health", "Measurement", "Trial", "health", "measure", "sensitivity"]
