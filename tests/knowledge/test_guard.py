"""The guard: nothing a passage does not hold is said in its name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.guard import stands

SOURCE = (
    "Returns. You can return a product within 7 days of the bill, on Monday to Saturday, if the box is "
    "whole. The pick-up costs ₹1,250. Write to help@shop.example or see https://shop.example/returns."
)


@pytest.mark.parametrize(
    "said",
    [
        "You can return a product within 7 days of the bill.",
        "Return the product within 7 days. The pick-up costs ₹1250.",
        "See https://shop.example/returns.",
        "Write to help@shop.example.",
        "Return a product in ७ days of the bill.",
        "The pick-up costs Rs. 1250.",
        "You can return it on Saturday if the Box is whole.",
    ],
)
def test_what_stands_passes(said: str) -> None:
    assert stands(said, SOURCE)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "You can return a product within 10 days of the bill.",
        "You can return a product within thirty days of the bill.",
        "You can return a product on Sunday.",
        "The pick-up costs ₹250.",
        "The pick-up is free.",
        "The pick-up costs $1,250.",
        "You can return a product within 7 weeks of the bill.",
        "You cannot return a product within 7 days of the bill.",
        "You can return a product to Ramesh within 7 days of the bill.",
        "You can return a product within 7 days of the bill in March.",
        "See https://shop.example/return.",
        "See https://evil.example/returns.",
        "See shop-returns.com for the product return.",
        "Write to ceo@shop.example.",
        "Our chef recommends the pasta with basil and cheese.",
        "You can return a product within 7 days of the bill. Our chef recommends pasta with basil.",
        "You can return a product within १० days of the bill.",
    ],
)
def test_what_does_not_stand_is_refused(said: str) -> None:
    assert not stands(said, SOURCE)


@given(st.text(max_size=80), st.integers(0, 10**9), st.text(max_size=40))
def test_a_number_that_is_not_in_the_source_never_passes(before: str, number: int, after: str) -> None:
    said = f"{before} {number} {after}"
    held = set(re.findall(r"\d+", SOURCE.replace(",", "")))
    if str(number) not in held:
        assert not stands(said, SOURCE)


@given(st.from_regex(r"https?://[a-z]{3,8}\.(com|in|org)/[a-z]{0,5}", fullmatch=True))
def test_a_link_that_is_not_in_the_source_never_passes(link: str) -> None:
    assert not stands(f"You can return a product: {link}", SOURCE)
