"""Weights of a fixed norm and parametrizations: what is trained, what is computed, and back again."""

import copy

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, MissingNameError, ShapeError
from stepgrad.nn.utils import parametrizations, parametrize

X = sg.tensor(np.random.default_rng(0).normal(size=(5, 4)))


def layer(seed: int = 0) -> nn.Linear:
    sg.manual_seed(seed)
    return nn.Linear(4, 3, dtype=sg.float64)


WEIGHT_NORMS = {
    "before": (nn.utils.weight_norm, ["weight_g", "weight_v"]),
    "parametrization": (
        parametrizations.weight_norm,
        ["parametrizations.weight.original0", "parametrizations.weight.original1"],
    ),
}
SPECTRAL_NORMS = {
    "before": (nn.utils.spectral_norm, ["weight_orig", "weight_u", "weight_v"]),
    "parametrization": (
        parametrizations.spectral_norm,
        ["parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"],
    ),
}


@pytest.mark.parametrize("form", WEIGHT_NORMS)
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_leaves_the_layer_as_it_was_and_trains_norm_and_direction(form, dim):
    make, names = WEIGHT_NORMS[form]
    plain, net = layer(), make(layer(), dim=dim)
    np.testing.assert_allclose(net(X).detach().numpy(), plain(X).detach().numpy())
    assert list(net.state_dict()) == ["bias", *names]
    assert net.state_dict()[names[0]].shape == {0: (3, 1), 1: (1, 4), None: ()}[dim]
    with sg.no_grad():
        net.get_parameter(names[0]).mul_(2)
        net.get_parameter(names[1]).mul_(7)
    expected = 2 * (plain(X) - plain.bias) + plain.bias
    np.testing.assert_allclose(net(X).detach().numpy(), expected.detach().numpy())
    net(X).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("form", SPECTRAL_NORMS)
def test_spectral_norm_makes_the_largest_singular_value_1(form):
    make, names = SPECTRAL_NORMS[form]
    net = make(layer(), n_power_iterations=5)
    assert list(net.state_dict()) == ["bias", *names]
    for _ in range(20):
        net(X)
    assert np.linalg.svd(net.weight.detach().numpy())[1][0] == pytest.approx(1)
    before = net.state_dict()[names[1]].tolist()
    net.eval()(X)
    assert net.state_dict()[names[1]].tolist() == before
    net(X).sum().backward()
    assert net.get_parameter(names[0]).grad is not None


