"""Writing to customers: staff's operations of the pipeline, over HTTP."""

from aiohttp import web

from bot.errors import NotFound
from bot.pipeline import staff
from bot.records.actor import Actor
from bot.records.query.values import is_id
from bot.web.api.auth import answer
from bot.web.api.bodies import Body, Text, read
from bot.web.api.records import parameters
from bot.web.keys import APP

STARTED_ON = ("whatsapp", "sms", "telegram", "email")
"""Channels on which a conversation can be started; on web chat only the visitor can."""
_WORDS = Text("What to say to the customer.", "Your technician comes at 4 pm.", 100_000)
MESSAGE = Body(
    "NewMessage",
    {
        "conversation_id": Text(
            "The conversation to write in.", "01890a5d-ac96-774b-bcce-b302099a8057", 36, id=True
        ),
        "text": _WORDS,
    },
)
CONVERSATION = Body(
    "NewConversation",
    {
        "channel": Text("The channel to write on.", "whatsapp", 20, values=STARTED_ON),
        "address": Text(
            "The customer's address there: telephone number, mail address, Telegram chat id.",
            "+919876543210",
            320,
        ),
        "text": _WORDS,
        "name": Text("The customer's name, where it is known.", "Asha Rao", 200, required=False),
    },
)
NOTHING = Body("Nothing", {})


async def post_message(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Queue a reply; a conversation that the bot owns is taken over first."""
    parameters(request, ())
    given = await read(request, MESSAGE)
    app = request.app[APP]
    reply = await app.store.run(
        staff.reply, actor, given["conversation_id"], given["text"], app.runtime.features
    )
    return _queued(reply)


async def post_conversation(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Write to an address first; goes on with the conversation there is."""
    parameters(request, ())
    given = await read(request, CONVERSATION)
    app = request.app[APP]
    reply = await app.store.run(
        staff.start,
        actor,
        given["channel"],
        given["address"],
        given["text"],
        app.runtime.features,
        name=given["name"],
        country=app.profile.country,
    )
    return _queued(reply)


def _queued(reply: staff.Reply) -> web.Response:
    """202: it is stored and will leave; its status is read at `/messages/{id}`."""
    body = {
        "id": reply.message_id,
        "conversation_id": reply.conversation_id,
        "status": "queued",
        "held": reply.held,
    }
    return answer(body, 202)


async def take_over(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Make the conversation the caller's: the bot falls silent."""
    conversation_id = await _conversation_of(request)
    await request.app[APP].store.run(staff.take_over, actor, conversation_id)
    return answer({"id": conversation_id, "owner": "human"})


async def hand_back(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Give the conversation back to the bot."""
    conversation_id = await _conversation_of(request)
    await request.app[APP].store.run(staff.hand_back, actor, conversation_id)
    return answer({"id": conversation_id, "owner": "bot"})


async def _conversation_of(request: web.Request) -> str:
    parameters(request, ())
    if request.can_read_body:
        await read(request, NOTHING)
    conversation_id = request.match_info["id"].lower()
    if not is_id(conversation_id):
        raise NotFound("There is no such conversation")
    return conversation_id
