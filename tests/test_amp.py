"""Mixed precision: `autocast` changes nothing, `GradScaler` leaves out steps that are not finite."""

import math

import pytest

import stepgrad as sg
from stepgrad.amp import GradScaler, autocast, is_autocast_enabled
from stepgrad.errors import ArgumentError, CaptureError, DtypeError, StateError


def test_autocast_changes_no_numbers():
    x = sg.rand(3, 3)
    with autocast("cpu", dtype=sg.bfloat16):
        assert is_autocast_enabled("cpu")
        assert not is_autocast_enabled()
        assert sg.equal(x @ x, x.mm(x))
        with sg.autocast(device_type="cpu", enabled=False):
            assert not is_autocast_enabled("cpu")
    assert not is_autocast_enabled("cpu")

    @sg.cuda.amp.autocast()
    def inside():
        return sg.is_autocast_enabled()

    assert inside()
    assert not sg.is_autocast_enabled()


def test_bfloat16_is_a_name():
    assert repr(sg.bfloat16) == "stepgrad.bfloat16"
    assert sg.bfloat16.is_floating_point
    assert sg.ones(1).dtype != sg.bfloat16
    with pytest.raises(DtypeError, match=r"does not compute in bfloat16.*Use float32"):
        sg.ones(1).to(sg.bfloat16)
    with pytest.raises(DtypeError, match="does not compute in bfloat16"):
        sg.zeros(2, dtype=sg.bfloat16)


def scaled(**options):
    w = sg.ones(2, requires_grad=True)
    return w, sg.optim.SGD([w], lr=0.5), GradScaler("cpu", **options)


def test_a_step_is_the_same_with_a_scale():
    w, optimizer, scaler = scaled()
    loss = scaler.scale((w * w).sum())
    assert loss == 2 * 65536
    loss.backward()
    scaler.unscale_(optimizer)
    assert w.grad.tolist() == [2, 2]
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0, 0]
    assert [x.item() for x in scaler.scale((sg.ones(()), sg.ones(())))] == [65536, 65536]


def test_the_scale_grows_and_shrinks():
    w, optimizer, scaler = scaled(init_scale=4.0, growth_interval=2)
    seen = []
    for factor in (1.0, 1.0, math.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), w[0].item()))
    assert seen == [(4, 0.5), (8, 0), (4, 0), (4, -0.5)]
    other = GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert (other.get_scale(), other.state_dict()) == (4, scaler.state_dict())
    scaler.update(100)
    assert scaler.get_scale() == 100


def test_one_that_is_not_enabled_hands_everything_through(monkeypatch):
    monkeypatch.setattr(sg.amp, "cuda_is_available", lambda: False)
    for scaler in (GradScaler(), GradScaler("cpu", enabled=False), sg.cuda.amp.GradScaler()):
        w = sg.ones(1, requires_grad=True)
        optimizer = sg.optim.SGD([w], lr=0.5)
        scaler.scale(w.sum()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert w.tolist() == [0.5]
        assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1, {})


def test_a_compiled_step_does_not_keep_one_answer():
    w, optimizer, scaler = scaled()

    @sg.compile
    def step():
        scaler.scale(w.sum()).backward()
        scaler.step(optimizer)

    with pytest.raises(CaptureError, match="asks for the value"):
        step()


def test_messages():
    w, optimizer, scaler = scaled()
    with pytest.raises(StateError, match="update\\(\\) comes after step"):
        scaler.update()
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(StateError, match="has been called for this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(StateError, match="step\\(\\) has been called"):
        scaler.step(optimizer)
    with pytest.raises(StateError, match="comes before step"):
        scaler.unscale_(optimizer)
    with pytest.raises(ArgumentError, match="takes no closure"):
        scaler.step(optimizer, closure=lambda: None)
    with pytest.raises(ArgumentError, match="growth_factor above 1"):
        GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(ArgumentError, match="was not enabled"):
        scaler.load_state_dict({})
