"""Counter-based random streams.

Random numbers are a pure function of (seed, stream, position): Philox4x64-10 (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", 2011) with key = (seed, stream) and counter = position. The
state of a `Generator` is therefore three integers, any position can be computed without those before it, and
weights, dropout, data order and workers draw from streams of their own, so that one does not disturb another.

One position is a block of four 64-bit words. A draw starts at a fresh block and uses the words in order; a
float64 takes the upper 53 bits of a word, a float32 or float16 the upper 24 bits of each 32-bit half, low
half first.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError

_MASK = (1 << 64) - 1
WORDS = 4  # of 64 bits in a block
# Below so many numbers sorting them directly is as fast.
_FEW = 800


# The generators in use, by (seed, stream), each with the position at which it stands: making one costs 30 µs,
# drawing on from one that stands at the right place 1 µs. Taken out while in use, so threads cannot share
# one.
_standing: dict[tuple[int, int], tuple[numpy.random.Philox, int]] = {}


def words(seed: int, stream: int, position: int, count: int) -> numpy.ndarray:
    """Return `count` words (uint64) of the stream, from block `position` on."""
    key = (seed & _MASK, stream & _MASK)
    bits, at = _standing.pop(key, (None, -1))
    if bits is None or at != position:
        # NumPy's Philox counts up before it computes a block, so it is set one block back.
        counter = (position - 1) % (1 << 256)
        limbs = numpy.array([(counter >> (64 * i)) & _MASK for i in range(4)], dtype=numpy.uint64)
        bits = numpy.random.Philox(counter=limbs, key=numpy.array(key, dtype=numpy.uint64))
    blocks = -(-count // WORDS)
    drawn = bits.random_raw(blocks * WORDS)[:count]
    if len(_standing) >= 64:
        _standing.clear()
    _standing[key] = (bits, position + blocks)
    return drawn


def blocks_for(count: int, dtype: dtypes.dtype) -> int:
    """Return how many blocks `count` uniform numbers of the given type take."""
    per_word = 1 if dtype is dtypes.float64 else 2
    return -(-count // (WORDS * per_word))


def uniform(
    seed: int, stream: int, position: int, shape: tuple[int, ...], dtype: dtypes.dtype
) -> numpy.ndarray:
    """Return numbers uniform in [0, 1), a multiple of 2⁻⁵³ (float64), 2⁻²⁴ (float32) or 2⁻¹¹ (float16)."""
    count = int(numpy.prod(shape, dtype=numpy.int64))
    if dtype is dtypes.float64:
        return ((words(seed, stream, position, count) >> numpy.uint64(11)) * 2.0**-53).reshape(shape)
    halves = words(seed, stream, position, -(-count // 2)).astype("<u8", copy=False).view("<u4")[:count]
    if dtype is dtypes.float16:
        return ((halves >> numpy.uint32(21)) * numpy.float32(2.0**-11)).astype(numpy.float16).reshape(shape)
    return ((halves >> numpy.uint32(8)).astype(numpy.float32) * numpy.float32(2.0**-24)).reshape(shape)


def normal(
    seed: int, stream: int, position: int, shape: tuple[int, ...], dtype: dtypes.dtype
) -> numpy.ndarray:
    """Return standard normal numbers, by the transform of Box and Muller (1958) of float64 uniforms."""
    count = int(numpy.prod(shape, dtype=numpy.int64))
    pairs = -(-count // 2)
    u = uniform(seed, stream, position, (2, pairs), dtypes.float64)
    radius = numpy.sqrt(-2.0 * numpy.log1p(-u[0]))
    angle = (2.0 * numpy.pi) * u[1]
    both = numpy.concatenate([radius * numpy.cos(angle), radius * numpy.sin(angle)])
    return both[:count].astype(dtype.numpy).reshape(shape)


def normal_blocks(count: int) -> int:
    """Return how many blocks `count` normal numbers take."""
    return blocks_for(2 * -(-count // 2), dtypes.float64)


def name_to_stream(*path: Any) -> int:
    """Return the number of the stream that a path of names and integers stands for.

    It is the 64-bit hash FNV-1a (Fowler, Noll and Vo, 1991) of the path; streams with different numbers are
    independent.

    >>> name_to_stream("order", 1) == name_to_stream("order", 1)
    True
    >>> name_to_stream("order", 1) == name_to_stream("order", 2)
    False
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in path)
    number = 0xCBF29CE484222325
    for byte in text.encode():
        number = ((number ^ byte) * 0x100000001B3) & _MASK
    return number


