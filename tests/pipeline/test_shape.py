"""Cutting texts to their channel."""

from hypothesis import given
from hypothesis import strategies as st

from bot.adapter import Features
from bot.dialogs.render import Rendered
from bot.messages import Button
from bot.pipeline.shape import fit, split


@given(st.text(alphabet="ab .।\n", max_size=400), st.integers(5, 60))
def test_parts_hold_every_word_and_keep_the_limit(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_long_text_is_cut_at_a_sentence() -> None:
    assert split("One sentence. Another one. Third.", 20) == ["One sentence.", "Another one. Third."]


def test_buttons_become_numbers_where_the_channel_has_none() -> None:
    rendered = Rendered("Which?", (Button("a", "Delivery"), Button("b", "Returns")))
    assert fit(rendered, Features(text_limit=100)) == [("Which?\n1. Delivery\n2. Returns", ())]
    assert fit(rendered, Features(text_limit=100, buttons=3)) == [("Which?", rendered.buttons)]
    assert fit(rendered, Features(text_limit=100, buttons=3, button_title_limit=5))[0][1] == ()


def test_buttons_go_with_the_last_part() -> None:
    rendered = Rendered("One sentence. Another one.", (Button("a", "Yes"),))
    assert fit(rendered, Features(text_limit=15, buttons=3)) == [
        ("One sentence.", ()),
        ("Another one.", rendered.buttons),
    ]
