"""Writing to customers: staff's operations of the pipeline, over HTTP."""

from bot.errors import NotFound
from bot.ids import is_id
from bot.pipeline import staff
from bot.records.tx import Tx
from bot.web.api.bodies import Body, Text
from bot.web.api.call import Answer, Call

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


def post_message(tx: Tx, call: Call) -> Answer:
    """Queue a reply; a conversation that the bot owns is taken over first."""
    return _queued(staff.reply(tx, call.body["conversation_id"], call.body["text"], call.features))


def post_conversation(tx: Tx, call: Call) -> Answer:
    """Write to an address first; goes on with the conversation there is."""
    given = call.body
    reply = staff.start(
        tx,
        given["channel"],
        given["address"],
        given["text"],
        call.features,
        name=given["name"],
        country=call.profile.country,
    )
    return _queued(reply)


def _queued(reply: staff.Reply) -> Answer:
    """202: it is stored and will leave; its status is read at `/messages/{id}`."""
    body = {
        "id": reply.message_id,
        "conversation_id": reply.conversation_id,
        "status": "queued",
        "held": reply.held,
    }
    return Answer(body, 202)


def take_over(tx: Tx, call: Call) -> Answer:
    """Make the conversation the caller's: the bot falls silent."""
    staff.take_over(tx, _conversation(call))
    return Answer({"id": call.id, "owner": "human"})


def hand_back(tx: Tx, call: Call) -> Answer:
    """Give the conversation back to the bot."""
    staff.hand_back(tx, _conversation(call))
    return Answer({"id": call.id, "owner": "bot"})


def _conversation(call: Call) -> str:
    if not is_id(call.id):
        raise NotFound("There is no such conversation")
    return call.id
