"""Batch normalisation in evaluation mode, put into the layer before it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError
from stepgrad.names import teller
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Return a convolution that computes ``bn(conv(x))`` of two layers in evaluation mode.

    `transpose`: of a transposed convolution, whose weight has its channels at dimension 1. Raises
    `ArgumentError` for layers in training.

    >>> from stepgrad import nn
    >>> fuse_conv_bn_eval(nn.Conv2d(1, 2, 3, bias=False).eval(), nn.BatchNorm2d(2).eval()).bias.shape
    (2,)
    """
    if conv.training or bn.training:
        raise ArgumentError("fusing takes layers in evaluation mode: call .eval() on both.")
    fused = deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return the weight w · γ / √(var + ε) and the bias (b − mean) · γ / √(var + ε) + β.

    >>> import stepgrad as sg
    >>> mean, var = sg.tensor([1.0]), sg.tensor([4.0])
    >>> weight, bias = fuse_conv_bn_weights(sg.ones(1, 1, 2), None, mean, var, 0.0, None, None)
    >>> weight.tolist(), bias.tolist()
    ([[[0.5, 0.5]]], [-0.5])
    """
    factor = (bn_rv + bn_eps).rsqrt() if bn_w is None else bn_w * (bn_rv + bn_eps).rsqrt()
    places = [1] * conv_w.ndim
    places[1 if transpose else 0] = -1
    bias = ((0 if conv_b is None else conv_b) - bn_rm) * factor
    bias = bias if bn_b is None else bias + bn_b
    weight = conv_w * factor.reshape(places)
    return Parameter(weight.detach(), conv_w.requires_grad), Parameter(bias.detach(), conv_w.requires_grad)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return a linear layer that computes ``bn(linear(x))`` of two layers in evaluation mode.

    >>> import stepgrad as sg
    >>> linear, norm = sg.nn.Linear(3, 2).eval(), sg.nn.BatchNorm1d(2).eval()
    >>> x = sg.randn(4, 3)
    >>> fuse_linear_bn_eval(linear, norm)(x).allclose(norm(linear(x)), atol=1e-6)
    True
    """
    return fuse_conv_bn_eval(linear, bn)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Return what `fuse_conv_bn_weights` does, of the weight of a linear layer.

    >>> import stepgrad as sg
    >>> mean, var = sg.tensor([1.0]), sg.tensor([4.0])
    >>> weight, bias = fuse_linear_bn_weights(sg.ones(1, 2), None, mean, var, 0.0, None, None)
    >>> weight.tolist(), bias.tolist()
    ([[0.5, 0.5]], [-0.5])
    """
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
