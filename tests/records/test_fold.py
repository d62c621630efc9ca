"""Folding: names meet however they are written, others do not, and an index says the same as Python."""

import re
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.records.search.fold import close, matches, score, skeleton, terms, wanted, words

SAME = """
Lakshmi Laxmi Lakshmy Luxmi लक्ष्मी লক্ষ্মী லட்சுமி లక్ష్మి લક્ષ્મી ਲਕਸ਼ਮੀ ಲಕ್ಷ್ಮಿ ലക്ഷ്മി ලක්ෂ්මී ଲକ୍ଷ୍ମୀ لکشمی
Mohammed Muhammad Mohd Md Mohammad Muhammed محمد मोहम्मद মোহাম্মদ ਮੁਹੰਮਦ முகமது
Chaudhary Choudhury Chaudhry Chowdhury Choudhary चौधरी چوہدری
Srinivas Shrinivas Sreenivas श्रीनिवास శ్రీనివాస్ ஸ்ரீநிவாஸ்
Ashish Aashish Asheesh आशीष আশিস
Vivek Bibek विवेक বিবেক
Iyer Aiyar Ayyar ஐயர்
Singh Sinh सिंह ਸਿੰਘ سنگھ
Faiz Phaiz फ़ैज़ फैज
Jayawardena Jayewardene Jayawardana Jayavardhana ජයවර්ධන
Krishna Krishn Krisna कृष्ण કૃષ્ણ కృష్ణ
Karthik Kartik Karthick कार्तिक கார்த்திக்
Murugan முருகன்
Chandran சந்திரன் ചന്ദ്രൻ
Senthil செந்தில்
Rahman Rehman رحمان रहमान রহমান
Javed جاوید जावेद
Yusuf Yousuf Yusof یوسف
Hussain Hussein Husain Hossain حسین हुसैन
Fatima Fathima Fatimah فاطمہ फ़ातिमा
Abdullah عبداللہ अब्दुल्ला
Gurpreet ਗੁਰਪ੍ਰੀਤ गुरप्रीत
Mukherjee Mukherji Mookerjee मुखर्जी মুখার্জি
Mahendra Mahinder महेन्द्र
Chauhan Chouhan Chohan चौहान
Murthy Murti Moorthy मूर्ति
Gowda Gouda ಗೌಡ
Anand Ananda आनंद आनन्द
Jasleen जसलीन ਜਸਲੀਨ
Dnyaneshwar Gyaneshwar ज्ञानेश्वर
Bachchan Bachan बच्चन
Kavitha Kavita கவிதா कविता
Mumbai मुंबई
"""
# Each pair is two names, but for Faiz in Urdu: two consonants are too few for a skeleton.
OTHERS = """
Rama Roma, Anil Sunil, Patel Patil, Kiran Karan, Kumar Kamal, Mohan Mohini, Khan Kannan, Ghosh Goswami,
Sinha Singh, Suresh Suraj, Ramesh Rakesh, Das Dev, Sharma Verma, Gupta Guptill, Mehta Mehra, Rao Roy,
Nair Nayak, Sunita Savita, Amit Ajit, Sita Geeta, Anita Sunita,
Rajesh Rajnish, Iyer Iyengar, Vijay Ajay, Neha Nisha,
Pooja Puneet, Bhat Batra, Martha Martin, Tarun Varun, Mohan Mahan, Rajan Ranjan, राम रोमा,
अनिल सुनील, محمد علی, احمد Muhammad, Faiz فیض,
Zara Lakshmi, x Lakshmi, xb Lakshmi, xblksm Lakshmi, 765 9876543210
"""
FOUND = [
    ("98765", "+91 98765 43210"),
    ("9876543210", "+91 98765 43210"),
    ("9876543210", "919876543210"),
    ("+919876543210", "+91 98765 43210"),
    ("+91 98765 43210", "98765 43210"),
    ("98765 43210", "+919876543210"),
    ("98765 4", "+919876543210"),
    ("098765 43210", "+91-98765-43210"),
    ("0091 98765", "+919876543210"),
    ("43210", "+91 (98765) 43210"),
    ("९८७६५", "+91 98765 43210"),
    ("98765", "٩٨٧٦٥ ٤٣٢١٠"),
    ("98765", "۹۸۷۶۵۴۳۲۱۰"),
    ("77 123", "+94 77 123 4567"),
    ("771234567", "+94771234567"),
    ("ravi.kumar@example.co.in", "Ravi.Kumar@Example.CO.IN"),
    ("ravi.kumar@ex", "ravi.kumar@example.co.in"),
    ("ravi.kumar@", "ravi.kumar@example.co.in"),
    ("@example.co", "ravi.kumar@example.co.in"),
    ("kumar", "ravi.kumar@example.co.in"),
    ("O'Brien", "OBrien"),
    ("obrien", "O’Brien"),
    ("souza", "D'Souza"),
    ("jean paul", "Jean-Paul"),
    ("Jean-Paul", "Jean Paul"),
    ("jeanpaul", "Jean-Paul"),
    ("paul jean", "Jean-Paul"),
    ("c-1042", "C-1042"),
    ("Mee", "Meena"),
    ("Phai", "Phaiz"),
    ("mina", "Meena"),
    ("zo", "Zoho"),
    ("laxm nara", "Lakshmi Narayanan"),
    ("José", "Jose"),
    ("Иван", "Ivan"),
    ("北京", "Beijing"),
]
NAMES = SAME.split()
# Characters of every script we read, so that examples are words more often than not; then anything at all.
LETTERS = st.sampled_from(sorted({letter for name in NAMES for letter in name} | set(" -'@.+x09٩९।‌‍ءXPpşß")))
TEXTS = st.text(LETTERS, max_size=30) | st.text(max_size=30)


