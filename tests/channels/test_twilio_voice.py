"""Phone calls of the Twilio adapter: captured payloads, and the TwiML of each step."""

import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from bot.channels.twilio import Twilio
from bot.channels.twilio.twiml import VOICES, spoken
from bot.errors import ChannelRejected, SignatureInvalid, Unreadable
from bot.i18n import Words
from bot.messages import Caller, CallNews, Identity, MediaKind, Parsed, WebhookRequest
from bot.settings import load_settings

BASE, TOKEN, OURS = "http://samvad.test", "twilio-auth-token", "+15550003333"
VOICE = "/channels/twilio/voice"
CALL, RECORDING = "CA" + "1" * 32, "RE" + "2" * 32
WORDS = Words.load(strict=True)


def make(**given: object) -> Twilio:
    values = {
        "base_url": BASE,
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": TOKEN,
        "twilio_voice_from": OURS,
    }
    return Twilio(load_settings(**(values | given)))


def signed(path: str, form: dict[str, str], token: str = TOKEN) -> WebhookRequest:
    signature = RequestValidator(token).compute_signature(BASE + path, form)
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return WebhookRequest("POST", BASE + path, headers, urlencode(form).encode())


def parse(form: dict[str, str], *, settings: dict[str, object] | None = None, **query: str) -> Parsed:
    path = f"{VOICE}?{urlencode(query)}" if query else VOICE
    return make(**(settings or {})).parse(signed(path, form))


def caller(lang: str = "", *, blocked: bool = False, languages: tuple[str, ...] = ("en", "hi")) -> Caller:
    return Caller(lang, blocked, "Asha Kitchens", languages, WORDS.say)


def hears(parsed: Parsed, who: Caller) -> ET.Element:
    assert parsed.call is not None
    assert parsed.response_type == "text/xml"
    return ET.fromstring(parsed.call.answer(who))


def said(document: ET.Element) -> list[str]:
    return [verb.text or "" for verb in document.iter("Say")]


