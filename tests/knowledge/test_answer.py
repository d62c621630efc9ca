"""Answers over a few articles of a shop, and over the starter articles."""

import time
from pathlib import Path

import pytest
import yaml

from bot.knowledge.answer import answer, shorten
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.passages import ArticleText, cut, plain
from bot.knowledge.retrieve import Asked, retrieve
from bot.knowledge.tokens import terms
from bot.shipped import shipped

HOURS = """We are open Monday to Saturday from 10:30 am to 8:30 pm.

## On Sunday

On Sunday we open at 11:00 am and close at 6:00 pm.
"""
ARTICLES = (
    ArticleText("e1", "hours", "en", "What are your opening hours?", HOURS),
    ArticleText(
        "h1", "hours", "hi", "दुकान कब खुलती है?", "दुकान सोमवार से शनिवार सुबह 10:30 से रात 8:30 तक खुली रहती है।"
    ),
    ArticleText(
        "u1",
        "hours",
        "ur",
        "دکان کب کھلتی ہے؟",
        "دکان پیر سے ہفتہ صبح 10:30 سے رات 8:30 بجے تک کھلی رہتی ہے۔",
    ),
    ArticleText(
        "e2", "return", "en", "Can I return a product?", "You can return a product within 7 days of the bill."
    ),
    ArticleText(
        "e3",
        "repair",
        "en",
        "How much does a repair cost?",
        "A visit costs ₹349. See [prices](https://shop/p).",
    ),
    ArticleText("e4", "repair-time", "en", "How long does a repair take?", "A repair takes two days."),
)
INDEX = KnowledgeIndex.build(ARTICLES)
BASE = "https://shop.example/help"


def test_a_question_is_answered_with_its_source() -> None:
    found = answer(INDEX, Asked("Can I return it?"), "en", base_url=BASE)
    assert (found.kind, found.text) == ("found", "You can return a product within 7 days of the bill.")
    assert (found.article_id, found.title) == ("e2", "Can I return a product?")
    assert found.url == f"{BASE}/en/return"


@pytest.mark.parametrize(
    ("question", "lang", "article"),
    [
        ("dukan kab khulti hai", "hi-Latn", "e1"),
        ("dukan kab khulti hai", "hi", "h1"),
        ("दुकान कितने बजे खुलती है", "hi", "h1"),
        ("when do you open?", "hi", "h1"),
        ("دکان کتنے بجے کھلتی ہے", "ur", "u1"),
        ("دُکان كتنے بجے كھلتی هے؟", "ur", "u1"),
        ("when do you open?", "ur", "u1"),
        ("دکان کتنے بجے کھلتی ہے", "hi", "h1"),
        ("क्या वापस कर सकते हैं", "hi", "e2"),
        ("when do you open?", "ta", "e1"),
    ],
)
def test_the_customers_language_where_there_is_a_translation(question: str, lang: str, article: str) -> None:
    assert answer(INDEX, Asked(question), lang).article_id == article


def test_between_two_articles_it_asks_back_and_the_choice_is_answered() -> None:
    unsure = answer(INDEX, Asked("tell me about repair"), "en")
    assert unsure.kind == "unsure"
    assert {option.id for option in unsure.options} == {"e3", "e4"}
    chosen = answer(INDEX, Asked("How long does a repair take?"), "en")
    assert (chosen.kind, chosen.article_id) == ("found", "e4")


@pytest.mark.parametrize("question", ["who is the president of France", "write me a poem", "", "???", "🙂"])
def test_what_no_article_answers_is_not_answered(question: str) -> None:
    assert answer(INDEX, Asked(question), "en").kind == "none"


def test_without_articles_there_is_no_answer() -> None:
    assert answer(KnowledgeIndex.build(()), Asked("when do you open?"), "en").kind == "none"


