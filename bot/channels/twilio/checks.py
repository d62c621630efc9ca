"""The live test: what Twilio says of the account, its numbers and where their messages go."""

from collections.abc import Mapping

from twilio.rest import Client  # type: ignore[import-untyped]

from bot.adapter import Check
from bot.channels.checking import webhook
from bot.messages import ChannelName


async def look(
    client: Client, account_sid: str, numbers: Mapping[ChannelName, str], service: str, incoming: str
) -> tuple[Check, ...]:
    """Ask Twilio. `incoming` is our address for messages. Raises TwilioException, ChannelRetryable."""
    account = await client.api.v2010.accounts(account_sid).fetch_async()
    if account.status != "active":
        return (
            Check("check.twilio.closed", "bad", {"name": account.friendly_name, "status": account.status}),
        )
    found = [Check("check.twilio.account", "ok", {"name": account.friendly_name})]
    if account.type == "Trial":
        found.append(Check("check.twilio.trial", "warn"))
    if "sms" in numbers:
        found += await _sms(client, numbers["sms"], service, incoming)
    if "whatsapp" in numbers:
        # Twilio's API tells of WhatsApp senders to few accounts: a person looks.
        values = {"number": numbers["whatsapp"], "url": incoming}
        found.append(Check("check.twilio.whatsapp", "ok", values))
    return tuple(found)


async def _sms(client: Client, number: str, service: str, incoming: str) -> list[Check]:
    owned = await client.incoming_phone_numbers.list_async(phone_number=number, limit=1)
    if not owned:
        # A short code or a sender's name is none of these, and has no webhook of its own.
        return [
            Check(
                "check.twilio.number_missing", "bad" if number.startswith("+") else "warn", {"number": number}
            )
        ]
    found = [Check("check.twilio.number", "ok", {"number": number})]
    goes_to = owned[0].sms_url or ""
    if service:
        pool = await client.messaging.v1.services(service).fetch_async()
        found.append(Check("check.twilio.service", "ok", {"name": pool.friendly_name}))
        if not pool.use_inbound_webhook_on_number:
            goes_to = pool.inbound_request_url or ""
    return [*found, webhook(goes_to, incoming)]