def step(url: str) -> dict[str, str]:
    assert url.startswith(f"{BASE}{VOICE}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


# --- what Twilio posts -----------------------------------------------------------------------------


def test_a_call_that_comes_in(payload):
    parsed = parse(payload("twilio", "voice_start"))
    (message,) = parsed.messages
    assert (message.kind, message.call) == ("call", CallNews("started"))
    assert (message.channel, message.account, message.address) == ("voice", OURS, "+919876543210")
    assert (message.event_key, message.external_id) == (f"{CALL}:started", CALL)
    # What a call shows as its number can be forged.
    assert message.identities == (Identity("phone", "+919876543210", verified=False),)
    assert (parsed.call.account, parsed.call.address) == (OURS, "+919876543210")


@pytest.mark.parametrize(
    "shown", ["+266696687", "anonymous", "Restricted", "", "+7378742833", "+86282452253"]
)
def test_who_hides_the_number_is_another_person_each_time(payload, shown):
    form = payload("twilio", "voice_withheld") | {"From": shown}
    (message,) = parse(form).messages
    assert (message.address, message.identities) == (f"withheld:{CALL}", ())
    other = parse(form | {"CallSid": "CA2"}).messages[0]
    assert other.address == "withheld:CA2"


def the_recording(payload) -> dict[str, str]:
    """The query of the URL at which Twilio tells what became of a recording."""
    asked = hears(parse(payload("twilio", "voice_key") | {"Digits": "1"}, step="menu", lang="hi"), caller())
    return step(asked.find("Record").attrib["recordingStatusCallback"])


def test_a_recording_names_its_caller_by_the_seal_in_its_url(payload):
    query = the_recording(payload)
    assert "919876543210" not in query["caller"]
    (message,) = parse(payload("twilio", "voice_recording"), **query).messages
    assert (message.account, message.address) == (OURS, "+919876543210")
    assert message.call == CallNews("recording", "completed", 42)
    (media,) = message.media
    assert (media.kind, media.mime) == (MediaKind.VOICE, "audio/mpeg")
    assert media.ref.endswith(f"/Recordings/{RECORDING}.mp3")
    for wrong in ("forged", "", "é"):
        with pytest.raises(Unreadable):
            parse(payload("twilio", "voice_recording"), **(query | {"caller": wrong}))


@pytest.mark.parametrize(
    ("name", "changes", "news"),
    [
        ("voice_recording_absent", {}, CallNews("recording", "silent", 0)),
        ("voice_recording_absent", {"ErrorCode": "16101"}, CallNews("recording", "silent", 0)),
        ("voice_recording_absent", {"ErrorCode": "0"}, CallNews("recording", "failed", 0)),
        ("voice_recording_failed", {}, CallNews("recording", "failed", None)),
        ("voice_recording", {"RecordingDuration": "a lot"}, CallNews("recording", "completed", None)),
    ],
)
def test_what_becomes_of_a_recording(payload, name, changes, news):
    parsed = parse(payload("twilio", name) | changes, **the_recording(payload))
    assert parsed.messages[0].call == news
    assert (parsed.call, parsed.response_type) == (None, "text/xml")


def test_a_recording_that_is_being_made_is_no_news(payload):
    form = payload("twilio", "voice_recording") | {"RecordingStatus": "in-progress"}
    assert parse(form, **the_recording(payload)).messages == ()


def test_what_was_recorded_and_how_the_call_ended(payload):
    recorded = parse(payload("twilio", "voice_recorded"), step="recorded", lang="hi")
    assert recorded.messages[0].call == CallNews("recorded", seconds=42)
    assert recorded.messages[0].event_key == f"{CALL}:recorded:{RECORDING}"
    ended = parse(payload("twilio", "voice_ended"))
    assert ended.messages[0].call == CallNews("ended", "completed", 63)
    assert ended.call is None


def test_calls_are_counted_where_no_number_is_set_for_them(payload):
    sms = {"twilio_voice_from": "", "twilio_sms_from": "+15550001111"}
    parsed = parse(payload("twilio", "voice_start"), settings=sms)
    assert (parsed.unhandled, parsed.messages, parsed.call) == (("voice",), (), None)
    assert dict(make().accounts) == {"voice": OURS}


def test_forged(payload):
    form = payload("twilio", "voice_start")
    good = signed(f"{VOICE}?step=menu&lang=hi", form)
    moved = WebhookRequest("POST", good.url.replace("hi", "en"), good.headers, good.body)
    for request in (moved, signed(VOICE, form, token="another"), WebhookRequest("POST", good.url, {}, b"")):
        with pytest.raises(SignatureInvalid):
            make().parse(request)


def test_what_cannot_be_read(payload):
    with pytest.raises(Unreadable):
        parse(payload("twilio", "voice_start"), step="dance")
    with pytest.raises(Unreadable):
        parse({"CallSid": "CA1", "From": "+919876543210"})


async def test_nothing_is_written_into_a_call(outbound):
    assert make().features("voice").text_limit == 0
    channel = make()
    await channel.open()
    with pytest.raises(ChannelRejected, match="Call them"):
        await channel.send(outbound("voice", OURS, "+919876543210"))
    await channel.close()


# --- what the caller hears -------------------------------------------------------------------------


def test_who_is_not_known_is_asked_for_the_language_each_in_itself(payload):
    document = hears(parse(payload("twilio", "voice_start")), caller(languages=("en", "hi", "hi-Latn")))
    gather, redirect = document
    assert (gather.tag, gather.get("numDigits"), redirect.tag) == ("Gather", "1", "Redirect")
    voices = [(verb.get("language"), verb.get("voice")) for verb in gather]
    assert voices == [
        ("en-IN", "Polly.Raveena"),
        ("en-IN", "Polly.Raveena"),
        ("hi-IN", "Polly.Aditi"),
    ]
    assert said(document) == ["Welcome to Asha Kitchens.", "For English, press 1.", "हिंदी के लिए 2 दबाइए।"]
    query = step(gather.get("action"))
    assert query == {"step": "language", "lang": "en", "offered": "en hi", "asked": "1"}
    assert redirect.text == gather.get("action")

    parsed = parse(payload("twilio", "voice_key"), **query)
    assert parsed.messages[0].call == CallNews("language", "hi")
    menu = hears(parsed, caller())
    assert {verb.get("language") for verb in menu.iter("Say")} == {"hi-IN"}
    assert step(menu.find("Gather").get("action")) == {"step": "menu", "lang": "hi", "asked": "1"}


@pytest.mark.parametrize(
    ("who", "language"),
    [
        (caller("hi"), "hi-IN"),
        (caller("hi-Latn"), "hi-IN"),
        (caller(languages=("hi",)), "hi-IN"),
        (caller(languages=()), "en-IN"),
        (caller("ur", languages=("en", "hi")), "hi-IN"),
    ],
)
def test_who_is_known_and_a_business_of_one_language_hear_the_menu_at_once(payload, who, language):
    document = hears(parse(payload("twilio", "voice_start")), who)
    assert step(document.find("Gather").get("action"))["step"] == "menu"
    assert {verb.get("language") for verb in document.iter("Say")} == {language}


def test_a_language_the_business_does_not_speak_is_asked_about(payload):
    document = hears(parse(payload("twilio", "voice_start")), caller("ta", languages=("en", "hi")))
    assert step(document.find("Gather").get("action"))["step"] == "language"


def test_every_language_of_ours_has_a_voice_and_every_voice_speaks_its_language():
    for lang in WORDS.languages:
        assert spoken(lang) == {"ur": "hi"}.get(lang, lang.split("-")[0])
    for lang, (code, voice) in VOICES.items():
        assert code == f"{lang}-IN"
        assert voice.startswith("Polly.") or f".{code}-" in voice


@pytest.mark.parametrize("where", ["language", "menu"])
def test_silence_is_asked_once_more_then_a_message_may_be_left(payload, where):
    form = payload("twilio", "voice_key")
    del form["Digits"]
    query = {"step": where, "lang": "en", "asked": "1"} | (
        {"offered": "en hi"} if where == "language" else {}
    )
    again = hears(parse(form, **query), caller())
    assert again.find("Gather") is not None
    assert step(again.find("Redirect").text)["asked"] == "2"
    assert "Sorry" not in " ".join(said(again))
    last = hears(parse(form, **(query | {"asked": "2"})), caller())
    assert last.find("Record") is not None


@pytest.mark.parametrize("where", ["language", "menu"])
def test_a_wrong_key_is_told_and_asked_again_but_not_for_ever(payload, where):
    form = payload("twilio", "voice_key") | {"Digits": "7"}
    query = {"step": where, "lang": "en", "asked": "1"} | (
        {"offered": "en hi"} if where == "language" else {}
    )
    parsed = parse(form, **query)
    assert parsed.messages == ()
    again = hears(parsed, caller())
    assert said(again)[0] == "Sorry, that key does nothing here."
    assert step(again.find("Gather").get("action"))["asked"] == "2"
    assert hears(parse(form, **(query | {"asked": "4"})), caller()).find("Record") is not None


def test_leaving_a_message(payload):
    document = hears(
        parse(payload("twilio", "voice_key") | {"Digits": "1"}, step="menu", lang="hi"), caller()
    )
    assert [verb.tag for verb in document] == ["Say", "Record", "Say", "Hangup"]
    record = document.find("Record")
    assert step(record.get("action")) == {"step": "recorded", "lang": "hi"}
    assert (record.get("maxLength"), record.get("finishOnKey"), record.get("playBeep")) == (
        "120",
        "#",
        "true",
    )
    assert record.get("recordingStatusCallbackEvent") == "completed absent"
    after = hears(parse(payload("twilio", "voice_recorded"), step="recorded", lang="hi"), caller())
    assert [verb.tag for verb in after] == ["Say", "Hangup"]


def test_being_called_back(payload):
    parsed = parse(payload("twilio", "voice_key"), step="menu", lang="en")
    assert parsed.messages[0].call == CallNews("call_back")
    assert said(hears(parsed, caller())) == ["Thank you. We will call you back on this number. Goodbye."]


def test_who_hides_the_number_is_not_offered_to_be_called_back(payload):
    hidden = payload("twilio", "voice_withheld")
    assert len(said(hears(parse(hidden), caller("en")))) == 2
    assert len(said(hears(parse(payload("twilio", "voice_start")), caller("en")))) == 3
    parsed = parse(hidden | {"Digits": "2"}, step="menu", lang="en")
    assert parsed.messages == ()
    assert "Sorry" in said(hears(parsed, caller()))[0]


def test_a_person_is_rung_and_a_message_taken_when_nobody_answers(payload):
    zero = payload("twilio", "voice_key") | {"Digits": "0"}
    assert hears(parse(zero, step="menu"), caller()).find("Dial") is None
    duty = {"twilio_voice_forward_to": "+919811122233"}
    dial = hears(parse(zero, settings=duty, step="menu", lang="hi"), caller()).find("Dial")
    assert (dial.text, dial.get("timeout"), dial.get("callerId")) == ("+919811122233", "25", None)
    assert step(dial.get("action")) == {"step": "dialed", "lang": "hi"}
    hidden = payload("twilio", "voice_withheld") | {"Digits": "0"}
    assert hears(parse(hidden, settings=duty, step="menu"), caller()).find("Dial").get("callerId") == OURS

    nobody = parse(payload("twilio", "voice_dialed"), step="dialed", lang="hi")
    assert nobody.messages[0].call == CallNews("dialed", "unanswered")
    assert hears(nobody, caller()).find("Record") is not None
    talked = parse(payload("twilio", "voice_dialed") | {"DialCallStatus": "completed"}, step="dialed")
    assert talked.messages[0].call == CallNews("dialed", "answered")
    assert [verb.tag for verb in hears(talked, caller())] == ["Hangup"]


def test_a_blocked_caller_finds_the_line_busy(payload):
    (verb,) = hears(parse(payload("twilio", "voice_start")), caller("en", blocked=True))
    assert (verb.tag, verb.get("reason")) == ("Reject", "busy")


@pytest.mark.parametrize("lang", ["en", "hi"])
def test_words_are_escaped(payload, lang):
    who = Caller(lang, False, "Rao & <Sons>", ("en", "hi"), WORDS.say)
    assert "Rao & <Sons>" in said(hears(parse(payload("twilio", "voice_start")), who))[0]
