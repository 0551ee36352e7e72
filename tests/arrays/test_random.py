"""Random streams: Philox itself, positions, state, distributions, independence."""

import json
import math
import threading

import numpy
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.arrays import dtypes, random
from stepgrad.errors import ArgumentError
from tests.registry import philox

SEEDS = st.integers(-(2**63), 2**64 - 1)
WORDS = st.integers(0, 2**64 - 1)
POSITIONS = st.one_of(st.integers(0, 10), st.integers(2**64 - 2, 2**64 + 2), st.integers(0, 2**80))

# The known answers of Random123, the library of the paper's authors: counter, key, block.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]


# ------------------------------------------------------------------------------------------- the generator


@pytest.mark.parametrize("counter, key, words", KNOWN)
def test_philox_gives_the_known_answers(counter, key, words):
    position = sum(limb << (64 * i) for i, limb in enumerate(counter))
    expected = [int(word, 16) for word in words.split()]
    assert random.words(*key, position, 4).tolist() == expected
    assert philox.block(counter, key) == expected


@given(SEEDS, WORDS, POSITIONS, st.integers(0, 9))
def test_words_are_a_function_of_seed_stream_and_position(seed, stream, position, count):
    assert random.words(seed, stream, position, count).tolist() == philox.words(seed, stream, position, count)


@given(st.lists(st.integers(0, 5), max_size=8))
def test_drawing_on_is_drawing_from_there(counts):
    position, together = 0, []
    for count in counts:
        together += random.words(7, 8, position, 4 * count).tolist()
        position += count
    assert together == philox.words(7, 8, 0, 4 * sum(counts))


def test_threads_draw_from_one_stream_without_disturbing_each_other():
    expected = philox.words(1, 2, 0, 400)
    wrong = []

    def work() -> None:
        for _ in range(20):
            for start in range(0, 100, 5):
                if random.words(1, 2, start, 20).tolist() != expected[4 * start : 4 * start + 20]:
                    wrong.append(start)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# ------------------------------------------------------------------------------------------------- state


def test_the_state_is_three_integers():
    g = sg.Generator().manual_seed(5)
    g.random((7,))
    state = g.get_state()
    assert state == {"seed": 5, "stream": random.name_to_stream("default"), "position": 1}
    assert all(type(value) is int for value in state.values())
    assert json.loads(json.dumps(state)) == state
    assert g.initial_seed() == 5


@given(
    st.lists(st.sampled_from(["random", "normal", "integers", "permutation"]), max_size=6), st.integers(1, 20)
)
def test_from_any_state_the_same_numbers_follow(draws, size):
    def draw(g: sg.Generator, kind: str) -> list[float]:
        if kind == "integers":
            return g.integers(0, 100, (size,)).tolist()
        return (g.permutation(size) if kind == "permutation" else getattr(g, kind)((size,))).tolist()

    g = sg.Generator(seed=3)
    for kind in draws:
        state = g.get_state()
        numbers = draw(g, kind)
        assert draw(sg.Generator().set_state(state), kind) == numbers
    after = g.random((3,)).tolist()
    again = sg.Generator(seed=3)
    for kind in draws:
        draw(again, kind)
    assert again.random((3,)).tolist() == after


def test_the_default_streams_are_seeded_together_and_saved_together():
    sg.manual_seed(11)
    assert sg.initial_seed() == 11
    state = sg.get_rng_state()
    assert set(state) == {"default", "dropout"}
    first = [
        sg.rand(3).tolist(),
        sg.randn(2).tolist(),
        sg.randint(0, 9, (4,)).tolist(),
        sg.randperm(5).tolist(),
    ]
    random.dropout_generator.take(4)
    sg.set_rng_state(state)
    assert sg.get_rng_state() == state
    again = [
        sg.rand(3).tolist(),
        sg.randn(2).tolist(),
        sg.randint(0, 9, (4,)).tolist(),
        sg.randperm(5).tolist(),
    ]
    assert first == again
    sg.manual_seed(11)
    assert sg.rand(3).tolist() == first[0]


def test_a_generator_of_one_s_own_leaves_the_default_alone():
    sg.manual_seed(0)
    before = sg.get_rng_state()
    sg.rand(5, generator=sg.Generator(seed=1))
    assert sg.get_rng_state() == before


@pytest.mark.parametrize("seed", [1.5, "3", None, [1]])
def test_a_seed_is_an_integer(seed):
    with pytest.raises(ArgumentError, match="a seed is an integer, not"):
        sg.manual_seed(seed)


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_a_seed_has_64_bits(seed):
    with pytest.raises(ArgumentError, match=r"a seed lies between -2\*\*63 and 2\*\*64 - 1"):
        sg.Generator(seed=seed)


