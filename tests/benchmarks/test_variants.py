"""The variants are those that they say they are."""

from dataclasses import replace

import pytest

from benchmarks import variants
from benchmarks.report import variant_table
from stepgrad import nn, optim


def test_every_variant_has_whole_batches():
    for name in variants.VARIANTS:
        chosen = replace(variants.variant(name))
        workload = chosen.workload
        assert workload.rows == workload.steps * workload.batch
        if workload.layers[0] < 100:
            inputs, targets = chosen.batches()
            assert inputs.shape == (workload.steps, workload.batch, workload.layers[0])
            assert len(targets) == workload.steps
            assert inputs.dtype == chosen.dtype


@pytest.mark.parametrize("name", ["xor norm", "xor momentum", "xor float64", "xor 1"])
def test_stepgrad_trains_them(name):
    training = variants.Stepgrad(variants.variant(name))
    kinds = [type(layer) for layer in training.model]
    assert (nn.BatchNorm1d in kinds) is (nn.Dropout in kinds) is (name == "xor norm")
    assert kinds[-1] is nn.Linear
    assert (type(training.optimizer) is optim.SGD) is (name == "xor momentum")
    before = training.model[0].weight.tolist()
    training.epoch()
    assert training.model[0].weight.tolist() != before
    assert training.compiled.programs


def test_the_table_compares_with_the_best_other_peer():
    def result(median):
        return {"median": median, "low": median, "high": median}

    table = variant_table({"tab 16": {"stepgrad": result(10), "jax": result(15), "torch": result(300)}})
    assert table[1] == ["tab, batch 16", "10.0", "15.0", "300", "–", "1.50×"]
