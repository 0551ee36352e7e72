"""`stepgrad.compile` and `stepgrad.explain` are functions to their users, also where the package stands in
the place of the function.
"""

import inspect
import pydoc
from types import ModuleType

import pytest

import stepgrad as sg
import stepgrad.compile
import stepgrad.explain
from stepgrad.compile.function import compile
from stepgrad.explain.writing import explain


@pytest.mark.parametrize("package, function", [(sg.compile, compile), (sg.explain, explain)])
def test_a_package_shows_the_signature_and_help_of_its_function(package, function):
    assert isinstance(package, ModuleType)
    assert inspect.signature(package) == inspect.signature(function)
    assert inspect.getdoc(function) in inspect.getdoc(package)
    assert inspect.getdoc(function).splitlines()[0] in pydoc.render_doc(package, renderer=pydoc.plaintext)


def test_a_package_is_called_as_its_function():
    assert sg.compile(lambda x: x + 1)(sg.zeros(2)).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="unexpected keyword argument 'checks'"):
        sg.compile(lambda x: x, checks=True)
