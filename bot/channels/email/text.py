"""What a person wrote in a mail: the reply parted from what it quotes, and from the signature. Pure.

The parting is ours: mail-parser-reply, whose patterns it once used, takes minutes for 50 kB of hostile
text, and holds the interpreter meanwhile. Here every repetition is bounded.
"""

import re

# Beyond this nobody types.
_PARTED = 50_000

_ADDRESS = r"[<\[(]?[^\s<>@]{1,80}@[^\s<>@]{1,80}[>\])]?"
_LINES = r"[^\n]{0,200}(?:\n[^\n]{0,200}){0,4}?"
_ON = r"(?:On|Am|Le|El|Il|Em|Op|W dniu|Den|Dne|På|Dnia|Vào|Lør|Tor)"
_WROTE = (
    r"(?:wrote|sent|schrieb|a écrit|escribió|ha scritto|schreef|geschreven|escreveu|napisał(?:\(a\))?|skrev"
    r"|đã viết|написала?|пишет)"
)
# A sentence of the customer's own may begin with "On" too: the announcement has a date or an address.
_DATED = r"(?=[^\n]{0,200}(?:\d|@))"
_SAID = rf"\b{_WROTE}(?:[ \t]{{0,9}}:?[ \t-]{{0,20}}|\b[^\n]{{0,120}}:[ \t]{{0,9}})$"
# Where another's words begin, in the ways mail programs announce it.
_QUOTE_START = re.compile(
    "|".join(
        [
            # On …, NAME <a@b> wrote: — over up to five lines; some put dashes around it
            rf"^[ \t>*-]{{0,20}}(?:{_ON}\b|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}){_DATED}{_LINES}{_SAID}",
            rf"^[ \t]{{0,9}}-{{2,9}}[^\n]{{1,120}}\b{_WROTE}[ \t]{{0,9}}:?[ \t]{{0,9}}-{{2,9}}[ \t]{{0,9}}$",
            # 2014-10-17 11:28 GMT+03:00 NAME <a@b>: and 2011/4/7 NAME <a@b>
            r"^[ \t>*]{0,20}\d{4}[-/]\d{1,2}[-/]\d{1,2}\b[^\n]{0,120}(?:\n[^\n]{0,120})?"
            + _ADDRESS
            + r":?[ \t]{0,9}$",
            # NAME <a@b> wrote:
            rf"^[^\n]{{0,120}}{_ADDRESS}[ \t]{{0,9}}{_WROTE}[ \t]{{0,9}}:[ \t]{{0,9}}$",
            # Hindi: गुरु, 9 अक्टू॰ 2025 को 3:00 pm बजे को NAME <a@b> ने लिखा:
            r"^[^\n]{0,200}(?:\n[^\n]{0,200})?ने (?:यह )?लिखा(?: है)?[ \t]{0,9}[:：।][ \t]{0,9}$",
            # Bengali, Tamil, Urdu and Sinhala, as Gmail writes them
            r"^[^\n]{0,200}(?:\n[^\n]{0,200})?(?:লিখেছেন|எழுதியது|எழுதினார்|මෙය ලිවීය|"
            r"نے لکھا|نے تحریر کیا|مندرجہ ذیل کو لکھا)(?: ہے)?[ \t]{0,9}[:：۔][ \t]{0,9}$",
            r"^[ \t>*]{0,20}-{2,20}[ \t]{0,9}(?:Original Message|Reply message|मूल संदेश|اصل پیغام|"
            r"Ursprüngliche Nachricht|"
            r"Message d'origine|Mensaje original|Oprindelig meddelelse)[ \t]{0,9}-{0,20}[ \t]{0,9}$",
            r"^[ \t]{0,9}_{20,80}[ \t]{0,9}$",
            # A block of headers, From: … Sent: …, in the languages Outlook speaks
            r"^[ \t>*]{0,20}\*?(?:From|Von|De|Da|Van|Fra|Från|Od|प्रेषक|منجانب|از)\*?[ ]?:[^\n]{1,300}\n"
            r"(?:[^\n]{0,300}\n){0,2}?"
            r"[ \t>*]{0,20}\*?(?:Sent|Date|To|Subject|Gesendet|Datum|Envoyé|Enviado|Inviato|Verzonden|Sendt|"
            r"Skickat|दिनांक|भेजा गया|تاریخ|بھیجا گیا|بنام)\*?[ ]?:",
            r"^[ \t]{0,9}Date:[^\n]{8,80}\d\d:\d\d[^\n]{0,40}$",
        ]
    ),
    re.MULTILINE | re.IGNORECASE,
)
_FORWARDED = re.compile(r"^[ \t]{0,9}-{2,20}[ \t]{0,9}Forwarded message", re.MULTILINE | re.IGNORECASE)
# `>>> url <<<` is an ornament of the writer's own.
_QUOTED = re.compile(r"[ \t]{0,20}>(?![^\n]{0,300}<{2,9}[ \t]{0,9}$)")
# `-- ` ends a text by the standard; phones and programs add lines of their own.
_SIGNATURE = re.compile(
    r"^(?:--[ \t]?|[ \t]{0,9}(?:Sent from (?:my|Mail|Yahoo|Samsung)|Get Outlook for|Sent with |"
    r"मेरे .{1,30} से भेजा गया|میرے .{1,30} سے بھیجا گیا)[^\n]{0,120})$",
    re.MULTILINE | re.IGNORECASE,
)


def reply_text(text: str) -> str:
    """The newest part of a mail's text, without quotes and signature; all of it when nothing else is left."""
    head = split_signature(without_quotes(text))[0]
    return head.strip() or text.replace("\r\n", "\n").replace("\r", "\n").strip()


def without_quotes(text: str) -> str:
    """The newest part of a mail's text with its signature; all of it when nothing else is left."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    head = text[:_PARTED]
    # Who forwards a mail wants it read.
    forwarded = _FORWARDED.search(head)
    found = _QUOTE_START.search(head, 0, forwarded.start() if forwarded else len(head))
    if found and head[: found.start()].strip():
        head = head[: found.start()] + _below(head[found.end() :])
    elif found:
        # The answer stands below what it quotes.
        head = head[found.end() :]
    if not forwarded or found:
        head = "\n".join(line for line in head.split("\n") if not _QUOTED.match(line))
    return head.strip() or text


def split_signature(text: str) -> tuple[str, str]:
    """The text, and the signature that ends it, "" when there is none."""
    signature = _SIGNATURE.search(text)
    if signature and text[: signature.start()].strip():
        return text[: signature.start()], text[signature.start() :]
    return text, ""


def _below(rest: str) -> str:
    """What stands below a quote whose every line is marked; nothing when the marks are missing."""
    lines = rest.strip().split("\n")
    if not lines[0].startswith(">"):
        return ""
    last = max(number for number, line in enumerate(lines) if line.startswith(">"))
    return "\n".join(lines[last + 1 :])
