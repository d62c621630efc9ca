"""Bounces in free text: whether a text announces one, whom it names, where the returned mail begins. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

ADDRESS = (
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\uffff-]{1,64}"
    r"@[A-Za-z0-9\x80-\uffff][A-Za-z0-9._\x80-\uffff-]{0,200}"
)
_ROLES = frozenset({"postmaster", "mailer-daemon", "abuse", "hostmaster", "helpdesk", "support"})


@dataclass(frozen=True, slots=True)
class Said:
    """A receiver that a text names, and what it says of it."""

    address: str
    diagnosis: str


_RETURNED = re.compile(
    r"^[ \t>*|=~_:#.-]{0,90}(?:"
    r"(?:this|here|attachment|included|below|a copy)(?: [^\s]{1,20}){0,6} copy of (?:the|your)\b[^\n]{0,120}"
    r"|a (?:copy|summary) of (?:the|your) (?:original|undelivered) [^\n]{0,80}"
    r"|(?:the )?(?:first \d{1,4} lines of )?(?:your |the )?(?:original|returned|unsent|forwarded"
    r"|rejected|undelivered|old)"
    r" (?:message|mail|e-?mail)s?(?: headers?| body| text| details?| info| as received| attached| follows?"
    r"| is as follows| \([^)\n]{0,40}\))*(?: follows?| below| attached)?[ \t]{0,9}[:.]?[ \t*|=~_-]{0,90}"
    r"|message (?:header|text|body|contents?)s?(?: [a-z]{1,12}){0,2}[ \t]{0,9}[:.]?[ \t*|=~_-]{0,90}"
    r"|(?:the )?headers? (?:of|and|from) [^\n]{0,80}|start of returned message[^\n]{0,40}"
    r"|your message reads[^\n]{0,40}|mensaje original[^\n]{0,40}|message d'origine[^\n]{0,40}"
    r"|below (?:this|the next) line is[^\n]{0,60}|returned mail follows[^\n]{0,60}"
    r"|copy of [^\n]{0,60} follows"
    r"|received: (?:from|by|\()[^\n]{0,200}|return-path: ?<[^\n]{0,200}|x-apparently-to:[^\n]{0,200}"
    r")$",
    re.IGNORECASE | re.MULTILINE,
)
# A line that names a receiver: the address first, perhaps marked, and then nothing or what befell it.
_LINE = re.compile(
    r"^(?P<in>[ \t]{0,60})(?:(?:[>*•|-]{1,4}|--)[ \t]{1,9}|>>> )?[\"'<\[(]{0,3}"
    r"(?:(?:smtp|rfc822|mailto)[:;=][ \t]?)?(?P<address>" + ADDRESS + r")[>\"'\])]{0,4}"
    r"(?P<rest>[ \t]{0,20}(?:=20)?$|[ \t]{0,9}[:;,][^\n]{0,400}$|[ \t]{1,9}(?:-|on|\.\.\."
    r"|[<(\[])[^\n]{0,400}$"
    r"|\.\.\.[^\n]{0,400}$)",
    re.IGNORECASE,
)
_SENTENCES = [
    re.compile(
        pattern.replace("ADDRESS", f"[\"'<\\[(]{{0,3}}(?:smtp:|rfc822;)?(?P<address>{ADDRESS})"),
        re.IGNORECASE,
    )
    for pattern in (
        r"(?:recipient|receiver|address(?:ee)?|undeliverable[ \t]{1,3}(?:address|to)|error-for|unknown user"
        r"|userid|mailbox is full|allowed size|attempts"
        r"|failed for)[^\S\n]{0,9}[:=]?[^\S\n]{0,9}\n?[ \t-]{0,9}ADDRESS",
        r"(?:undeliverable|deliver(?:ed|y)?(?: (?:your|this|the"
        r"|a))?(?: e-?mail)?(?: message)?(?: mail)?(?: failed)?"
        r"|remis)(?: to| for)?:?\s{0,40}ADDRESS",
        r"(?:your )?(?:e-?mail )?(?:message|mail)(?: sent)? (?:to|for):?\s{0,9}ADDRESS",
        r"address(?:ed)?(?: to)?[,:]?\s{1,9}ADDRESS",
        r"(?:reach|find|to) (?:the )?(?:following )?(?:recipient|user|address)(?:\(s\)|s"
        r"|es)?:?\s{0,9}ADDRESS",
        r"(?:mailbox|user|account|recipient|address)(?: name)? ADDRESS",
        r"(?:quota violation|mailbox|gateway|account|service) for:? ADDRESS",
        r"rcpt to:[ ]?ADDRESS",
        r"smtp=ADDRESS",
        r"\((?P<address>" + ADDRESS + r")\) not listed",
        r"original address ADDRESS",
    )
]
_EXPANDED = re.compile(rf"\((?:expanded|generated) from:?\s{{0,9}}<?(?P<address>{ADDRESS})", re.IGNORECASE)
_GENERATED = re.compile(rf"\(generated from <?(?P<address>{ADDRESS})", re.IGNORECASE)
# What a mail server said of one receiver: `550 5.1.1 <a@b>... User unknown`.
_REFUSED = re.compile(
    rf"^(?:<<< )?(?P<code>[45]\d\d(?:[ -][45]\.\d{{1,3}}\.\d{{1,3}})?)[ -]<?(?P<address>{ADDRESS})>?"
    r"(?:\.\.\.|:|,)[ \t]{0,9}(?P<said>[^\n]{1,300})$",
    re.MULTILINE,
)
# The returned mail's own To, last of all.
_SHOWN_TO = re.compile(rf"(?:^|[ \t])To:[ \t]{{0,9}}<?(?P<address>{ADDRESS})", re.MULTILINE)
_OPENER = re.compile(
    r"(?:recipient|address|receiver|user|following|delivered to)[^\n]{0,200}:[ \t]{0,9}\n\s{0,40}"
    r"(?P<local>[A-Za-z0-9._+-]{1,64})(?=[ \t]{0,9}(?:\n|$| {2,9}))",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"not delivered to the following:[ \t]{0,9}\n\s{0,40}(?P<local>[A-Za-z0-9._+-]{1,64})[ \t]", re.IGNORECASE
)


def split_returned(text: str) -> tuple[str, str]:
    """The report, and the mail that it returns in the same text."""
    for found in _RETURNED.finditer(text):
        # Never all of it: some begin with such a line.
        if text[: found.start()].strip():
            return text[: found.start()], text[found.start() :]
    return text, ""


def failed_in_text(text: str, subject: str = "", domain: str = "") -> list[Said]:
    """Whom the text names as not reached: by lines that begin with an address, else by sentences."""
    found = list(_by_lines(text)) or list(_by_transcript(text))
    found = found or [Said(one, "") for one in _by_sentences(text)]
    found = [_as_addressed(one) for one in found]
    more = [Said(one["address"].lower(), "") for one in _EXPANDED.finditer(text)]
    if not found and not more:
        more = [Said(one["address"].lower(), "") for one in _SHOWN_TO.finditer(text)][:1]
        more = more or [Said(one, "") for one in _by_sentences(subject)]
        more = more or [Said(one.lower(), "") for one in re.findall(rf": <?({ADDRESS})", subject)]
        # Old servers name their own users without the domain.
        local = _OPENER.search(text) or _BARE.search(text)
        if not more and local and domain:
            more = [Said(f"{local['local'].lower()}@{domain}", "")]
    unique: dict[str, Said] = {}
    for one in [*found, *more]:
        unique.setdefault(one.address, one)
    return list(unique.values())


def _by_lines(text: str) -> Iterator[Said]:
    address, diagnosis, depth = "", "", 0
    for line in text.split("\n"):
        match = _LINE.match(line[:800])
        indented = len(line) - len(line.lstrip())
        if (
            match
            and not (address and indented > depth and diagnosis.strip())
            and _is_person(match["address"])
        ):
            if address:
                yield Said(address, diagnosis)
            address, depth = match["address"].strip(".'").lower(), indented
            diagnosis = match["rest"].strip(" \t:;,") + "\n"
        elif address and len(diagnosis) < 1500:
            diagnosis += line.strip() + "\n"
    if address:
        yield Said(address, diagnosis)


def _as_addressed(one: Said) -> Said:
    """Exim names the address that ours was forwarded to, and ours beside it."""
    ours = _GENERATED.match(one.diagnosis.strip())
    return Said(ours["address"].lower(), one.diagnosis) if ours else one


def _by_transcript(text: str) -> Iterator[Said]:
    """Receivers in the record of an SMTP conversation, with the refusal of each."""
    for match in _REFUSED.finditer(text):
        if _is_person(match["address"]):
            yield Said(match["address"].lower(), f"{match['code']} {match['said']}")


def _by_sentences(text: str) -> list[str]:
    found: dict[int, str] = {}
    for pattern in _SENTENCES:
        for match in pattern.finditer(text):
            if _is_person(match["address"]):
                found[match.start("address")] = match["address"].strip(".'").lower()
    return list(dict.fromkeys(found[place] for place in sorted(found)))


def _is_person(address: str) -> bool:
    return address.partition("@")[0].lower() not in _ROLES


_SUBJECT = re.compile(
    r"undeliver|non-?deliver|deliver\w{0,5} (?:has |have )?(?:fail|problem|error|status|notif|report"
    r"|delay|warning)"
    r"|(?:failed|failure|failing|fail|error|returned|rejected|bounced?|undelivered) (?:mail|e-?mail"
    r"|message|deliver)"
    r"|(?:mail|message|e-?mail)(?: system| delivery| processing)? (?:fail|error|rejected|undeliver"
    r"|returned|bounce|not deliver)"
    r"|(?:mail|message|e-?mail)[^\n]{0,80}(?:could|can|was|has|were)(?: ?not"
    r"|n't)(?: yet)?(?: be(?:en)?)? (?:deliver|sent|send)"
    r"|failure notice|returned to sender|returning (?:message )?to sender|delivery (?:failure|status)"
    r"|nameserver error"
    r"|(?:message|mail|delivery)[^\n]{0,60}delayed|could not (?:be )?(?:send|sent|deliver)|processing error"
    r"|user unknown|\berrors from\b|mail failure|delivery problem|loop alert|are not member|non remis"
    r"|notification d'échec",
    re.IGNORECASE,
)
_SENDER = re.compile(
    r"mailer[-_. ]?daemon|post-?_?master|mail[-_. ]deliver|delivery[-_. ](?:sub)?system"
    r"|mail[-_. ]?(?:system|service|administrat)"
    r"|system administrator|\bmdaemon|antivirus|\bimss\b|mail\.delivery|\bndr@|bounce|interscan",
    re.IGNORECASE,
)
_NOUN = r"(?:e-?mail|mail|message|delivery|recipient|address|user)"
_FAILED = re.compile(
    r"(?:could|can|was|were|been|has|have|did|do|is|are)(?: ?not|n'?t)(?: yet)?(?: be(?:en)?)?(?: able to)?"
    r" (?:deliver|reach|send|sent|accept|receive|process|pass)"
    r"|not (?:yet )?(?:been )?delivered|not able to deliver|wasn'?t able to deliver"
    r"|un(?:able|deliver\w{2,9}) (?:to|address)|undeliver|deliver[a-z]{1,4} (?:[^\s]{1,20} ){0,6}fail"
    r"|following (?:e-?mail )?(?:address|recipient)[^\n]{0,40}(?:fail|reject)|deliver\w{0,4} problem"
    r"|(?:fatal|permanent|delivery) (?:delivery )?error|failed (?:recipient|address|delivery|permanent)"
    r"|(?:unknown|invalid|illegal) (?:user|recipient|final delivery|address|host)"
    r"|user (?:is )?(?:unknown|not known)"
    r"|no such user|mailbox (?:is )?(?:full|exceeds|unavailable)|quota exceed|(?:was"
    r"|been) (?:automatically )?(?:rejected|returned)"
    r"|rejected by|message delayed|has been (?:delayed|postponed)|pas pu [eê]tre|non (?:e' |è )?stato"
    r"|nicht zugestellt"
    r"|no (?:pudo|se pudo|ha podido)|не может быть|not a member of this|duplicated message-id"
    r"|exact(?:ly)? match"
    r"|did not reach|error was detected|No matches to nameserver"
    r"|无法(?:发送|送达|投递|传送)|退信|投递失败|送信できません|配信できません|届きません|配信に失敗|送信に失敗",
    re.IGNORECASE,
)
_MAIL_WORDS = re.compile(
    r"(?:recipient|e-?mail|mailbox|mailing list|message-id|smtp|mail server|returned|original message"
    r"|your message|message log|postmaster"
    r"|rcpt to|\b[45]\d\d[ -]|[45]\.\d\.\d)",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"out of (?:the )?office|vacation|auto(?:matic)?[ -]?(?:reply|response|responder)|auto-?respon"
    r"|abwesen|ausencia"
    r"|away from (?:the |my )?(?:office|mail)|on leave|holiday",
    re.IGNORECASE,
)


def announces_failure(mail: Message, subject: str, text: str) -> bool:
    """Whether this is a mail server's word. Two witnesses of three: who wrote, the subject, the text."""
    if _ANSWERS.search(subject) or (_ANSWERS.search(text[:400]) and not _FAILED.search(text)):
        return False
    subject = re.sub(r"\s+", " ", subject)
    sender = _by_machine(mail)
    spoken = bool(_FAILED.search(text)) and bool(_MAIL_WORDS.search(f"{text} {subject}"))
    titled = bool(_SUBJECT.search(subject))
    if sender:
        return spoken or titled or bool(_FAILED.search(text)) or any(_by_lines(text))
    if not _in_bulk(mail) and (mail.get("In-Reply-To") is not None or mail.get("References") is not None):
        # A person's answer, about whatever did not arrive.
        return False
    named = bool(re.search(ADDRESS, text)) if _in_bulk(mail) else bool(failed_in_text(text))
    return titled and spoken and named