@pytest.mark.parametrize("row", SAME.strip().splitlines(), ids=lambda row: row.split()[0])
def test_a_name_is_found_however_it_is_written(row: str) -> None:
    names = row.split()
    missed = [(query, text) for query in names for text in names if not matches(query, text)]
    assert missed == []
    assert all(score(query, text) >= 0.6 for query in names for text in names)


def test_other_names_are_not_found() -> None:
    pairs = [pair.split() for pair in OTHERS.replace("\n", " ").split(",")]
    met = [pair for one, other in pairs for pair in ((one, other), (other, one)) if matches(*pair)]
    assert met == []


@pytest.mark.parametrize(("query", "text"), FOUND)
def test_numbers_addresses_and_compounds_are_found_by_what_is_typed(query: str, text: str) -> None:
    assert matches(query, text)
    assert score(query, text) > 0.7


def test_a_name_is_found_while_it_is_typed() -> None:
    """In Latin and the scripts that write vowels; a sign that changes its letter (nukta, virama) or takes its
    sound from the next (anusvara) is not yet typed, or ends nothing."""
    unready = re.compile("[\u0902\u0a70\u094d\u09cd]$")
    missed = [
        (name[:end], name)
        for name in NAMES
        if not re.search("[\u0600-\u06ff\u0b80-\u0bff]", name)
        for end in range(1, len(name))
        if name[end] != "\u093c" and not unready.search(name[:end]) and not matches(name[:end], name)
    ]
    assert missed == []


def test_nothing_asked_finds_nothing() -> None:
    assert wanted("?! -") == []
    assert not matches("", "Lakshmi")
    assert score("", "Lakshmi") == score("Lakshmi", "") == 0.0
    assert terms("…") == ""


def test_better_finds_rank_higher() -> None:
    ranked = ["Lakshmi", "Lakshmi Menon", "Laxmi Menon", "Lakshmipathi Menon", "Lokshmi Menon", "Ravi Menon"]
    scores = [score("lakshmi", name) for name in ranked]
    assert scores == sorted(set(scores), reverse=True)
    assert (scores[0], scores[-1]) == (1.0, 0.0)
    assert score("Muhammad", "Mohammed") > score("Muhammad", "محمد") > score("Suresh", "Surseh") > 0


@pytest.mark.parametrize(
    ("query", "word", "expected"),
    [
        ("ravi", "rabi", True),
        ("ravi", "arvi", True),  # two letters changed places: one mistake
        ("ravi", "rabbi", False),
        ("rao", "rav", False),
        ("srinivas", "sriinvaas", True),
        ("srinivas", "shriinvaass", False),
    ],
)
def test_typing_mistakes(query: str, word: str, expected: bool) -> None:
    assert close(query, word) is expected


def test_words_and_skeletons_in_the_open() -> None:
    assert words("Laxmi Chowdhury, O'Brien") == ("laksmi", "chaudari", "obrien", "o", "brien")
    assert words("लक्ष्मी شاہ") == ("laksmi", "sah")
    assert [skeleton(word) for word in words("Lakshmi Aslam Islam")] == ["lksm", "aslm", "aslm"]
    assert terms("Laxmi محمد") == "laksmi xblksm xalksmi mahmd xbmkmt xcmkmt"
    assert wanted("Khan 98765") == [["khan*", "kan"], ["98765*"]]


@given(text=TEXTS)
@example("x" * 200)
@example("a.a" * 200 + "@")
@example("0@ஐக")
@example("ء1ক१")
@settings(max_examples=300)
def test_whatever_the_text_its_terms_are_plain_and_its_words_find_it(text: str) -> None:
    kept = terms(text)
    assert re.fullmatch("(?:[a-z0-9]+(?: [a-z0-9]+)*)?", kept)
    assert all(len(term) <= 70 for term in kept.split())
    assert all(re.fullmatch("[a-wyz0-9]+", word) for word in words(text))
    for word in words(text):
        assert word in words(word) or "@" in text  # an address is squeezed, not spelled
        for end in range(1, len(word) + 1):
            assert matches(word[:end], text)
    assert matches(text, text) is bool(words(text))


@given(query=TEXTS | st.sampled_from(NAMES), text=TEXTS | st.sampled_from(NAMES))
@settings(max_examples=300)
def test_what_matches_has_a_rank(query: str, text: str) -> None:
    near = score(query, text)
    assert 0.0 <= near <= 1.0
    assert near > 0 or not matches(query, text)


def test_sqlite_finds_by_the_same_strings() -> None:
    """The terms are words to FTS5 and the alternatives are its query: no second meaning beside Python's."""
    database = sqlite3.connect(":memory:")
    database.execute("create virtual table held using fts5(terms, tokenize='unicode61')")
    texts = [*NAMES, *(text for _, text in FOUND)]
    database.executemany("insert into held values (?)", [(terms(text),) for text in texts])
    for query in {*NAMES, *(query for query, _ in FOUND)}:
        expression = " AND ".join(
            "(" + " OR ".join(f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"' for term in each) + ")"
            for each in wanted(query)
        )
        rows = database.execute("select rowid from held where held match ?", (expression,))
        assert {texts[row - 1] for (row,) in rows} == {text for text in texts if matches(query, text)}
    database.close()
