"""Methods that rearrange: reshape, transpose, expand, split, index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.arrays.conversion import array_of
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply
from stepgrad.autograd.recording import hides_values
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.methods.base import TensorBase, address_of, as_shape, one_dim, some_dims
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

_reshape, _permute, _slice, _index = (REGISTRY[n] for n in ("reshape", "permute", "slice", "index"))


class ShapeMethods(TensorBase):
    """The same elements in another arrangement. Results share memory wherever NumPy's views do."""

    def reshape(self, *shape: Any) -> Tensor:
        """Return the elements, in row-major order, in another shape; one size may be -1.

        >>> import stepgrad as sg
        >>> sg.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
        """
        return apply(_reshape, self, shape=_resolved(as_shape(shape), self._array))

    def view(self, *shape: Any) -> Tensor:
        """Return the same memory in another shape; `ShapeError` if that needs a copy: use `reshape`.

        With a dtype in place of the shape the bytes are read as numbers of that type, without a gradient.

        >>> import stepgrad as sg
        >>> sg.arange(6).view(3, 2).shape
        (3, 2)
        """
        if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
            return self._bytes_as(shape[0])
        result = self.reshape(*shape)
        if self._array.size and address_of(result._array) != address_of(self._array):
            raise ShapeError(
                f"view of shape {list(self._array.shape)} as {list(result.shape)} needs a copy, because the "
                f"elements are not contiguous. Use .reshape(…) or .contiguous().view(…)."
            )
        return result

    def _bytes_as(self, kind: dtypes.dtype) -> Tensor:
        x = self._as_tensor().detach()
        try:
            x._array = self._array.view(kind.numpy)
        except ValueError as error:
            raise ShapeError(
                f"view of {x.dtype.name}{list(x.shape)} as {kind.name} needs bytes that are whole numbers of "
                f"it and lie one after another: {error}"
            ) from None
        return x

    def view_as(self, other: Tensor) -> Tensor:
        """Return the same memory in the shape of `other`.

        >>> import stepgrad as sg
        >>> sg.arange(4).view_as(sg.zeros(2, 2))
        tensor([[0, 1],
                [2, 3]])
        """
        return self.view(other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """Return the elements in the shape of `other`.

        >>> import stepgrad as sg
        >>> sg.arange(4).reshape_as(sg.zeros(2, 2))
        tensor([[0, 1],
                [2, 3]])
        """
        return self.reshape(other.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Return the dimensions from `start_dim` to `end_dim` as one.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).flatten(1).shape
        (2, 12)
        """
        shape = self._array.shape
        if not shape:
            return self.reshape(1)
        start, end = one_dim(start_dim, len(shape)), one_dim(end_dim, len(shape))
        if start > end:
            raise ArgumentError(f"flatten needs start_dim <= end_dim, not {start_dim} and {end_dim}.")
        if start == end:
            return self._as_tensor()
        return self.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def ravel(self) -> Tensor:
        """Return the elements in one dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).ravel()
        tensor([1, 2, 3, 4])
        """
        return self.reshape(-1)

    def unflatten(self, dim: int, sizes: Any) -> Tensor:
        """Return one dimension as several.

        >>> import stepgrad as sg
        >>> sg.arange(4).unflatten(0, (2, 2))
        tensor([[0, 1],
                [2, 3]])
        """
        d = one_dim(dim, self._array.ndim)
        length = self._array.shape[d]
        inner = list(as_shape((sizes,)))
        if inner.count(-1) == 1:
            rest = -math.prod(inner)
            inner[inner.index(-1)] = length // rest if rest else 0
        return self.reshape(*self._array.shape[:d], *inner, *self._array.shape[d + 1 :])

    def squeeze(self, dim: Any = None) -> Tensor:
        """Return the tensor without its dimensions of length 1, or without those of them that `dim` names.

        >>> import stepgrad as sg
        >>> sg.zeros(1, 3, 1).squeeze().shape, sg.zeros(1, 3, 1).squeeze(0).shape
        ((3,), (3, 1))
        """
        shape = self._array.shape
        dims = some_dims(dim, len(shape)) if dim != () else ()
        dims = tuple(range(len(shape))) if dims is None else dims
        return self.reshape(tuple(n for i, n in enumerate(shape) if n != 1 or i not in dims))

    def unsqueeze(self, dim: int) -> Tensor:
        """Return the tensor with a new dimension of length 1 at `dim`.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).unsqueeze(1).shape
        (3, 1)
        """
        shape = list(self._array.shape)
        shape.insert(one_dim(dim, len(shape) + 1), 1)
        return self.reshape(tuple(shape))

    def permute(self, *order: Any, dims: Any = ()) -> Tensor:
        """Return the dimensions in another order, given one by one, as one sequence, or as `dims`.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).permute(2, 0, 1).shape
        (4, 2, 3)
        """
        ndim = self._array.ndim
        order = tuple(one_dim(d, ndim) for d in as_shape(order or (dims,)))
        if sorted(order) != list(range(ndim)):
            raise ArgumentError(f"permute needs each of the {ndim} dimensions once, not {order}.")
        return apply(_permute, self, dims=order)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Return two dimensions exchanged.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).transpose(0, 1)
        tensor([[1, 3],
                [2, 4]])
        """
        ndim = self._array.ndim
        a, b = one_dim(dim0, ndim), one_dim(dim1, ndim)
        order = list(range(ndim))
        if ndim:
            order[a], order[b] = b, a
        return apply(_permute, self, dims=tuple(order))

    swapaxes = swapdims = transpose

    def t(self) -> Tensor:
        """Return a matrix transposed; vectors and numbers as they are.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).t()
        tensor([[1, 3],
                [2, 4]])
        """
        if self._array.ndim > 2:
            raise ShapeError(
                f"t takes at most 2 dimensions, not {self._array.ndim}. Use .transpose(dim0, dim1)."
            )
        return self.T

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).T.shape
        (4, 3, 2)
        """
        return apply(_permute, self, dims=tuple(reversed(range(self._array.ndim))))

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).mT.shape
        (2, 4, 3)
        """
        return self.transpose(-2, -1)

    def expand(self, *shape: Any) -> Tensor:
        """Return dimensions of length 1, and new ones in front, repeated, no copy; -1 keeps a length.

        >>> import stepgrad as sg
        >>> sg.tensor([[1], [2]]).expand(-1, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
        """
        own, sizes = self._array.shape, as_shape(shape)
        extra = len(sizes) - len(own)
        wanted = tuple(own[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(sizes))
        return apply(REGISTRY["expand"], self, shape=wanted)

    def expand_as(self, other: Tensor) -> Tensor:
        """Return the tensor expanded to the shape of `other`.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).expand_as(sg.zeros(2, 2))
        tensor([[1, 2],
                [1, 2]])
        """
        return self.expand(other.shape)

    broadcast_to = expand

    def repeat(self, *sizes: Any) -> Tensor:
        """Return the tensor repeated `sizes` times along each dimension, as a copy.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
        """
        times = as_shape(sizes)
        if len(times) < self._array.ndim:
            raise ArgumentError(
                f"repeat needs a number for each of {self._array.ndim} dimensions, not {times}."
            )
        shape = (1,) * (len(times) - self._array.ndim) + self._array.shape
        pairs = [m for n, r in zip(shape, times, strict=True) for m in (r, n)]
        spread = self.reshape(tuple(m for n in shape for m in (1, n))).expand(*pairs)
        return self._copied(spread.reshape(tuple(n * r for n, r in zip(shape, times, strict=True))))

    def flip(self, *which: Any, dims: Any = ()) -> Tensor:
        """Return the tensor with dimensions in reverse, given one by one, as one sequence, or as `dims`.

        It is a copy, as are those of `fliplr`, `flipud` and `rot90`.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).flip(0)
        tensor([[3, 4],
                [1, 2]])
        """
        chosen = as_shape(which or (dims,))
        reverse = some_dims(chosen, self._array.ndim) if chosen else ()
        return apply(REGISTRY["flip"], self, dims=reverse)

    def unfold(self, dimension: int, size: int, step: int) -> Tensor:
        """Return windows of `size` elements along a dimension, each `step` after the one before: a view.

        The windows stand where the dimension was, their elements in a new last dimension.

        >>> import stepgrad as sg
        >>> sg.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
        """
        ndim = self._array.ndim
        if not ndim:
            return self.reshape(1).unfold(0, size, step)[0]
        d = one_dim(dimension, ndim)
        if not 0 <= size <= self._array.shape[d] or step < 1:
            raise ShapeError(
                f"unfold needs windows of 0 to {self._array.shape[d]} elements and a step of 1 or more, not "
                f"size={size} and step={step} along dimension {d} of {list(self._array.shape)}."
            )
        last = self if d == ndim - 1 else self.transpose(d, ndim - 1)
        found = apply(REGISTRY["windows"], last, size=(size,), stride=(step,), dilation=(1,))
        return found if d == ndim - 1 else found.transpose(d, ndim - 1)

    def narrow(self, dim: int, start: int, length: int) -> Tensor:
        """Return `length` entries from `start` along a dimension.

        >>> import stepgrad as sg
        >>> sg.arange(6).narrow(0, 2, 3)
        tensor([2, 3, 4])
        """
        d = one_dim(dim, self._array.ndim)
        size = self._array.shape[d] if self._array.ndim else 0
        first = start + size if start < 0 else start
        if length < 0 or not 0 <= first <= first + length <= size:
            raise IndexShapeError(f"narrow from {start}, {length} entries, of a dimension of length {size}.")
        return self[(slice(None),) * d + (slice(first, first + length),)]

    def select(self, dim: int, index: int) -> Tensor:
        """Return one entry along a dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).select(1, 0)
        tensor([1, 3])
        """
        return self[(slice(None),) * one_dim(dim, self._array.ndim) + (index,)]

    def _cut_dim(self, dim: int, name: str) -> int:
        if not self._array.ndim:
            raise IndexShapeError(f"{name} takes at least 1 dimension, not a 0-d tensor.")
        return one_dim(dim, self._array.ndim)

    def split(self, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Return pieces along a dimension: of one size (the last may be smaller), or of a list of sizes.

        >>> import stepgrad as sg
        >>> [piece.tolist() for piece in sg.arange(5).split(2)]
        [[0, 1], [2, 3], [4]]
        """
        d = self._cut_dim(dim, "split")
        length = self._array.shape[d]
        if isinstance(split_size, int):
            if split_size < 1:
                raise ArgumentError(f"split needs a size of at least 1, not {split_size}.")
            sizes = [min(split_size, length - i) for i in range(0, length, split_size)] or [0]
        else:
            sizes = list(split_size)
            if sum(sizes) != length:
                raise ShapeError(
                    f"split into {sizes}, in sum {sum(sizes)}, of a dimension of length {length}."
                )
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return tuple(self.narrow(d, start, size) for start, size in zip(starts, sizes, strict=True))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """Return at most `chunks` pieces of equal size along a dimension (the last may be smaller).

        >>> import stepgrad as sg
        >>> [piece.tolist() for piece in sg.arange(5).chunk(2)]
        [[0, 1, 2], [3, 4]]
        """
        if chunks < 1:
            raise ArgumentError(f"chunk needs at least 1 piece, not {chunks}.")
        length = self._array.shape[self._cut_dim(dim, "chunk")]
        return self.split(-(-length // chunks) if length else [0] * chunks, dim)

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """Return the entries along a dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).unbind()
        (tensor([1, 2]), tensor([3, 4]))
        """
        d = self._cut_dim(dim, "unbind")
        return tuple(self.select(d, i) for i in range(self._array.shape[d]))

    def gather(self, dim: int, index: Tensor) -> Tensor:
        """Return y with y[i][j] = self[index[i][j]][j] (for dim 0); `index` int64 with as many dimensions.

        >>> import stepgrad as sg
        >>> scores = sg.tensor([[0.1, 0.9], [0.8, 0.2]])
        >>> scores.gather(1, sg.tensor([[1], [0]]))  # of each row, the entry that is named
        tensor([[0.9000],
                [0.8000]])
        """
        _must_be_indices(index, "gather")
        if not self._array.ndim or not index._array.ndim:
            # A lone number counts as one entry in one dimension.
            return self.reshape(-1).gather(dim, index.reshape(-1)).reshape(index.shape)
        if not index._array.size:
            return self.reshape(-1)[:0].reshape(index.shape)
        return apply(REGISTRY["take_along"], self, index, dim=one_dim(dim, self._array.ndim))

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the entries that `index` (int64, 1-d) names along a dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4], [5, 6]]).index_select(0, sg.tensor([2, 0]))
        tensor([[5, 6],
                [1, 2]])
        """
        _must_be_indices(index, "index_select")
        if index.ndim > 1:
            raise ShapeError(
                f"index_select takes an index of one dimension, not of shape {list(index.shape)}."
            )
        if not self._array.ndim:
            return self.reshape(1)[index].reshape(())
        return self[(slice(None),) * one_dim(dim, self._array.ndim) + (index,)]

    def masked_select(self, mask: Tensor) -> Tensor:
        """Return the elements where `mask` (boolean) holds, in one dimension.

        >>> import stepgrad as sg
        >>> x = sg.tensor([3, -1, 2])
        >>> x.masked_select(x > 0)
        tensor([3, 2])
        """
        try:
            shape = numpy.broadcast_shapes(self._array.shape, mask.shape)
        except ValueError:
            raise ShapeError(
                f"masked_select: a mask of shape {list(mask.shape)} does not fit {list(self._array.shape)}."
            ) from None
        return self.expand(shape)[mask.expand(shape)]

    # ------------------------------------------------------------------------------- indexing

    def __getitem__(self, index: Any) -> Tensor:
        basic, spec, tensors = parsed_index(index)
        if basic:
            return apply(_slice, self, index=spec)
        return apply(_index, self, *tensors, spec=spec)

    def __len__(self) -> int:
        if not self._array.ndim:
            raise ShapeError("a 0-d tensor has no length; its value is .item().")
        return int(self._array.shape[0])

    def __iter__(self) -> Any:
        if not self._array.ndim:
            raise ShapeError("a 0-d tensor cannot be iterated over; its value is .item().")
        return iter(self.unbind(0))


def parsed_index(index: Any) -> tuple[bool, tuple[Any, ...], list[Any]]:
    """Return whether an index is basic, the index with "tensor" in place of tensors, and those tensors."""
    spec: list[Any] = []
    tensors: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, (list, tuple, range)):
            part = engine.Tensor._of(array_of(list(part), None if part else "int64"))
        elif hasattr(part, "dtype") and not isinstance(part, TensorBase):
            part = engine.Tensor._of(array_of(part))
        if isinstance(part, TensorBase):
            if part._array.dtype.name == "uint8":  # a mask, as in PyTorch
                part = part._as_tensor().bool()
            if part._array.dtype.kind not in "iub":
                raise DtypeError(f"an index is integer or boolean, not {part._array.dtype.name}.")
            if part._array.ndim == 0 and part._array.dtype.kind != "b" and not hides_values():
                spec.append(int(part._array))
                continue
            spec.append("tensor")
            tensors.append(part)
        elif part is None or part is Ellipsis or isinstance(part, (slice, int)):
            spec.append(_plain(part))
        else:
            raise ArgumentError(
                f"a tensor is indexed by integers, slices, None, ... and tensors, not {type(part).__name__}."
            )
    return not tensors and not any(isinstance(p, bool) for p in spec), tuple(spec), tensors