def explains(diagnosis: str) -> bool:
    """Whether it says why: below the address some only say whom to ask."""
    return bool(
        _FAILED.search(diagnosis) or re.search(r"\b[45]\d\d\b|[45]\.\d\.\d|[Ee]rror|full|quota", diagnosis)
    )


def _in_bulk(mail: Message) -> bool:
    """List managers and other programs say so."""
    submitted = str(mail.get("Auto-Submitted", "no")).strip().lower()
    precedence = str(mail.get("Precedence", "")).strip().lower()
    return submitted != "no" or precedence in ("bulk", "list", "junk") or mail.get("X-MLServer") is not None


def _by_machine(mail: Message) -> bool:
    sender = str(mail.get("From", ""))
    return (
        str(mail.get("Return-Path", "")).strip() == "<>"
        or bool(_SENDER.search(sender))
        or sender.strip().endswith("<>")
        or str(mail.get_param("report-type", "")).lower() == "delivery-status"
    )


_DELAYED = re.compile(
    r"not yet been delivered|has(?: not|n't) yet been|(?:has|have|been|was|were|is"
    r"|message)(?: been)? (?:delayed|postponed|deferred)"
    r"|will be retried|will (?:continue|keep|be|retry)[^\n]{0,40}(?:attempt|try|trying|retr|made"
    r"|deliver)|attempts? will (?:continue|be)"
    r"|still (?:being )?(?:trying|retr|queued|be delivered)|warning message only|will retry"
    r"|for past [\d.]{1,6} hours"
    r"|advisory-only|this is (?:just )?a warning|do not (?:need to )?resend|delivery incomplete",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"permanent(?:ly)? (?:error|fail|fatal)|failed permanently|g(?:ave|iven) up|giving up|no further"
    r"|not going to try"
    r"|has been removed from|returned to you because|will not be (?:retried|attempted)|timeout exceeded",
    re.IGNORECASE,
)
_DELAY_SUBJECT = re.compile(r"\(delay\)|delayed|warning[:-]|delivery warning|not yet been", re.IGNORECASE)


def is_delay(subject: str, text: str) -> bool:
    """Whether the server says that it goes on trying."""
    if _GAVE_UP.search(text):
        return False
    return bool(_DELAYED.search(text)) or (
        bool(_DELAY_SUBJECT.search(subject)) and not re.search(r"unknown|fail", subject, re.IGNORECASE)
    )
