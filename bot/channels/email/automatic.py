"""Whether a machine wrote a mail: answering one starts a loop (RFC 3834). Pure."""

from email.message import Message

from bot.channels.email.recipients import is_ours

_BULK = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})
_HOPS_LIMIT = 50
# Headers that only programs write; `no` says that it was none.
_MARKS = (
    "X-Autoreply",
    "X-Auto-Reply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Autoreply-From",
    "X-Mail-Autoreply",
    "X-FC-MachineGenerated",
    "X-Cron-Env",
    "X-Failed-Recipients",
    "X-MS-Exchange-Inbox-Rules-Loop",
    "X-MLServer",
    "List-Id",
    "List-Post",
)
_DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon"})
_REPORTS = frozenset({"multipart/report", "message/delivery-status", "message/disposition-notification"})


def is_automatic(mail: Message, sender: str | None, author: str, address: str) -> bool:
    """`sender` is the envelope's where there is one, `author` who wrote it, `address` ours."""
    return (
        _word(mail, "Auto-Submitted") not in ("", "no")
        or _word(mail, "Precedence") in _BULK
        or _word(mail, "X-Precedence") in _BULK
        or any(_word(mail, name) not in ("", "no", "false", "none") for name in _MARKS)
        # What it suppresses are answers of machines: people's mail programs do not write it.
        or _word(mail, "X-Auto-Response-Suppress") not in ("", "none")
        # One-click unsubscribing is for bulk mail; the plain header also stands in letters of sales people.
        or (mail.get("List-Unsubscribe") is not None and mail.get("List-Unsubscribe-Post") is not None)
        or sender == ""
        or _word(mail, "Return-Path") == "<>"
        or mail.get_content_type() in _REPORTS
        or author.partition("@")[0] in _DAEMONS
        or is_ours(author, address)
        or _came_back(mail, address)
    )


def _came_back(mail: Message, address: str) -> bool:
    """It went round: through us before, or through more servers than any mail needs."""
    domain = address.rpartition("@")[2].lower()
    loops = [str(value).strip().strip("<>").lower() for value in mail.get_all("X-Loop", [])]
    hops = mail.get_all("Received", [])
    return any(loop == domain or loop.endswith(f"@{domain}") for loop in loops) or len(hops) > _HOPS_LIMIT


def _word(mail: Message, name: str) -> str:
    """A header's first word, in lower case."""
    return str(mail.get(name, "")).partition(";")[0].partition(",")[0].strip().lower()
