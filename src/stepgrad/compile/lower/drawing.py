"""Kernels of random numbers, as `arrays.random` draws them."""

from __future__ import annotations

from stepgrad.compile.lower.copying import copy
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Special
from stepgrad.compile.lower.register import Register, element_of

# Philox4x64-10: multipliers and the increments of the key (Salmon, Moraes, Dror and Shaw, 2011).
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >= 1 << 63 else x


def _philox(w: Writer, seed: Register, stream: Register, position: Register) -> list[Register]:
    """Return the four words of a block."""
    counter = [position, w.constant(0, "i64"), w.constant(0, "i64"), w.constant(0, "i64")]
    keys = [seed, stream]
    for turn in range(10):
        if turn:
            keys = [k + _signed(s) for k, s in zip(keys, _KEY_STEPS)]
        low, high = [], []
        for x, multiplier in zip((counter[0], counter[2]), _MULTIPLIERS):
            wide = w.emit(f"zext i64 {x.text} to i128", "i128")
            product = w.emit(f"mul i128 {wide.text}, {multiplier}", "i128")
            low.append(w.emit(f"trunc i128 {product.text} to i64", "i64"))
            shifted = w.emit(f"lshr i128 {product.text}, 64", "i128")
            high.append(w.emit(f"trunc i128 {shifted.text} to i64", "i64"))
        counter = [high[1] ^ counter[1] ^ keys[0], low[1], high[0] ^ counter[3] ^ keys[1], low[0]]
    return counter


def write_rand(special: Special) -> None:
    """Uniform numbers as `arrays.random.uniform` draws them. The input is the stream's state: seed,
    stream, position.
    """
    w, value, bases, given = special.w, special.value, special.bases, special.buffer(0)
    state = w.pointer(bases[given.storage], given.offset, "i64")
    seed, stream, position = (w.load(w.pointer(state, i, "i64"), "i64") for i in range(3))
    position = position + value.attrs["position"]
    element = element_of(value.dtype)
    per_block = 4 if element == "double" else 8
    out = special.outputs[0]
    target = w.pointer(bases[out.storage], out.offset, element)

    def block(index: Register, count: int) -> None:
        words = _philox(w, seed, stream, position + index)
        for i in range(count):
            if element == "double":
                x = w.emit(f"uitofp i64 {(words[i] >> 11).text} to double", "double") * 2.0**-53
            else:
                half = words[i // 2] >> (32 * (i % 2))
                narrow = w.emit(f"trunc i64 {half.text} to i32", "i32")
                x = w.emit(f"uitofp i32 {(narrow >> 8).text} to float", "float") * 2.0**-24
            w.store(x, w.pointer(target, index * per_block + i, element))

    whole, rest = divmod(value.size, per_block)
    w.loop(0, whole, 1, lambda i, _: block(i, per_block))
    if rest:
        block(w.constant(whole, "i64"), rest)
    for other in special.outputs[1:]:
        copy(w, out, other, bases)