def test_seeds_from_elsewhere():
    assert (
        sg.Generator(seed=numpy.int64(4)).random((2,)).tolist() == sg.Generator(seed=4).random((2,)).tolist()
    )
    assert sg.Generator(seed=-1).random().item() == sg.Generator(seed=2**64 - 1).random().item()


# ----------------------------------------------------------------------------------------- distributions


def test_uniform_numbers_are_the_upper_bits_of_the_words():
    words = philox.words(3, 4, 5, 8)
    double = random.uniform(3, 4, 5, (8,), dtypes.float64)
    assert double.tolist() == [(w >> 11) / 2**53 for w in words]
    halves = [h for w in words for h in (w & 0xFFFFFFFF, w >> 32)]
    single = random.uniform(3, 4, 5, (16,), dtypes.float32)
    assert single.tolist() == [(h >> 8) / 2**24 for h in halves]
    half = random.uniform(3, 4, 5, (16,), dtypes.float16)
    assert half.tolist() == [(h >> 21) / 2**11 for h in halves]
    assert (double.dtype, single.dtype, half.dtype) == (numpy.float64, numpy.float32, numpy.float16)


@pytest.mark.parametrize("dtype", [sg.float16, sg.float32, sg.float64], ids=str)
def test_numbers_are_uniform(dtype):
    sg.manual_seed(0)
    x = sg.rand(20_000, dtype=dtype).numpy().astype("float64")
    assert x.min() >= 0
    assert x.max() < 1
    assert scipy.stats.kstest(x + 0.5 * 2.0**-11 * (dtype is sg.float16), "uniform").pvalue > 0.01
    pairs = numpy.histogram2d(x[::2], x[1::2], bins=8)[0].reshape(-1)
    assert scipy.stats.chisquare(pairs).pvalue > 0.01


@pytest.mark.parametrize("dtype", [sg.float16, sg.float32, sg.float64], ids=str)
def test_numbers_are_normal(dtype):
    sg.manual_seed(0)
    x = sg.randn(20_001, dtype=dtype).numpy().astype("float64")
    assert numpy.isfinite(x).all()
    assert abs(x.mean()) < 4 / math.sqrt(x.size)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / x.size)
    assert abs(scipy.stats.skew(x)) < 4 * math.sqrt(6 / x.size)
    assert abs(scipy.stats.kurtosis(x)) < 4 * math.sqrt(24 / x.size)
    assert scipy.stats.kstest(x, "norm").pvalue > 0.01


def test_normal_numbers_of_different_dtypes_are_the_same_ones():
    drawn = [random.normal(1, 2, 3, (9,), d) for d in (dtypes.float64, dtypes.float32, dtypes.float16)]
    numpy.testing.assert_allclose(drawn[1], drawn[0], rtol=1e-7)
    numpy.testing.assert_allclose(drawn[2], drawn[0], rtol=1e-3)


def test_integers_cover_their_range_evenly():
    g = sg.Generator(seed=0)
    x = g.integers(-3, 4, (7000,))
    assert x.dtype == numpy.int64
    counts = numpy.bincount(x + 3)
    assert len(counts) == 7
    assert scipy.stats.chisquare(counts).pvalue > 0.01
    wide = g.integers(-(2**63), 2**63 - 1, (100,))
    assert wide.min() < -(2**61) < 2**61 < wide.max()
    with pytest.raises(ArgumentError, match="integers need low < high, not low=3, high=3"):
        g.integers(3, 3)


@given(st.integers(0, 50), SEEDS)
def test_a_permutation_holds_every_index_once(n, seed):
    order = sg.Generator(seed=seed).permutation(n)
    assert order.dtype == numpy.int64
    assert sorted(order.tolist()) == list(range(n))


@pytest.mark.parametrize("n", [799, 800, 1024, 1025, 30_000])
def test_a_permutation_is_the_order_that_sorts_the_words(n):
    g = sg.Generator(seed=3)
    numbers = random.words(g.seed, g.stream, 0, n)
    assert g.permutation(n).tolist() == sorted(range(n), key=numbers.tolist().__getitem__)


def test_words_that_differ_in_low_bits_alone_are_sorted_by_these(monkeypatch):
    # Of 2,000 the places take 11 bits: words below 2¹¹ agree above them. Equal ones stay in order.
    numbers = numpy.random.default_rng(0).integers(0, 50, 2000).astype(numpy.uint64)
    monkeypatch.setattr(random, "words", lambda *_: numbers)
    order = sg.Generator().permutation(2000)
    assert order.tolist() == sorted(range(2000), key=lambda i: (int(numbers[i]), i))