def test_a_long_passage_is_cut_to_whole_sentences() -> None:
    text = "First comes this. The warranty lasts two years! Then comes more of that. " * 3
    assert shorten(text, "warranty", 60) == "First comes this. The warranty lasts two years!"
    assert len(shorten("word " * 200, "warranty", 50)) <= 50
    assert (
        answer(INDEX, Asked("hours on sunday"), "en", limit=60).text
        == "On Sunday we open at 11:00 am and close at 6:00 pm."
    )


def test_markdown_becomes_plain_text() -> None:
    assert (
        plain("**Bold** and [link](http://x) and `code`\n- a\n- b_c_d")
        == "Bold and link (http://x) and code\n• a\n• b_c_d"
    )
    assert plain("| A | B |\n| --- | --- |\n| 1 | 2 |\n") == "A – B\n1 – 2"


def test_long_articles_are_cut_at_headings() -> None:
    body = "\n".join(f"## Part {n}\n\n{'word ' * 100}" for n in range(4))
    assert [passage.heading for passage in cut(ArticleText("a", "a", "en", "A", body))] == [
        f"Part {n}" for n in range(4)
    ]


def test_terms_fold_stem_and_keep_indic_words_whole() -> None:
    assert terms("Deliveries, DELIVERING delivered") == ["delivery"] * 3
    assert terms("मशीनें मशीन") == ["machine"] * 2
    assert terms("what is the of") == []


QUESTIONS = (
    ("are you open on sunday", "opening-hours"),
    ("aapki dukan kitne baje khulti hai", "opening-hours"),
    ("दुकान कब बंद होती है", "opening-hours"),
    ("home delivery kitne din me hoti hai", "delivery-areas-times"),
    ("can I pay by UPI", "payment-methods"),
    ("क्या किश्तों पर मिल सकता है", "emi"),
    ("how do I extend my warranty", "extended-warranty"),
    ("AC ka filter kaise saaf kare", "ac-cleaning"),
    ("RO ka filter kab badalna chahiye", "water-purifier-filter"),
    ("is there parking", "store-address-parking"),
    ("can I get a GST invoice", "gst-invoice"),
    ("purana fridge exchange me dena hai", "old-appliance-exchange"),
    ("do you install the TV on the wall", "installation"),
    ("how long does a refund take", "refund-times"),
    ("فریج کی وارنٹی کتنی ہے؟", "warranty"),
    ("اتوار کو کھلا ہوتا ہے", "opening-hours"),
    ("کیا قسطوں پر مل سکتا ہے", "emi"),
    ("ڈیلیوری کے کتنے پیسے لگتے ہیں", "delivery-charges"),
    ("ریفنڈ کب تک ملے گا", "refund-times"),
    ("پرانا فریج دے کر نیا لے سکتے ہیں؟", "old-appliance-exchange"),
    ("مرمت کے کتنے پیسے لیتے ہیں", "service-charges"),
)


@pytest.fixture(scope="module")
def starter() -> KnowledgeIndex:
    articles = []
    for path in sorted(shipped("knowledge_base").glob("*/*.md")):
        _, front, body = Path(path).read_text(encoding="utf-8").split("---", 2)
        head = yaml.safe_load(front)
        articles.append(
            ArticleText(f"{head['lang']}/{head['id']}", head["id"], head["lang"], head["title"], body)
        )
    return KnowledgeIndex.build(articles)


def test_the_starter_articles_answer_what_people_ask(starter: KnowledgeIndex) -> None:
    wrong = []
    for question, key in QUESTIONS:
        found = retrieve(starter, Asked(question))[1]
        keys = [hit.passage.article.key for hit in found.hits[:3]]
        if found.certainty == "none" or key not in keys or (found.certainty == "sure" and keys[0] != key):
            wrong.append((question, found.certainty, keys))
    assert len(wrong) <= 1, wrong


def test_a_search_takes_well_under_a_millisecond(starter: KnowledgeIndex) -> None:
    began = time.process_time()
    for question, _ in QUESTIONS:
        answer(starter, Asked(question), "en")
    # Measured 0.2 ms; the bound only catches a change of order on a busy machine.
    assert (time.process_time() - began) / len(QUESTIONS) < 0.005
