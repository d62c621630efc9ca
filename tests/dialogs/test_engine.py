"""Conversations as scripts: what is heard, what is said, what is written."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Clarify,
    Correct,
    Deny,
    Handoff,
    NotUnderstood,
    OptIn,
    OptOut,
    SetSlot,
    StartFlow,
    Understood,
)
from bot.dialogs.turn import (
    AddIdentity,
    AddToCase,
    Business,
    CaseView,
    Customer,
    HandOff,
    LeadView,
    NoteQuestion,
    OpenCase,
    RecordConsent,
    SaveContact,
    SaveLead,
    Schedule,
    Unschedule,
)
from bot.knowledge.answer import Answer, Option
from bot.messages import Media, MediaKind

Begin = Callable[..., Any]
PHOTO = (Media(MediaKind.IMAGE, "ref"),)
FOUND = Answer("found", "We open at ten.", "a1", "Opening hours", "https://shop/help/en/hours")


def _case(now: Any, number: int = 1042, status: str = "open") -> CaseView:
    return CaseView(f"id-{number}", number, "Fridge not cooling", status, now, 1)


def test_a_lead_is_captured_on_web_chat_over_several_turns(conversation: Begin) -> None:
    chat = conversation()
    assert "looking for" in chat.hears(StartFlow("capture_lead"))
    assert not chat.wrote(SaveLead)
    assert "your name" in chat.hears(SetSlot("need", "a washing machine"))
    [saved] = chat.wrote(SaveLead)
    assert saved.slots == {"need": "a washing machine"} and saved.lead_id is None and not saved.qualified
    assert chat.wrote(Schedule)
    assert "phone number or e-mail" in chat.hears(SetSlot("name", "Ravi Kumar"))
    assert chat.wrote(SaveContact) == [SaveContact(name="Ravi Kumar")]
    # Three questions were asked: thanked instead of asking for the budget.
    assert "Thank you, Ravi Kumar" in chat.hears(SetSlot("contact", "98765 43210"))
    assert chat.wrote(AddIdentity) == [AddIdentity("phone", "+919876543210")]
    # Another day it goes on with what is not known yet.
    chat.customer = Customer("c1", "Ravi Kumar", None, ("+919876543210",))
    chat.later(days=2)
    assert "budget" in chat.hears(StartFlow("capture_lead"))
    assert "When would you like" in chat.hears(SetSlot("budget", "40k"))
    assert chat.wrote(SaveLead)[0].slots == {"budget": 4_000_000, "currency": "INR"}
    assert chat.wrote(SaveLead)[0].lead_id == "lead-1"
    assert "decide yourself" in chat.hears(SetSlot("timeline", "now"))
    assert "Thank you" in chat.hears(SetSlot("authority", "self"))
    assert chat.wrote(SaveLead)[0].qualified and chat.wrote(Unschedule)


def test_on_whatsapp_neither_name_nor_number_is_asked(conversation: Begin) -> None:
    chat = conversation(channel="whatsapp")
    said = chat.hears(StartFlow("capture_lead", {"need": "two air conditioners"}), sender_name="Asha")
    assert "budget" in said
    assert chat.wrote(SaveLead)[0].slots == {"need": "two air conditioners"}


def test_several_slots_in_one_message_leave_fewer_questions(conversation: Begin) -> None:
    chat = conversation()
    slots = {"need": "an AC", "name": "Ravi", "contact": "ravi@example.com", "budget": "₹45,000"}
    assert "When would you like" in chat.hears(StartFlow("capture_lead", slots))
    assert chat.wrote(SaveLead)[0].slots == {"need": "an AC", "budget": 4_500_000, "currency": "INR"}
    assert AddIdentity("email", "ravi@example.com") in chat.plan.writes


def test_a_second_need_joins_the_open_lead(conversation: Begin) -> None:
    chat = conversation(channel="sms", lead=LeadView("l", 3, "new", {"need": "a fridge", "budget": 5}))
    chat.hears(StartFlow("capture_lead", {"need": "a TV"}))
    [saved] = chat.wrote(SaveLead)
    assert (saved.slots, saved.lead_id, saved.version) == ({"need": "a fridge; a TV"}, "l", 3)


def test_a_wrong_answer_is_repaired_then_a_person_is_called(conversation: Begin) -> None:
    chat = conversation(channel="whatsapp", customer=Customer("c", "Asha"))
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    assert "could not read an amount" in chat.hears(SetSlot("budget", "umm"))
    said = chat.hears(SetSlot("budget", "dunno"))
    assert "person will answer you here as soon as they are back" in said
    [handoff] = chat.wrote(HandOff)
    assert handoff.reason == "not_understood" and handoff.slots["need"] == "a fan"


def test_a_correction_is_acknowledged_and_saved(conversation: Begin) -> None:
    chat = conversation(channel="whatsapp", customer=Customer("c", "Asha"))
    chat.hears(StartFlow("capture_lead", {"need": "a fan", "budget": "2k"}))
    said = chat.hears(Correct("budget", "3k"))
    assert said.startswith("Thank you, I have corrected") and "When would you like" in said
    assert chat.wrote(SaveLead)[0].slots["budget"] == 300_000


def test_a_question_in_the_middle_is_answered_and_the_flow_asks_again(conversation: Begin) -> None:
    chat = conversation(answer=FOUND)
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    said = chat.hears(Ask("when do you open?"))
    assert "We open at ten." in said and "https://shop/help/en/hours" in said and "your name" in said
    assert len(chat.rendered) == 1


def test_a_skipped_question_is_not_asked_again(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    assert "phone number" in chat.hears(Deny())
    assert "budget" in chat.hears(Deny())


def test_cancel_leaves_the_flow(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("open_case"))
    assert "stopped that" in chat.hears(Cancel())
    assert "nothing to cancel" in chat.hears(Cancel())


def test_a_case_is_opened_with_its_number(conversation: Begin) -> None:
    chat = conversation()
    assert "what happened" in chat.hears(StartFlow("open_case"))
    assert "C-1042" in chat.hears(SetSlot("description", "The fridge is not cooling.\nSince Monday."))
    assert chat.opened_case() == OpenCase(
        "The fridge is not cooling.", "The fridge is not cooling.\nSince Monday."
    )


def test_a_case_in_the_middle_of_a_lead_comes_first_and_the_lead_goes_on(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    said = chat.hears(StartFlow("open_case", {"description": "my TV is broken"}))
    assert "C-1042" in said and "your name" in said


def test_a_photo_alone_describes_a_case(conversation: Begin) -> None:
    chat = conversation()
    assert chat.hears(text="", media=PHOTO) == "Thank you, we have received it."
    chat.hears(StartFlow("open_case"))
    assert "C-1042" in chat.hears(text="", media=PHOTO)
    assert chat.opened_case().description == "[image]"
    chat.hears(StartFlow("open_case", {"description": "it leaks"}), media=PHOTO)
    assert chat.opened_case().description == "it leaks [image]"


def test_words_are_added_to_the_only_open_case(conversation: Begin) -> None:
    chat = conversation()
    chat.cases = (_case(chat.now), _case(chat.now, 7, "closed"))
    assert "What should I add" in chat.hears(StartFlow("add_to_case"))
    chat.hears(SetSlot("addition", "it also smells"))
    assert chat.wrote(AddToCase) == [AddToCase("id-1042", "it also smells")]


def test_of_several_cases_one_is_chosen(conversation: Begin) -> None:
    chat = conversation()
    chat.cases = (_case(chat.now), _case(chat.now, 7))
    assert "Which case" in chat.hears(StartFlow("add_to_case"))
    assert chat.buttons == ["slot:case_id=id-1042", "slot:case_id=id-7"]
    chat.hears(SetSlot("case_id", "id-7"))
    chat.hears(SetSlot("addition", "more"))
    assert chat.wrote(AddToCase) == [AddToCase("id-7", "more")]


def test_status_of_cases(conversation: Begin) -> None:
    chat = conversation()
    assert "no case of yours" in chat.hears(StartFlow("case_status"))
    chat.cases = (_case(chat.now),)
    said = chat.hears(StartFlow("case_status", {"case_number": "C-1042"}))
    assert said == "Case C-1042 (Fridge not cooling): we are working on it"
    assert "C-9" in chat.hears(StartFlow("case_status", {"case_number": "C-9"}))
    chat.lang = "hi"
    assert "काम चल रहा है" in chat.hears(StartFlow("case_status"))


def test_an_unsure_answer_asks_back_once(conversation: Begin) -> None:
    chat = conversation(answer=Answer("unsure", options=(Option("a1", "Hours"), Option("a2", "Delivery"))))
    assert "one of these" in chat.hears(Ask("when?"))
    assert chat.buttons == ["article:a1", "article:a2"]


def test_no_answer_is_said_honestly_and_yes_calls_a_person(conversation: Begin) -> None:
    chat = conversation(options={"agents_online": True})
    assert "no reliable answer" in chat.hears(Ask("who built the moon?"))
    assert chat.wrote(NoteQuestion) == [NoteQuestion("who built the moon?", "none")]
    assert "calling a person" in chat.hears(Affirm())
    assert chat.wrote(HandOff)[0].reason == "asked"


def test_two_failures_in_a_row_call_a_person(conversation: Begin) -> None:
    chat = conversation()
    assert "did not understand" in chat.hears(NotUnderstood("qwe rty"), text="qwe rty")
    said = chat.hears(NotUnderstood("asd"), text="asd")
    assert "cannot understand" in said and chat.wrote(HandOff)[0].reason == "not_understood"
    # One understood in between starts the count anew.
    chat = conversation(answer=FOUND)
    chat.hears(NotUnderstood("asd"), text="asd")
    chat.hears(Ask("hours?"))
    chat.hears(NotUnderstood("asd"), text="asd")
    assert not chat.wrote(HandOff)


def test_what_is_not_understood_may_still_be_answered(conversation: Begin) -> None:
    chat = conversation(answer=FOUND)
    assert "We open at ten" in chat.hears(NotUnderstood("opening hours"), text="opening hours")


def test_handoff_says_honestly_whether_somebody_is_there(conversation: Begin) -> None:
    chat = conversation()
    assert "Nobody of our team" in chat.hears(Handoff())
    assert "calling a person" in conversation(options={"agents_online": True}).hears(Handoff())


def test_the_bot_is_silent_while_a_person_owns(conversation: Begin) -> None:
    chat = conversation(options={"owner_is_human": True})
    assert chat.hears(StartFlow("capture_lead")) == "" and not chat.plan.writes
    assert chat.hears(OptOut("STOP")) == ""
    assert chat.wrote(RecordConsent) == [RecordConsent("withdrawn", "STOP")]


def test_a_machine_is_not_answered(conversation: Begin) -> None:
    chat = conversation(channel="email")
    assert chat.hears(StartFlow("open_case"), automatic=True) == ""


def test_stop_is_confirmed_once_then_courtesy_is_not_answered(conversation: Begin) -> None:
    chat = conversation(channel="whatsapp", answer=FOUND)
    chat.hears(StartFlow("capture_lead"))
    assert "no more messages" in chat.hears(OptOut("STOP"))
    assert chat.wrote(RecordConsent) == [RecordConsent("withdrawn", "STOP")]
    chat.options = {"stopped": True}
    assert chat.hears(OptOut("stop")) == ""
    assert chat.hears(Chitchat("thanks"), text="ok thanks") == ""
    assert chat.hears(Affirm(), text="ok") == ""
    assert chat.hears(NotUnderstood("hmm"), text="hmm") == ""
    assert "We open at ten" in chat.hears(Ask("when do you open?"))
    # Asked of their own will, but nothing that we would start later.
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    assert chat.wrote(SaveLead) and not chat.wrote(Schedule)
    assert "Welcome back" in chat.hears(OptIn("START"))
    assert chat.wrote(RecordConsent) == [RecordConsent("given", "START")]


def test_on_sms_stop_is_confirmed_by_the_provider_and_nothing_leaves_after(conversation: Begin) -> None:
    chat = conversation(channel="sms", options={"answers_after_stop": False}, answer=FOUND)
    assert chat.hears(OptOut("STOP")) == "" and chat.wrote(RecordConsent)
    chat.options["stopped"] = True
    assert chat.hears(Ask("when do you open?")) == ""
    assert "Welcome back" in chat.hears(OptIn("START"))


def test_a_chosen_language_stays_chosen(conversation: Begin) -> None:
    chat = conversation()
    assert "Which language" in chat.hears(ChangeLanguage(None))
    assert "हिंदी में बात करेंगे" in chat.hears(SetSlot("lang", "hi"))
    assert chat.wrote(SaveContact) == [SaveContact(lang="hi")] and chat.plan.lang == "hi"
    assert "आपको क्या चाहिए" in chat.hears(StartFlow("capture_lead"))


def test_only_the_languages_of_the_business_are_offered(conversation: Begin) -> None:
    chat = conversation(business=Business("Karachi Cycles", "PK", "Asia/Karachi", ("en", "ur"), "PKR"))
    chat.hears(ChangeLanguage(None))
    assert chat.buttons == ["slot:lang=en", "slot:lang=ur"]
    assert "Please choose" in chat.hears(SetSlot("lang", "hi")) and not chat.wrote(SaveContact)
    assert "اردو میں بات کریں گے" in chat.hears(SetSlot("lang", "ur")) and chat.plan.lang == "ur"


def test_the_reply_is_in_the_language_of_the_message(conversation: Begin) -> None:
    chat = conversation(lang="hi-Latn")
    assert "Aapko kya chahiye" in chat.hears(StartFlow("capture_lead"))
    chat.lang = "ta"
    assert chat.hears(Deny()) and chat.plan.lang == "hi-Latn"


def test_a_flow_waits_a_day_and_is_offered_again_later(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("open_case"))
    chat.later(hours=25)
    assert "go on where we stopped" in chat.hears(Chitchat("greeting"))
    assert chat.buttons == ["resume:on", "resume:anew"]
    assert "did not understand" in chat.hears(NotUnderstood("the lid"), text="the lid")


def test_greeting_begins_and_courtesy_beside_a_request_is_passed_over(conversation: Begin) -> None:
    chat = conversation()
    assert "automatic assistant" in chat.hears(Chitchat("greeting"))
    assert chat.hears(Chitchat("greeting"), StartFlow("open_case")).startswith("I am sorry")


def test_a_stray_number_is_kept_as_a_claim(conversation: Begin) -> None:
    chat = conversation()
    assert "noted" in chat.hears(SetSlot("phone", "+919876543210"))
    assert chat.wrote(AddIdentity) == [AddIdentity("phone", "+919876543210")]


def test_what_was_said_before_asking_back_is_what_the_chosen_flow_is_about(conversation: Begin) -> None:
    chat = conversation()
    assert "Which of these" in chat.hears(Clarify(("open_case",)), text="the lid is broken")
    assert chat.buttons == ["flow:open_case", "flow:talk_to_person"]
    assert "C-1042" in chat.hears(Affirm(), text="yes")
    assert chat.opened_case().description == "the lid is broken"


def test_asking_back_twice_in_a_row_calls_a_person(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(Clarify(("open_case", "capture_lead")))
    chat.hears(Clarify(("open_case", "capture_lead")))
    assert chat.wrote(HandOff)[0].reason == "not_understood"


def test_a_timer_without_messages_says_nothing(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("open_case"))
    assert chat.plays(replace(chat.turn(), messages=()), Understood((), "en", "exact")) == ""
    assert chat.state


def test_an_answer_to_another_question_is_acknowledged(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    assert chat.hears(SetSlot("budget", "2k")).startswith("Noted")
    assert "right offer" in chat.hears(Chitchat("why")) and "your name" in chat.rendered[0].text


def test_thanks_end_a_lead_that_needs_nothing_more(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("capture_lead", {"need": "a fan"}))
    said = chat.hears(Chitchat("thanks"))
    assert "team will get in touch" in said and "name" not in said


def test_unanswered_questions_offer_a_person_each_time(conversation: Begin) -> None:
    chat = conversation()
    for _ in range(3):
        assert "no reliable answer" in chat.hears(Ask("who built the moon?"))
    assert not chat.wrote(HandOff)


def test_what_follows_a_new_case_joins_it(conversation: Begin) -> None:
    chat = conversation()
    chat.hears(StartFlow("open_case", {"description": "wrong size"}))
    chat.cases = (_case(chat.now),)
    chat.hears(NotUnderstood("sent seven instead of six"), text="sent seven instead of six")
    assert chat.wrote(AddToCase) == [AddToCase("id-1042", "sent seven instead of six")]
