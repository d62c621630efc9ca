"""Whether a refusal is about the address itself, so that another try is pointless. Pure.

Codes alone do not say: 5.1.1 stands before "over quota" and 5.7.1 before "no such user", so the words
count first, then the code. Everything not surely about the address (full, blocked, spam, policy, size,
host down) is soft: a person may mend it.
"""

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


# Says of the address or its domain that they are no more, whatever else is said.
_GONE = _any(
    r"no longer (?:on|at|with|available|valid|active|exists?|works?|in use|accepts?|employed)",
    r"(?:user|recipient|mailbox|account|address) (?:has |have )?moved\b",
    r"(?:indicated|has) no smtp service|does not accept (?:e-?)?mail\b|accepts no mail|null ?mx",
    r"does(?: not|n.?t) have an? [^\s]{1,80} account|inactive email address"
    r"|mail domain mentioned in e-?mail address is unknown",
)
# About our mail, our server, the mailbox's state or the moment: not about the address.
_ELSE = _any(
    r"\b(?:quota|mailbox (?:is |was )?full|full mailbox|mailfolder is full|inbox is full|over ?quota)\b",
    r"out of storage|exceeds? (?:allowed|storage|mailbox|size|the|its)|exceeded storage|too much mail"
    r"|disk full",
    r"insufficient (?:system )?(?:storage|disk)|not enough (?:storage|space|disk)|no space left",
    r"black ?list|block(?:ed|ing)? (?:list|using|by|for|see|-)|blocked\b|spamhaus|\brbl\b|dnsbl|sorbs"
    r"|barracuda",
    r"\bspam\b|spamming|unsolicited|junk mail|bulk mail|reputation|banned|suspicious|\bvirus\b|malware|phish",
    r"reverse dns|\brdns\b|\bptr\b|reverse lookup|dmarc|\bspf\b|dkim|authenticat|unauthori[sz]ed",
    r"policy|policies|administrative(?:ly)? (?:prohibit|denied)|not allowed|not permitted|forbidden",
    r"relay(?:ing)? (?:access|denied|not|mail|is)|unable to relay|relaying|not configured to relay",
    r"sender (?:address|domain|verif|rejected|denied|is|not)|(?:bad|invalid|unknown|forged) sender",
    r"(?:domain of )?sender address|mail from (?:address|domain|rejected)|your (?:domain|ip|host|server"
    r"|smtp)\b",
    r"provide a valid from|purported responsible|from: ?(?:header|domain)",
    r"too (?:large|big|long|many)|size (?:limit|exceeds)|message size|larger than",
    r"disabled|suspend|inactive|deactivat|frozen|locked|discontinued|expired account|not active|dormant",
    r"timed? ?out|timeout|could not connect|connection (?:refused|rate|frequency|limit|reset|lost|dropped)",
    r"lost connection|socket error|not respond|unreachable|not reachable within|message expired|has expired",
    r"temporar|try again later|please retry|later\b[^\n]{0,20}try|grey ?list|graylist|deferred|throttl",
    r"rate limit|frequency limited|\bhops?\b|mail loop|looping|loop detected|loops back",
    r"header (?:error|field)|content (?:rejected|error|filter)|8-bit|duplicate header|rfc ?\d{3,4}",
    r"system (?:error|config|problem)|internal error|configuration error|command died|local error",
    r"access denied, |client host|host network|banned sending|service (?:not available|unavailable|refuse)",
    r"protocol (?:violation|error)|verification failed|members?-only|not (?:a )?member|moderat",
    r"please use the smtp|ip address|name server reply|server misconfig|dns query failed",
    r"all recipient addresses rejected|not authori[sz]ed|not found, try again|postponed",
)
_UNKNOWN = _any(
    r"(?:user|recipient|mailbox|account|address(?:ee)?|alias|name|destination)(?: name)?"
    r"(?: [^\s]{1,80})?(?: is| was| are)? (?:un|not |in)(?:known|found|recogni[sz]ed|listed|valid|exist)",
    r"(?:unknown|invalid|illegal|nonexist\w{0,5}|non-exist\w{0,5}|bad|undefined|wrong)"
    r"(?: or (?:illegal|invalid|unknown))?(?: local| destination| final delivery| e-?mail| user)?"
    r"[ -](?:user|recipient|mailbox|account|address|addressee|alias|local[ -]?part|userid|host|domain)",
    r"no such (?:user|recipient|mailbox|account|address|person|domain|host|local|email|addressee)",
    r"no (?:mailbox|user|account|recipient|valid recipients?)s?\b[^\n]{0,20}(?:here|by that name|found|were)",
    r"(?:does|did|do)(?: not|n't|n’t) (?:exist|have an? [^\s]{1,80} account|match)",
    r"doesn'?t exist|doesnt exist|isn'?t (?:a )?valid|not a valid (?:mailbox|user|address|recipient)",
    r"not (?:our|a local) (?:customer|user)|not (?:listed|found) in|(?:user|recipient) ?not ?found",
    r"recip(?:ient)?notfound|address (?:was )?rejected|rcpt [^\n]{0,80}rejected"
    r"|cannot find (?:your )?recipient",
    r"wrong or no longer|mailbox not found|recipient name is not recogni[sz]ed|user doesn'?t have"
    r"|not known (?:at|here|to)|user not known",
    r"(?:was|is|were)n.?t found|no valid recipients"
    r"|mailbox unavailable or not local|ユーザー[^\n]{0,80}見つかりません"
    r"|(?:benutzer|empfänger|adresse|postfach) (?:ist )?(?:unbekannt|existiert nicht|nicht gefunden)"
    r"|(?:utilisateur|destinataire|adresse) (?:est )?(?:inconnue?|introuvable)"
    r"|(?:usuario|destinatario|utente|usuário) (?:des|s)conos?(?:cido|ciuto)|(?:usuario|cuenta) no existe"
    r"|не найден|не существует|用户不存在|收件人不存在"
    r"|ディレクトリ[^\n]{0,20}ありません",
)
# Of the host or domain behind the @: a fact of the name service, whoever asked.
_NO_HOST = _any(
    r"(?:host|domain)(?: or domain)?(?: name)?(?: [^\s]{1,80})? (?:is |was )?(?:not found|unknown|invalid)",
    r"(?:could ?n[o']t|cannot|can't) (?:be found|find (?:a )?(?:gateway|host|domain|any))|couldn'?t be found",
    r"unrout(?:e)?able (?:mail )?(?:domain|address)|host unknown|unknown host|nxdomain|illegal host/domain",
    r"domain is not reachable|no mx|find any (?:exchanger|host)",
)
# Answers before the address was named, or after it was accepted and the text sent.
_NOT_AT_RCPT = _any(
    r"after mail from|in reply to (?:the )?mail from|after initial connection|in reply to [eh][eh]lo",
    r"in reply to (?:the )?end of data|after end of data|in reply to data|after data\b|>>> ?DATA\b|<<< ?DATA",
    r"body of message generated|smtp command data\b",
)
_OF_SENDER = _any(r"(?:after|in reply to) (?:the )?mail from")
_AT_RCPT = _any(
    r"\brcpt\b|does not like recipient|recipient address rejected|(?:in reply to|after|to) rcpt",
    r"recipient command|invalid recipient|recipient (?:unknown|not found)|\b5\.1\.\d",
)
_SMTP_ANSWER = re.compile(r"(?<![\d.])5[0-5]\d(?![\d.])")
_READ = 4_000
_SENDER_CODES = frozenset({"5.1.7", "5.1.8"})
_STATE_CODES = frozenset({"5.2.0", "4.2.0"})
_ADDRESS_CODES = frozenset(
    {"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.1.351", "5.4.4", "5.4.310"}
)