def _plain(part: Any) -> Any:
    """Return a slice with its bounds as ints (they may be 0-d tensors)."""
    if not isinstance(part, slice):
        return part
    if part.step is not None and part.step < 1:
        raise ArgumentError("a slice of a tensor needs a step of at least 1; use .flip() to reverse.")
    return slice(*(None if b is None else int(b) for b in (part.start, part.stop, part.step)))


def _must_be_indices(index: Any, name: str) -> None:
    if not isinstance(index, TensorBase) or index._array.dtype.kind not in "iu":
        what = index._array.dtype.name if isinstance(index, TensorBase) else type(index).__name__
        raise DtypeError(f"{name} takes an integer tensor as index, not {what}.")
    if index._array.size and index._array.min() < 0:
        raise IndexShapeError(f"{name} takes indices from 0 on; there is {int(index._array.min())}.")


def _resolved(shape: tuple[int, ...], array: Any) -> tuple[int, ...]:
    if -1 not in shape:
        if math.prod(shape) != array.size:
            raise ShapeError(
                f"{array.size} elements of shape {list(array.shape)} do not fit shape {list(shape)}."
            )
        return shape
    rest = math.prod(n for n in shape if n != -1)
    if shape.count(-1) > 1 or rest == 0 or array.size % rest:
        raise ShapeError(
            f"{array.size} elements of shape {list(array.shape)} do not fit shape {list(shape)}."
        )
    return tuple(array.size // rest if n == -1 else n for n in shape)
