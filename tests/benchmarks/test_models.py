"""The guard of the benchmark of models: ours train what the reference trains, a mistake is found."""

import pytest

from benchmarks.models import MODELS, disagreement, training_of


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["stepgrad_eager", "stepgrad_compiled"])
@pytest.mark.parametrize("model", MODELS)
def test_our_peers_agree_with_the_reference_also_after_a_reset(model, peer):
    training = training_of(peer, model)
    for _ in range(2):
        training.reset()
        training.epoch()
        assert disagreement(model, training.mean_loss()) is None


@pytest.mark.slow
def test_a_planted_mistake_is_found():
    training = training_of("stepgrad_eager", "lstm")
    training.reset()
    training.optimizer.param_groups[0]["lr"] = 1.3e-3
    training.epoch()
    assert "after one epoch, the reference" in disagreement("lstm", training.mean_loss())


@pytest.mark.oracle
@pytest.mark.parametrize("model", MODELS)
def test_pytorch_agrees(model):
    training = training_of("torch_eager", model)
    training.reset()
    training.epoch()
    assert disagreement(model, training.mean_loss()) is None