def is_final_address_error(status: str, diagnosis: str, context: str = "") -> bool:
    """Whether the address is no good. `context` is the report's text around the diagnosis."""
    told = _one_line(diagnosis)
    context = f"{told} {_one_line(context)}".strip()
    for text in (_inner(told), context):
        if not text:
            continue
        verdict = _by_words(status, text, context)
        if verdict is not None:
            return verdict
        if status in _ADDRESS_CODES:
            return True
    return status in _ADDRESS_CODES


def _by_words(status: str, text: str, context: str) -> bool | None:
    if _GONE.search(text):
        return True
    if status in _SENDER_CODES or _ELSE.search(text):
        return False
    if _NO_HOST.search(text):
        return not _OF_SENDER.search(context)
    if not _UNKNOWN.search(text):
        return None
    if status in _ADDRESS_CODES:
        return True
    if status in _STATE_CODES or _NOT_AT_RCPT.search(context):
        return False
    # A server's answer counts for the address when it was asked for the address; a mail program's own
    # word ("not listed in the directory") always.
    return not _SMTP_ANSWER.search(text) or bool(_AT_RCPT.search(context))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text[:_READ]).strip()


def _inner(text: str) -> str:
    """Gateways put a verdict of their own before the words of the server, which they quote."""
    quoted = re.search(r"\d\.\d\.\d - [A-Za-z ]{3,60} (\d{3}-'.{1,2000})", text)
    return quoted[1] if quoted else text
