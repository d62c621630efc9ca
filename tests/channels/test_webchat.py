"""The web chat adapter."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.webchat import WebChat, inbound_from_page
from bot.errors import ChannelRejected, InvalidInput, NotFound, SamvadError, TooLarge
from bot.messages import Identity, Media, MediaKind, WebhookRequest


async def test_send_is_a_publish(outbound):
    published = []

    async def publish(address: str, outbox_id: str) -> None:
        published.append((address, outbox_id))

    channel = WebChat(publish)
    await channel.open()
    receipt = await channel.send(outbound("webchat", "web", "visitor-1"))
    await channel.close()
    assert receipt.external_id == "outbox-1"
    assert published == [("visitor-1", "outbox-1")]
    for call in (channel.parse, channel.verify):
        with pytest.raises(NotFound):
            call(WebhookRequest("POST", "http://samvad.test/", {}, b""))
    with pytest.raises(ChannelRejected):
        _ = [part async for part in channel.fetch_media(Media(MediaKind.IMAGE, "x"))]


def test_message_of_a_page(payload):
    message = inbound_from_page(payload("webchat", "text"), "visitor-1")
    assert (message.channel, message.account, message.address) == ("webchat", "web", "visitor-1")
    assert message.text == "Do you deliver to Pune?"
    assert message.event_key == message.external_id == "visitor-1:c1"
    assert message.identities == (Identity("webchat", "visitor-1", verified=True),)
    assert message.at is None
    assert inbound_from_page(payload("webchat", "button"), "v").button == "affirm"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ([], None),
        ({"type": "typing"}, "type"),
        ({"type": "message", "text": "hi"}, "id"),
        ({"type": "message", "id": 5, "text": "hi"}, "id"),
        ({"type": "message", "id": "x" * 201, "text": "hi"}, "id"),
        ({"type": "message", "id": "1", "text": ["hi"]}, "text"),
        ({"type": "message", "id": "1", "text": "  "}, "text"),
        ({"type": "message", "id": "1"}, "text"),
        ({"type": "message", "id": "1", "text": "hi", "button": "x" * 201}, "button"),
    ],
)
def test_bad_shapes(data, field):
    with pytest.raises(InvalidInput) as refused:
        inbound_from_page(data, "visitor-1")
    assert refused.value.data.get("field") == field


def test_too_long():
    with pytest.raises(TooLarge):
        inbound_from_page({"type": "message", "id": "1", "text": "x" * 4097}, "v")


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@given(
    st.dictionaries(st.sampled_from(["type", "id", "text", "button"]), VALUES | st.just("message")) | VALUES
)
def test_random_json_is_never_an_accident(data):
    with contextlib.suppress(SamvadError):
        inbound_from_page(data, "v")
