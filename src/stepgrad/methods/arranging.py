"""Methods that arrange: rolled, turned, repeated, cut into triangles and diagonals, split, windowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.arrays import dtypes
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.methods.base import TensorBase, address_of, as_shape, one_dim
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class ArrangingMethods(TensorBase):
    """The same elements in another arrangement; names and arguments are PyTorch's."""

    def _counted(self, n: int, step: int = 1) -> Tensor:
        """Return 0, step, 2 step, … (int64), n numbers, on the device of this tensor."""
        kind = dtypes.int64.numpy
        if step == 0:
            return apply(REGISTRY["full"], shape=(n,), value=0, dtype=kind).to(self._as_tensor().device)
        made = apply(REGISTRY["arange"], start=0, stop=n * step, step=step, dtype=kind)
        return made.to(self._as_tensor().device)

    def movedim(self, source: Any, destination: Any) -> Tensor:
        """Return dimensions moved from `source` to `destination`, each an integer or several.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).movedim(0, -1).shape
        (3, 4, 2)
        """
        ndim = self._array.ndim
        given, wanted = (
            [one_dim(d, ndim) for d in ((x,) if isinstance(x, int) else x)] for x in (source, destination)
        )
        if len(given) != len(wanted) or len(set(given)) < len(given) or len(set(wanted)) < len(wanted):
            raise ArgumentError(
                f"movedim takes as many dimensions as places, each once, not {source}, {destination}."
            )
        order = [d for d in range(ndim) if d not in given]
        for place, d in sorted(zip(wanted, given, strict=True)):
            order.insert(place, d)
        return self._as_tensor().permute(*order) if ndim else self._as_tensor()

    moveaxis = movedim

    def fliplr(self) -> Tensor:
        """Return the columns in reverse order; at least 2 dimensions.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).fliplr()
        tensor([[2, 1],
                [4, 3]])
        """
        return self._as_tensor().flip(self._at_least(2, "fliplr", 1))

    def flipud(self) -> Tensor:
        """Return the rows in reverse order; at least 1 dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).flipud()
        tensor([[3, 4],
                [1, 2]])
        """
        return self._as_tensor().flip(self._at_least(1, "flipud", 0))

    def _at_least(self, ndim: int, name: str, dim: int) -> int:
        if self._array.ndim < ndim:
            raise ShapeError(
                f"{name} takes at least {ndim} dimensions, not the shape {list(self._array.shape)}."
            )
        return dim

    def rot90(self, k: int = 1, dims: Any = (0, 1)) -> Tensor:
        """Return the tensor turned by k quarters from the first to the second of two dimensions.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).rot90()
        tensor([[2, 4],
                [1, 3]])
        """
        x = self._as_tensor()
        a, b = (one_dim(d, x.ndim) for d in dims)
        if a == b:
            raise ArgumentError(f"rot90 turns in two different dimensions, not {tuple(dims)}.")
        turns = {0: x.clone, 1: lambda: x.transpose(a, b).flip(a), 2: lambda: x.flip(a, b)}
        return turns.get(k % 4, lambda: x.transpose(a, b).flip(b))()

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """Return the elements moved on along `dims`, round the end; of the flattened tensor without dims.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).roll(1)
        tensor([3, 1, 2])
        """
        x = self._as_tensor()
        if dims is None or (isinstance(dims, (tuple, list)) and not dims):
            if not isinstance(shifts, int) and len(shifts) > 1:
                raise ArgumentError("roll takes a dimension for each shift.")
            return x.reshape(-1).roll(shifts, 0).reshape(x.shape)
        moves = (shifts,) if isinstance(shifts, int) else tuple(shifts)
        along = (dims,) if isinstance(dims, int) else tuple(dims)
        if len(moves) != len(along):
            raise ArgumentError(f"roll takes a dimension for each shift, not {moves} and {along}.")
        for move, dim in zip(moves, along, strict=True):
            d = one_dim(dim, x.ndim)
            size = x.shape[d] if x.ndim else 0
            cut = -move % size if size else 0
            if cut:
                x = apply(REGISTRY["cat"], x.narrow(d, cut, size - cut), x.narrow(d, 0, cut), dim=d)
        return x.clone() if x is self else x

    def tile(self, *dims: Any) -> Tensor:
        """Return the tensor repeated along its dimensions, the last ones if there are fewer numbers.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).tile(2)
        tensor([1, 2, 1, 2])
        """
        times = as_shape(dims)
        return self._as_tensor().repeat((1,) * (self._array.ndim - len(times)) + times)

    def repeat_interleave(self, repeats: Any, dim: int | None = None, *, output_size: Any = None) -> Tensor:
        """Return each entry along `dim` repeated, by one number for all or one for each.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).repeat_interleave(2), sg.tensor([1, 2]).repeat_interleave(sg.tensor([3, 1]))
        (tensor([1, 1, 2, 2]), tensor([1, 1, 1, 2]))
        """
        x = self._as_tensor()
        if dim is None:
            return x.reshape(-1).repeat_interleave(repeats, 0)
        if not x.ndim:
            return x.reshape(1).repeat_interleave(repeats, 0)
        d = one_dim(dim, x.ndim)
        if isinstance(repeats, TensorBase) and repeats._array.size == 1:
            repeats = int(repeats._as_tensor().item())
        if isinstance(repeats, int):
            spread = x.unsqueeze(d + 1).expand(*x.shape[: d + 1], repeats, *x.shape[d + 1 :])
            return self._copied(spread.reshape(*x.shape[:d], x.shape[d] * repeats, *x.shape[d + 1 :]))
        counts = repeats._as_tensor().tolist() if isinstance(repeats, TensorBase) else repeats
        places = engine.Tensor._of(self._counted(x.shape[d])._array.repeat(counts))
        return x.index_select(d, places)

    # ------------------------------------------------------------------------- triangles, diagonals

    def tril(self, diagonal: int = 0) -> Tensor:
        """Return the lower triangle of matrices, up to a diagonal above the main one, and 0 elsewhere.

        >>> import stepgrad as sg
        >>> sg.ones(3, 3).tril()
        tensor([[1., 0., 0.],
                [1., 1., 0.],
                [1., 1., 1.]])
        """
        return self._triangle(diagonal, lower=True)

    def triu(self, diagonal: int = 0) -> Tensor:
        """Return the upper triangle of matrices, from a diagonal above the main one, and 0 elsewhere.

        >>> import stepgrad as sg
        >>> sg.ones(3, 3).triu(1)
        tensor([[0., 1., 1.],
                [0., 0., 1.],
                [0., 0., 0.]])
        """
        return self._triangle(diagonal, lower=False)

    def _triangle(self, diagonal: int, lower: bool) -> Tensor:
        self._at_least(2, "tril" if lower else "triu", 0)
        rows, columns = self._array.shape[-2:]
        above = self._counted(columns) - self._counted(rows).unsqueeze(1)
        kept = above <= diagonal if lower else above >= diagonal
        zero = False if self._array.dtype.kind == "b" else 0  # booleans, a mask for example, stay booleans
        return apply(REGISTRY["where"], kept, self, zero)

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """Return the diagonals of two dimensions, as the last dimension: a view.

        >>> import stepgrad as sg
        >>> x = sg.ones(2, 2)
        >>> x.diagonal().zero_()
        tensor([0., 0.])
        >>> x
        tensor([[0., 1.],
                [1., 0.]])
        """
        a, b = self._two_dims(dim1, dim2, "diagonal")
        ndim = self._array.ndim
        x = self._as_tensor() if (a, b) == (ndim - 2, ndim - 1) else self.movedim((a, b), (-2, -1))
        return apply(REGISTRY["diagonal"], x, offset=offset)

    def _two_dims(self, dim1: int, dim2: int, name: str, more: int = 0) -> tuple[int, int]:
        a, b = (one_dim(d, self._array.ndim + more) for d in (dim1, dim2))
        if a == b:
            raise ArgumentError(f"{name} needs two different dimensions, not {dim1} and {dim2}.")
        return a, b

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
        """Return matrices, in two new dimensions, with the last dimension on a diagonal and 0 elsewhere.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).diag_embed()
        tensor([[1, 0],
                [0, 2]])
        """
        x = self._as_tensor()
        a, b = self._two_dims(dim1, dim2, "diag_embed", 1)
        x = x if x.ndim else x.reshape(1)
        size = x.shape[-1] + abs(offset)
        place = self._counted(x.shape[-1])
        first, second = place + max(-offset, 0), place + max(offset, 0)
        spec = (Ellipsis, "tensor", "tensor")
        shape = (*x.shape[:-1], size, size)
        made = apply(REGISTRY["index_add"], x, first, second, spec=spec, shape=shape)
        return made.movedim((-2, -1), (a, b))

    def diag(self, diagonal: int = 0) -> Tensor:
        """Return a matrix with a vector on a diagonal, or the diagonal of a matrix.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).diag()
        tensor([[1, 0],
                [0, 2]])
        """
        if self._array.ndim not in (1, 2):
            raise ShapeError(f"diag takes a vector or a matrix, not the shape {list(self._array.shape)}.")
        return self.diag_embed(diagonal) if self._array.ndim == 1 else self.diagonal(diagonal).clone()

    def diagflat(self, offset: int = 0) -> Tensor:
        """Return a matrix with all elements on a diagonal.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2]]).diagflat()
        tensor([[1, 0],
                [0, 2]])
        """
        return self._as_tensor().reshape(-1).diag_embed(offset)

    def trace(self) -> Tensor:
        """Return the sum of the diagonal of a matrix.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).trace()
        tensor(5)
        """
        if self._array.ndim != 2:
            raise ShapeError(f"trace takes a matrix, not the shape {list(self._array.shape)}.")
        return self.diagonal().sum()

    # -------------------------------------------------------------------------------------- pieces

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Return so many pieces along a dimension, the first ones longer by 1, or pieces cut at indices.

        >>> import stepgrad as sg
        >>> sg.arange(5).tensor_split(2)
        (tensor([0, 1, 2]), tensor([3, 4]))
        """
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        length = self._at_least(1, "tensor_split", x.shape[d] if x.ndim else 0)
        at = indices_or_sections
        at = at._as_tensor().tolist() if isinstance(at, TensorBase) else at
        if isinstance(at, int):
            if at < 1:
                raise ArgumentError(f"tensor_split needs at least 1 section, not {at}.")
            sizes = [length // at + (i < length % at) for i in range(at)]
            return x.split(sizes, d)
        bounds = [slice(0, i).indices(length)[1] for i in at]
        starts, ends = [0, *bounds], [*bounds, length]
        return tuple(x.narrow(d, a, max(b - a, 0)) for a, b in zip(starts, ends, strict=True))

    def hsplit(self, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Return pieces by columns; of a vector, by elements.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2, 3, 4]]).hsplit(2)
        (tensor([[1, 2]]), tensor([[3, 4]]))
        """
        self._at_least(1, "hsplit", 0)
        return self._even(indices_or_sections, 0 if self._array.ndim == 1 else 1, "hsplit")

    def vsplit(self, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Return pieces by rows.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).vsplit(2)
        (tensor([[1, 2]]), tensor([[3, 4]]))
        """
        return self._even(indices_or_sections, self._at_least(2, "vsplit", 0), "vsplit")

    def dsplit(self, indices_or_sections: Any) -> tuple[Tensor, ...]:
        """Return pieces along the third dimension.

        >>> import stepgrad as sg
        >>> [part.shape for part in sg.zeros(2, 3, 4).dsplit(2)]
        [(2, 3, 2), (2, 3, 2)]
        """
        return self._even(indices_or_sections, self._at_least(3, "dsplit", 2), "dsplit")

    def _even(self, pieces: Any, dim: int, name: str) -> tuple[Tensor, ...]:
        if isinstance(pieces, int) and (pieces < 1 or self._array.shape[dim] % pieces):
            raise ShapeError(f"{name} into {pieces} equal pieces of a dimension of {self._array.shape[dim]}.")
        return self.tensor_split(pieces, dim)

    def split_with_sizes(self, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Return pieces of given sizes along a dimension.

        >>> import stepgrad as sg
        >>> sg.arange(5).split_with_sizes([1, 4])
        (tensor([0]), tensor([1, 2, 3, 4]))
        """
        return self._as_tensor().split(tuple(split_sizes), dim)

    def unsafe_split(self, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Return pieces as `split` does.

        >>> import stepgrad as sg
        >>> sg.arange(5).unsafe_split(2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        """
        return self._as_tensor().split(split_size, dim)

    def unsafe_chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """Return pieces as `chunk` does.

        >>> import stepgrad as sg
        >>> sg.arange(4).unsafe_chunk(2)
        (tensor([0, 1]), tensor([2, 3]))
        """
        return self._as_tensor().chunk(chunks, dim)

    def as_strided(self, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
        """Return the elements in memory from `storage_offset` on, `stride` apart, in shape `size`: a view.

        >>> import stepgrad as sg
        >>> sg.arange(6).as_strided((2, 3), (2, 1), 1)
        tensor([[1, 2, 3],
                [3, 4, 5]])

        The memory is that of the tensor that this one is a view of, if it is a view, and without
        `storage_offset` the first element is its own first.
        """
        memory = self._as_tensor() if self._base is None else self._base
        offset = storage_offset
        if offset is None:
            offset = (address_of(self._array) - address_of(memory._array)) // self._array.itemsize
        where = {"size": as_shape((size,)), "stride": as_shape((stride,)), "offset": offset}
        return apply(REGISTRY["as_strided"], memory, **where)

    def sum_to_size(self, *size: Any) -> Tensor:
        """Return the sum over the dimensions in which `size` is 1 or missing (if none, the tensor).

        Sums of integers and booleans are int64.

        >>> import stepgrad as sg
        >>> sg.ones(3, 2).sum_to_size(1, 2)
        tensor([[3., 3.]])
        """
        shape = as_shape(size)
        if shape and shape == self._array.shape:
            return self._as_tensor()
        x = self._as_tensor()
        return apply(REGISTRY["sum_to"], x if x.is_floating_point() else x.to(dtypes.int64), shape=shape)

    @property
    def H(self) -> Tensor:
        """A matrix transposed, as its complex conjugate is itself.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).H
        tensor([[1, 3],
                [2, 4]])
        """
        return self.adjoint() if self._array.ndim else self._as_tensor()

    @property
    def mH(self) -> Tensor:
        """The last two dimensions exchanged, as the complex conjugate is itself.

        >>> import stepgrad as sg
        >>> sg.zeros(5, 2, 3).mH.shape
        (5, 3, 2)
        """
        return self.adjoint()

    def adjoint(self) -> Tensor:
        """Return the last two dimensions exchanged.

        >>> import stepgrad as sg
        >>> sg.zeros(5, 2, 3).adjoint().shape
        (5, 3, 2)
        """
        return self._as_tensor().transpose(-2, -1)

    def conj(self) -> Tensor:
        """Return the tensor itself: its numbers are real.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -2.0]).conj()
        tensor([ 1., -2.])
        """
        return self._as_tensor()

    resolve_conj = resolve_neg = conj_physical = conj

    def angle(self) -> Tensor:
        """Return the angle of each number in the complex plane: 0, or π where it is negative.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -2.0]).angle()
        tensor([0.0000, 3.1416])
        """
        return apply(REGISTRY["angle"], self)

    @property
    def real(self) -> Tensor:
        """The tensor itself: its numbers are real.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -2.0]).real
        tensor([ 1., -2.])
        """
        return self._as_tensor()