class Generator:
    """A stream of random numbers whose state is three integers: seed, stream, position.

    >>> g = Generator().manual_seed(7)
    >>> bool((g.random((3,)) == Generator().manual_seed(7).random((3,))).all())
    True
    >>> g.get_state() == {"seed": 7, "stream": name_to_stream("default"), "position": 1}
    True
    """

    __slots__ = ("position", "seed", "stream")

    def __init__(self, device: Any = "cpu", *, seed: int = 0, stream: int | None = None) -> None:
        # The device is accepted as PyTorch's Generator does; numbers do not depend on it.
        self.seed = _check_seed(seed)
        self.stream = name_to_stream("default") if stream is None else stream
        self.position = 0

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from `seed`, an integer in [-2⁶³, 2⁶⁴). Returns the generator itself."""
        self.seed, self.position = _check_seed(seed), 0
        return self

    def initial_seed(self) -> int:
        """Return the seed."""
        return self.seed

    def get_state(self) -> dict[str, int]:
        """Return the state as a dict of three integers."""
        return {"seed": self.seed, "stream": self.stream, "position": self.position}

    def set_state(self, state: dict[str, int]) -> Generator:
        """Go to a state that `get_state` returned. Returns the generator itself."""
        self.seed, self.stream, self.position = (int(state[k]) for k in ("seed", "stream", "position"))
        return self

    def take(self, blocks: int) -> int:
        """Reserve `blocks` blocks and return the position of the first."""
        position = self.position
        self.position += blocks
        return position

    def random(self, shape: tuple[int, ...] = (), dtype: Any = dtypes.float32) -> numpy.ndarray:
        """Return an array of numbers uniform in [0, 1)."""
        kind = dtypes.as_dtype(dtype)
        count = int(numpy.prod(shape, dtype=numpy.int64))
        return uniform(self.seed, self.stream, self.take(blocks_for(count, kind)), tuple(shape), kind)

    def normal(self, shape: tuple[int, ...] = (), dtype: Any = dtypes.float32) -> numpy.ndarray:
        """Return an array of standard normal numbers."""
        count = int(numpy.prod(shape, dtype=numpy.int64))
        position = self.take(normal_blocks(count))
        return normal(self.seed, self.stream, position, tuple(shape), dtypes.as_dtype(dtype))

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> numpy.ndarray:
        """Return int64 numbers uniform in [low, high). Raises `ArgumentError` if the range is empty.

        The bias of taking a 64-bit word modulo the range is below (high - low) / 2⁶⁴.
        """
        if high <= low:
            raise ArgumentError(f"integers need low < high, not low={low}, high={high}.")
        count = int(numpy.prod(shape, dtype=numpy.int64))
        raw = words(self.seed, self.stream, self.take(-(-count // WORDS)), count)
        return ((raw % numpy.uint64(high - low)).astype(numpy.int64) + low).reshape(shape)

    def permutation(self, n: int) -> numpy.ndarray:
        """Return the integers 0 … n-1 (int64) in random order: the order that sorts n random words."""
        raw = words(self.seed, self.stream, self.take(-(-n // WORDS)), n)
        return _sorting_order(raw)


def _sorting_order(numbers: numpy.ndarray) -> numpy.ndarray:
    """Return ``argsort(numbers, kind="stable")`` of words, several times as fast where they are random.

    Their upper bits with their places below them are sorted as one number each, which NumPy does in vectors.
    That two agree in the upper bits has a chance of about n³ / 2⁶⁵; then the lower ones decide.
    """
    n = len(numbers)
    if n < _FEW:
        return numpy.argsort(numbers, kind="stable")
    low = numpy.uint64((n - 1).bit_length())
    keys = numbers >> low << low
    keys |= numpy.arange(n, dtype=numpy.uint64)
    keys.sort()
    mask = (numpy.uint64(1) << low) - numpy.uint64(1)
    if ((keys[1:] ^ keys[:-1]) <= mask).any():
        return numpy.argsort(numbers, kind="stable")
    keys &= mask
    return keys.view(numpy.int64)


def _check_seed(seed: Any) -> int:
    try:
        value = operator.index(seed)
    except TypeError:
        raise ArgumentError(f"a seed is an integer, not {seed!r}.") from None
    if not -(1 << 63) <= value < (1 << 64):
        raise ArgumentError(f"a seed lies between -2**63 and 2**64 - 1; {value} does not.")
    return value & _MASK


def stream(seed: int, *path: Any) -> Generator:
    """Return an independent generator for a purpose, such as ``stream(seed, "order", epoch)``."""
    return Generator(seed=seed, stream=name_to_stream(*path))


default_generator = Generator()
dropout_generator = Generator(stream=name_to_stream("dropout"))
_DEFAULTS = {"default": default_generator, "dropout": dropout_generator}


def reserved(generator: Generator | None, blocks: int) -> dict[str, int]:
    """Return the place (seed, stream, position) of `blocks` blocks that no later draw uses.

    Without a generator, they are those of the default one.
    """
    g = generator or default_generator
    return {"seed": g.seed, "stream": g.stream, "position": g.take(blocks)}


def manual_seed(seed: int) -> Generator:
    """Seed every default stream (numbers, weights, dropout) and return the default generator.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0); a = sg.rand(2); _ = sg.manual_seed(0); bool((a == sg.rand(2)).all())
    True
    """
    for generator in _DEFAULTS.values():
        generator.manual_seed(seed)
    return default_generator


def initial_seed() -> int:
    """Return the seed of the default streams.

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(7)
    >>> sg.initial_seed()
    7
    """
    return default_generator.seed


def get_rng_state() -> dict[str, dict[str, int]]:
    """Return the state of the default streams: a few integers, ready for JSON.

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(7)
    >>> before = sg.get_rng_state()
    >>> x = sg.rand(2)
    >>> sg.set_rng_state(before)
    >>> bool((sg.rand(2) == x).all())
    True
    """
    return {name: generator.get_state() for name, generator in _DEFAULTS.items()}


def set_rng_state(state: dict[str, dict[str, int]]) -> None:
    """Set the default streams to a state that `get_rng_state` returned.

    >>> import stepgrad as sg
    >>> before = sg.get_rng_state()
    >>> x = sg.rand(2)
    >>> sg.set_rng_state(before)
    >>> bool((sg.rand(2) == x).all())
    True
    """
    for name, generator in _DEFAULTS.items():
        generator.set_state(state[name])
