"""Convolutions and pooling of images (rows, channels, height, width) in plain NumPy, with their derivatives.

Windows are 3 × 3 with a zero around the image; pools take the largest of each 2 × 2.
"""

import numpy as np


def windows(x: np.ndarray) -> np.ndarray:
    """The 3 × 3 windows around every element: (rows, channels, height, width, 3, 3)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The convolution of x with weight (outputs, channels, 3, 3), plus bias (outputs,)."""
    y = np.tensordot(windows(x), weight, axes=((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(y + bias, 3, 1)


def by_weight(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative by the weight, from that by the result."""
    return np.tensordot(gradient, windows(x), axes=((0, 2, 3), (0, 2, 3)))


def by_input(gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The derivative by x: a convolution with the weight turned round."""
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return convolved(gradient, turned, np.zeros(len(turned), gradient.dtype))


def quarters(x: np.ndarray) -> np.ndarray:
    """The four elements of each 2 × 2: (rows, channels, height / 2, width / 2, 4)."""
    rows, channels, height, width = x.shape
    parts = x.reshape(rows, channels, height // 2, 2, width // 2, 2)
    return parts.transpose(0, 1, 2, 4, 3, 5).reshape(rows, channels, height // 2, width // 2, 4)


def largest(x: np.ndarray) -> np.ndarray:
    """The largest of each 2 × 2."""
    return quarters(x).max(axis=-1)


def unlargest(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative by x, from that by the largest of each 2 × 2: it goes to the first of them."""
    chosen = np.arange(4) == quarters(x).argmax(axis=-1)[..., None]
    parts = (chosen * gradient[..., None]).reshape(*gradient.shape, 2, 2)
    return parts.transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)
