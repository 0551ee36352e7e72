"""Philox4x64-10 in plain Python, after the paper: Salmon, Moraes, Dror and Shaw, 2011, section 3.3."""

MASK = (1 << 64) - 1
MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B  # the golden ratio and √3 − 1, as fractions of 2⁶⁴


def block(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """The four 64-bit words of one block."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = MULTIPLIERS[0] * x0, MULTIPLIERS[1] * x2
        x0, x1, x2, x3 = (
            (second >> 64) ^ x1 ^ k0,
            second & MASK,
            (first >> 64) ^ x3 ^ k1,
            first & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [x0, x1, x2, x3]


def words(seed: int, stream: int, position: int, count: int) -> list[int]:
    """`count` words of the stream (seed, stream) from block `position` on."""
    found: list[int] = []
    while len(found) < count:
        limbs = tuple((position >> (64 * i)) & MASK for i in range(4))
        found += block(limbs, (seed & MASK, stream & MASK))
        position = (position + 1) % (1 << 256)
    return found[:count]


def doubles(seed: int, stream: int, position: int, count: int) -> list[float]:
    """Numbers uniform in [0, 1): the upper 53 bits of each word."""
    return [(word >> 11) / 2**53 for word in words(seed, stream, position, count)]
