"""The small things that everything rests on: ids, secrets, money, errors, texts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevo.core.errors import STATUS, Code, GatewayError
from relevo.core.ids import request_id
from relevo.core.money import Price, nano_usd
from relevo.core.secret import MASK, Redactor, Secret
from relevo.core.types import Usage
from relevo.http.texts import LOCALES, TEXTS, text_of

counts = st.integers(0, 2**31)
prices = st.integers(0, 10**15)


def test_ids_are_unique_and_sort_by_time() -> None:
    """Ten thousand ids of one moment differ, and a later moment sorts after them."""
    ids = {request_id(1_790_000_000.0) for _ in range(10_000)}

    assert len(ids) == 10_000
    assert all(re.fullmatch(r"req_[0-9a-z]{26}", name) for name in ids)
    assert max(ids) < request_id(1_790_000_000.001)


def test_a_secret_never_prints_itself() -> None:
    """Text, representation, formatting and containers show a mask."""
    secret = Secret("invented-value")

    assert "invented" not in f"{secret} {secret!r} {[secret]} {{'k': secret}} %s" % secret
    assert secret.reveal() == "invented-value"
    assert (bool(Secret("")), bool(secret)) == (False, True)


def test_the_redactor_blanks_out_every_known_secret() -> None:
    """The longer of two overlapping secrets goes first; short values are left alone."""
    redactor = Redactor([Secret("invented-value"), Secret("invented-value-two"), Secret("abc")])

    assert redactor.clean("x invented-value-two y invented-value abc") == f"x {MASK} y {MASK} abc"


@given(prices, prices, counts, counts)
def test_a_cost_is_rounded_up_and_never_negative(input_price: int, output_price: int, n: int, m: int) -> None:
    """One answer is charged at least its exact cost, and less than a nano-dollar more."""
    price = Price(input_nano_usd_per_mtok=input_price, output_nano_usd_per_mtok=output_price)
    cost = price.cost_nano_usd(Usage(input_tokens=n, output_tokens=m))

    exact = n * input_price + m * output_price
    assert exact <= cost * 1_000_000 < exact + 1_000_000


@pytest.mark.parametrize(
    ("usd", "nano"), [(0.07, 70_000_000), ("0.0125", 12_500_000), (0, 0), (1e-9, 1), (15, 15 * 10**9)]
)
def test_dollars_of_a_file_become_exact_integers(usd: float | str, nano: int) -> None:
    """Decimal arithmetic: no price is a binary fraction off."""
    assert nano_usd(usd) == nano


def test_every_code_has_a_status_and_a_text_in_each_language() -> None:
    """A new code cannot be forgotten in one of the tables."""
    assert STATUS.keys() == set(Code)
    assert {code.value for code in Code} <= TEXTS.keys()
    for texts in TEXTS.values():
        assert texts.keys() == set(LOCALES)
        holes = [set(re.findall(r"{(\w+)}", text)) for text in texts.values()]
        assert holes[0] == holes[1]


def test_a_caller_s_word_in_a_text_is_short_and_printable() -> None:
    """No escape sequence and no flood comes back in an error."""
    error = GatewayError(Code.UNKNOWN_TASK, task="\x1b[2J\n" + "x" * 500, known=["T"], hint="")
    text = text_of(error, "en")

    assert text.isprintable()
    assert len(text) < 300
