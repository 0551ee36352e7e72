"""Whether operations remember what they did: blocks, decorators, threads."""

import threading

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError


def remembers() -> bool:
    assert sg.is_grad_enabled() == sg.autograd.is_grad_enabled()
    y = sg.ones(1, requires_grad=True) * 2
    assert y.requires_grad == sg.is_grad_enabled()
    return y.requires_grad


@pytest.mark.parametrize("mode", [sg.no_grad, sg.inference_mode])
def test_blocks_switch_it_off_and_back(mode):
    assert remembers()
    with mode():
        assert not remembers()
        with sg.enable_grad():
            assert remembers()
            with mode():
                assert not remembers()
            assert remembers()
        assert not remembers()
    assert remembers()


def test_an_exception_switches_back_too():
    with pytest.raises(KeyError), sg.no_grad():
        raise KeyError
    assert remembers()


@pytest.mark.parametrize("mode", [sg.no_grad, sg.inference_mode])
def test_decorators_with_and_without_parentheses(mode):
    @mode
    def bare() -> bool:
        """Its text."""
        return remembers()

    @mode()
    def called() -> bool:
        return remembers()

    @sg.enable_grad()
    def enabled() -> bool:
        return remembers()

    assert (bare(), called()) == (False, False)
    assert (bare.__name__, bare.__doc__) == ("bare", "Its text.")
    assert remembers()
    with sg.no_grad():
        assert enabled()
        assert not remembers()


def test_a_decorated_function_may_recurse_and_raise():
    @sg.no_grad()
    def count_down(n: int) -> None:
        assert not remembers()
        if n == 0:
            raise ValueError("down")
        count_down(n - 1)

    with pytest.raises(ValueError, match="down"):
        count_down(5)
    assert remembers()


def test_one_object_may_be_entered_again():
    mode = sg.no_grad()
    with mode, mode:
        assert not remembers()
    assert remembers()


def test_a_generator_function_cannot_be_decorated():
    with pytest.raises(ArgumentError, match=r"rows is a generator function.*`with no_grad\(\):` inside"):

        @sg.no_grad()
        def rows():
            yield 1


def test_inference_mode_that_is_off():
    with sg.no_grad(), sg.inference_mode(False):
        assert remembers()
    with sg.inference_mode(True):
        assert not remembers()


def test_set_grad_enabled_at_once_and_as_a_block():
    try:
        sg.set_grad_enabled(False)
        assert not remembers()
    finally:
        sg.set_grad_enabled(True)
    with sg.set_grad_enabled(False):
        assert not remembers()
    assert remembers()


def test_modes_belong_to_a_thread():
    inside, outside = threading.Event(), threading.Event()
    seen = {}

    def work() -> None:
        seen["start"] = remembers()
        with sg.no_grad():
            inside.set()
            outside.wait(10)
            seen["inside"] = remembers()

    thread = threading.Thread(target=work)
    with sg.no_grad():
        thread.start()
        inside.wait(10)
    seen["here"] = remembers()
    outside.set()
    thread.join()
    assert seen == {"start": True, "inside": False, "here": True}


def test_requires_grad_can_be_switched_for_leaves():
    x = sg.ones(2)
    assert x.requires_grad_() is x
    assert (x * 2).requires_grad
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    with sg.no_grad():
        made = sg.ones(2, requires_grad=True)
    assert made.requires_grad
    with pytest.raises(sg.errors.GradientError, match=r"for leaves only. Use \.detach\(\)"):
        (made * 2).requires_grad_(False)
