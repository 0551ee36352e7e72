"""The benchmark's guard: a peer that trains another network than it should is found, ours is not."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers import load_peer
from benchmarks.peers.numpy_by_hand import Training, loss_and_gradient
from benchmarks.steps import disagreement, time_epochs
from benchmarks.workloads import WORKLOADS, Workload


def loss_after_an_epoch(training, workload):
    training.reset()
    training.epoch()
    return Training(WORKLOADS[workload], np.float64).mean_loss(training.weights())


@pytest.mark.parametrize("workload", ["xor", "tab", pytest.param("digits", marks=pytest.mark.slow)])
@pytest.mark.parametrize("peer", ["numpy_by_hand", "stepgrad_eager"])
def test_peers_agree_with_the_reference_also_after_a_reset(peer, workload):
    training = load_peer(peer).Training(WORKLOADS[workload])
    first = loss_after_an_epoch(training, workload)
    assert disagreement(peer, WORKLOADS[workload], first) is None
    assert loss_after_an_epoch(training, workload) == first


@pytest.mark.parametrize("workload", ["xor", "tab"])
@pytest.mark.parametrize("planted", ["rate", "momentum", "untrained biases", "missing batch"])
def test_a_planted_mistake_is_found(workload, planted, monkeypatch):
    training = Training(WORKLOADS[workload])
    update = training.update
    if planted == "rate":
        training.workload = replace(training.workload, learning_rate=1.1e-3)
    elif planted == "momentum":
        training.workload = replace(training.workload, betas=(0.8, 0.999))
    elif planted == "untrained biases":
        monkeypatch.setattr(training, "update", lambda found: update([g * (g.ndim - 1) for g in found]))
    else:
        del training.batches[-1]
    message = disagreement("numpy_by_hand", WORKLOADS[workload], loss_after_an_epoch(training, workload))
    assert message is not None
    assert "after one epoch, the reference" in message


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("channels", [(), (1, 2, 4)])
def test_the_derivatives_written_by_hand_are_slopes(channels, activation, outputs):
    layers = (4, 5, 6, outputs)
    workload = Workload("little", layers, activation, batch=7, rows=7, channels=channels, side=4)
    training = Training(workload, np.float64)
    inputs, targets = training.batches[0]

    def loss():
        return loss_and_gradient(training.forward(inputs)[-1], targets)[0]

    values = training.forward(inputs)
    gradients = training.gradients(values, loss_and_gradient(values[-1], targets)[1])
    generator = np.random.default_rng(0)
    for parameter, gradient in zip(training.parameters, gradients, strict=True):
        direction = 1e-6 * generator.standard_normal(parameter.shape)
        parameter += direction
        above = loss()
        parameter -= 2 * direction
        below = loss()
        parameter += direction
        assert (above - below) / 2 == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-14)


def test_timing_resets_before_numbers_grow_too_small():
    class Counting:
        resets = epochs = 0

        def reset(self):
            self.resets += 1

        def epoch(self):
            self.epochs += 1

    training = Counting()
    epochs, spent = time_epochs(training, 1e-3)
    assert spent >= 1e-3
    assert epochs == training.epochs
    assert training.resets == -(-epochs // 20)
