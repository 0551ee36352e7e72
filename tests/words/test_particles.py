import pytest

from stepgrad.words.particles import PAIRS, with_particle


@pytest.mark.parametrize(
    "word, pair, expected",
    [
        # Hangul: by the final consonant, and ㄹ before 로
        ("가격", "을/를", "가격을"),
        ("나이", "을/를", "나이를"),
        ("서울", "으로/로", "서울로"),
        ("부산", "으로/로", "부산으로"),
        ("제주", "으로/로", "제주로"),
        ("서울", "은/는", "서울은"),
        ("힣", "이/가", "힣이"),
        ("가", "이/가", "가가"),
        # Digits: 영 일 이 삼 사 오 육 칠 팔 구
        ("0", "이/가", "0이"),
        ("1", "은/는", "1은"),
        ("1", "으로/로", "1로"),
        ("2", "을/를", "2를"),
        ("3", "으로/로", "3으로"),
        ("4", "과/와", "4와"),
        ("5", "이라/라", "5라"),
        ("6", "과/와", "6과"),
        ("7", "으로/로", "7로"),
        ("8", "으로/로", "8로"),
        ("9", "이나/나", "9나"),
        # Whole numbers: 십, 백, 천, 만, 억 close with a consonant, 조 does not
        ("10", "이/가", "10이"),
        ("1,000", "을/를", "1,000을"),
        ("20000", "으로/로", "20000으로"),
        ("1,000,000,000,000", "을/를", "1,000,000,000,000를"),
        ("10000000000000000", "을/를", "10000000000000000을"),
        # Decimals are read digit by digit: 0.10 ends in 영
        ("0.10", "이/가", "0.10이"),
        ("3.2", "이/가", "3.2가"),
        # Letters by their names, words as loanwords
        ("MSE", "을/를", "MSE를"),
        ("URL", "으로/로", "URL로"),
        ("x", "은/는", "x는"),
        ("R", "은/는", "R은"),
        ("price", "을/를", "price를"),
        ("label", "을/를", "label을"),
        ("table", "으로/로", "table로"),
        ("column", "이/가", "column이"),
        ("name", "은/는", "name은"),
        ("step", "을/를", "step을"),
        # Signs
        ("97.8%", "을/를", "97.8%를"),
        ("R²", "은/는", "R²은"),
        # What closes a word is not read
        ("'가격'", "을/를", "'가격'을"),
        ("나이(세)", "은/는", "나이(세)는"),
        ("", "을/를", "를"),
    ],
)
def test_the_particle_follows_how_the_word_is_read_aloud(word, pair, expected):
    assert pair in PAIRS
    assert with_particle(word, pair) == expected