@pytest.mark.parametrize(
    "make",
    [
        nn.utils.spectral_norm,
        parametrizations.spectral_norm,
        nn.utils.weight_norm,
        parametrizations.weight_norm,
    ],
)
def test_they_train_eager_and_compiled(make):
    def losses(compiled: bool) -> list[float]:
        net = make(layer())
        optimizer = sg.optim.SGD(net.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = sg.compile(step) if compiled else step
        return [run(X).item() for _ in range(4)]

    eager = losses(False)
    assert len(set(eager)) == 4
    assert losses(True) == pytest.approx(eager, rel=1e-9)


@pytest.mark.parametrize(
    "make, remove",
    [
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    ],
)
def test_back_to_an_ordinary_weight(make, remove):
    net = make(layer()).eval()
    y = net(X)
    remove(net)
    assert sorted(net.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(net(X).detach().numpy(), y.detach().numpy())
    with pytest.raises(ArgumentError, match="'weight' of Linear is not computed by"):
        remove(net)


def test_copies_are_independent():
    net = nn.utils.weight_norm(layer())
    copied = copy.deepcopy(net)
    nn.utils.remove_weight_norm(net)
    np.testing.assert_allclose(copied(X).detach().numpy(), net(X).detach().numpy())
    assert "weight_g" in copied.state_dict()
    assert repr(copied) == "Linear(in_features=4, out_features=3, bias=True)"


def test_two_weights_of_one_module():
    net = nn.utils.weight_norm(nn.utils.weight_norm(nn.Bilinear(2, 3, 4)), "bias", dim=None)
    assert sorted(net.state_dict()) == ["bias_g", "bias_v", "weight_g", "weight_v"]
    nn.utils.remove_weight_norm(nn.utils.remove_weight_norm(net), "bias")
    assert type(net) is nn.Bilinear


def test_a_file_says_that_such_a_weight_is_not_what_the_constructor_makes(tmp_path):
    with pytest.raises(ArgumentError, match=r"the model cannot be rebuilt .* Or save the weights alone"):
        sg.save(nn.utils.weight_norm(layer()), tmp_path / "m.safetensors")


def test_a_convolution_that_is_transposed_is_cut_along_its_outputs():
    net = nn.utils.spectral_norm(nn.ConvTranspose2d(2, 5, 3))
    assert net.weight_u.shape == (5,)
    assert nn.utils.spectral_norm(nn.Conv2d(2, 5, 3)).weight_u.shape == (5,)


def test_what_they_refuse():
    for make in (nn.utils.weight_norm, nn.utils.spectral_norm, parametrizations.spectral_norm):
        with pytest.raises(MissingNameError, match="Linear has no parameter 'wieght'"):
            make(layer(), "wieght")
    with pytest.raises(ArgumentError, match="needs one iteration at least, not 0"):
        nn.utils.spectral_norm(layer(), n_power_iterations=0)


# ------------------------------------------------------------------------------------- parametrizations


class Symmetric(nn.Module):
    def forward(self, x):
        return (x + x.T) / 2


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


def square() -> nn.Linear:
    sg.manual_seed(0)
    return nn.Linear(4, 4, dtype=sg.float64)


def test_a_parametrized_weight_is_computed_and_its_original_trained():
    net = parametrize.register_parametrization(square(), "weight", Symmetric())
    assert type(net).__name__ == "ParametrizedLinear"
    assert isinstance(net, nn.Linear)
    assert list(net.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert (net.weight == net.weight.T).all().item()
    net(X).sum().backward()
    assert net.parametrizations.weight.original.grad is not None
    again = copy.deepcopy(net)
    assert again(X).tolist() == net(X).tolist()
    assert repr(net) == (
        "ParametrizedLinear(\n  in_features=4, out_features=4, bias=True\n  (parametrizations): ModuleDict(\n"
        "    (weight): ParametrizationList(\n      (0): Symmetric()\n    )\n  )\n)"
    )


def test_a_right_inverse_keeps_the_value_and_takes_a_new_one():
    plain = square().weight.detach().numpy()
    net = parametrize.register_parametrization(square(), "weight", Doubled())
    np.testing.assert_allclose(net.weight.detach().numpy(), plain)
    np.testing.assert_allclose(net.parametrizations.weight.original.detach().numpy(), plain / 2)
    net.weight = sg.ones(4, 4, dtype=sg.float64)
    assert net.parametrizations.weight.original.tolist() == [[0.5] * 4] * 4
    parametrize.register_parametrization(net, "weight", Doubled())
    np.testing.assert_allclose(net.weight.detach().numpy(), np.ones((4, 4)))
    assert net.parametrizations.weight.original.tolist() == [[0.25] * 4] * 4


@pytest.mark.parametrize("leave", [True, False])
def test_a_parametrization_is_removed(leave):
    plain = square().weight.detach().numpy()
    net = parametrize.register_parametrization(square(), "weight", Symmetric())
    assert parametrize.is_parametrized(net)
    assert parametrize.is_parametrized(net, "weight")
    assert not parametrize.is_parametrized(net, "bias")
    parametrize.remove_parametrizations(net, "weight", leave_parametrized=leave)
    assert not parametrize.is_parametrized(net)
    assert type(net) is nn.Linear
    assert isinstance(net.weight, nn.Parameter)
    np.testing.assert_allclose(net.weight.detach().numpy(), (plain + plain.T) / 2 if leave else plain)


def test_two_parametrized_tensors_and_a_buffer():
    net = nn.BatchNorm1d(3)
    for name in ("weight", "running_mean"):
        parametrize.register_parametrization(net, name, Doubled())
    assert net.weight.tolist() == [1, 1, 1]
    assert "parametrizations.running_mean.original" in dict(net.named_buffers())
    parametrize.remove_parametrizations(net, "weight")
    assert type(net).__name__ == "ParametrizedBatchNorm1d"
    parametrize.remove_parametrizations(net, "running_mean")
    assert type(net) is nn.BatchNorm1d
    assert "running_mean" in dict(net.named_buffers())


def test_parametrizations_that_make_no_sense():
    class Wider(nn.Module):
        def forward(self, x):
            return sg.cat([x, x], 1)

    with pytest.raises(ShapeError, match=r"makes 'weight' of shape \[4, 8\] where it had \[4, 4\]"):
        parametrize.register_parametrization(square(), "weight", Wider())
    with pytest.raises(MissingNameError, match="Linear has no parameter or buffer 'wieght'"):
        parametrize.register_parametrization(square(), "wieght", Wider())
    with pytest.raises(ArgumentError, match="'bias' of Linear is not parametrized"):
        parametrize.remove_parametrizations(square(), "bias")
    with pytest.raises(ArgumentError, match="made from several tensors"):
        parametrize.remove_parametrizations(parametrizations.weight_norm(square()), "weight", False)


def test_norms_of_many_tensors():
    tensors = [sg.tensor([3.0]), sg.tensor([4.0, 0.0])]
    assert nn.utils.get_total_norm(tensors).item() == 5
    assert nn.utils.get_total_norm(tensors, float("inf")).item() == 4
    assert nn.utils.get_total_norm([]).item() == 0
    p = nn.Parameter(sg.zeros(2))
    p.grad = sg.tensor([3.0, 4.0])
    nn.utils.clip_grads_with_norm_([p], 1.0, sg.tensor(10.0))
    assert p.grad.tolist() == pytest.approx([0.3, 0.4])