def test_permutations_are_even():
    g = sg.Generator(seed=1)
    first = numpy.bincount([g.permutation(5)[0] for _ in range(2000)], minlength=5)
    assert scipy.stats.chisquare(first).pvalue > 0.01


def test_shapes_without_numbers():
    g = sg.Generator()
    assert g.random((0, 3)).shape == (0, 3)
    assert g.normal((0,)).shape == (0,)
    assert g.random().shape == ()
    assert g.permutation(0).tolist() == []


# ---------------------------------------------------------------------------------------------- streams


def test_streams_are_named_by_paths():
    names = [("a",), ("b",), ("a", 1), ("a", 2), ("a", "1"), ("a1",), (1,), ("1",), (), ("a", "")]
    numbers = [random.name_to_stream(*path) for path in names]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= n < 2**64 for n in numbers)
    assert random.stream(7, "order", 3).get_state() == {
        "seed": 7,
        "stream": random.name_to_stream("order", 3),
        "position": 0,
    }


def test_the_hash_of_a_path_is_fnv_1a():
    # "str:a" hashed by hand: offset basis, then (hash ^ byte) * prime, modulo 2⁶⁴.
    number = 14695981039346656037
    for byte in b"str:a":
        number = (number ^ byte) * 1099511628211 % 2**64
    assert random.name_to_stream("a") == number


def test_streams_and_seeds_are_independent():
    drawn = numpy.array(
        [
            random.stream(seed, name).random((4000,), dtypes.float64)
            for seed in (0, 1)
            for name in ("a", "b", "c")
        ]
    )
    correlation = numpy.corrcoef(drawn) - numpy.eye(6)
    assert abs(correlation).max() < 4 / math.sqrt(4000)


def test_weights_and_dropout_do_not_disturb_each_other():
    sg.manual_seed(0)
    plain = sg.rand(5).tolist()
    sg.manual_seed(0)
    sg.nn.functional.dropout(sg.ones(100), 0.5)
    assert sg.rand(5).tolist() == plain


def test_dropout_masks():
    mask = sg.nn.functional.dropout(sg.ones(20_000), 0.25)
    values, counts = numpy.unique(mask.numpy(), return_counts=True)
    numpy.testing.assert_allclose(values, [0, 1 / 0.75], rtol=1e-6)
    assert abs(counts[0] / 20_000 - 0.25) < 0.02


# ------------------------------------------------------------------------------------- drawing from others


def test_multinomial_draws_in_proportion():
    sg.manual_seed(0)
    p = sg.tensor([1.0, 0.0, 3.0, 6.0])
    drawn = numpy.bincount(sg.multinomial(p, 10_000, replacement=True).numpy(), minlength=4)
    assert drawn[1] == 0
    assert scipy.stats.chisquare(drawn[[0, 2, 3]], [1000, 3000, 6000]).pvalue > 0.01
    firsts = numpy.bincount([sg.multinomial(p, 2)[0].item() for _ in range(1000)], minlength=4)
    assert scipy.stats.chisquare(firsts[[0, 2, 3]], [100, 300, 600]).pvalue > 0.01


def test_multinomial_without_replacement_takes_each_once():
    rows = sg.multinomial(sg.rand(50, 6), 6)
    assert rows.shape == (50, 6)
    assert (numpy.sort(rows.numpy(), 1) == numpy.arange(6)).all()


def test_multinomial_says_what_it_needs():
    for p in ([-1.0, 2.0], [float("nan"), 1.0], [0.0, 0.0]):
        with pytest.raises(ArgumentError, match="needs finite probabilities ≥ 0 with a positive sum"):
            sg.multinomial(sg.tensor(p), 1)
    with pytest.raises(ArgumentError, match="cannot draw 2 without replacement"):
        sg.multinomial(sg.tensor([1.0, 0.0]), 2)


def test_bernoulli_and_normal():
    sg.manual_seed(0)
    p = sg.full((8000,), 0.3)
    x = sg.bernoulli(p)
    assert x.dtype is sg.float32
    assert set(x.tolist()) == {0, 1}
    assert abs(x.mean().item() - 0.3) < 0.03
    y = sg.normal(5.0, 2.0, (8000,))
    assert abs(y.mean().item() - 5) < 0.1
    assert abs(y.std().item() - 2) < 0.1
