"""Words: fall-back, plurals, channels, and a check that finds what is wrong."""

from pathlib import Path

import pytest

from bot import errors
from bot.errors import ConfigurationInvalid, SamvadError
from bot.i18n import Key, Words

HEAD = (
    'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=2; plural={};\\n"\n\n'
)
ENGLISH = """
msgid "hello"
msgstr "Hello {name}"

msgctxt "sms"
msgid "hello"
msgstr "Hi {name}"

msgid "cases"
msgid_plural "cases"
msgstr[0] "one case"
msgstr[1] "{count} cases"

msgid "only.english"
msgstr "English"
"""


def _write(root: Path, lang: str, text: str, plural: str = "(n != 1)", file: str = "samvad.po") -> None:
    folder = root / lang / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(HEAD.format(plural) + text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path, "en", ENGLISH)
    _write(tmp_path, "hi", 'msgid "hello"\nmsgstr "नमस्ते {name}"\n', "(n > 1)")
    return tmp_path


def test_the_language_then_its_base_then_english(root: Path) -> None:
    words = Words.load(root, strict=True)
    assert words.say("hello", "hi", name="रवि") == "नमस्ते रवि"
    assert words.say("hello", "hi-Latn", name="Ravi") == "नमस्ते Ravi"
    assert words.say("only.english", "hi-Latn") == "English"
    assert words.say("hello", "ta", "sms", name="A") == "Hi A"


def test_plurals_follow_the_catalogue(root: Path) -> None:
    words = Words.load(root)
    assert [words.say("cases", "en", count=n) for n in (0, 1, 2)] == ["0 cases", "one case", "2 cases"]


def test_a_value_may_be_a_text_of_its_own_and_is_never_read_as_one(root: Path) -> None:
    words = Words.load(root, strict=True)
    assert words.say("hello", "hi", name=Key("hello", {"name": "x"})) == "नमस्ते नमस्ते x"
    assert words.say("hello", "en", name="{name} {0.__class__}") == "Hello {name} {0.__class__}"


def test_what_is_missing_raises_in_tests_and_is_shown_otherwise(root: Path) -> None:
    strict, lenient = Words.load(root, strict=True), Words.load(root)
    with pytest.raises(KeyError):
        strict.say("nothing", "en")
    with pytest.raises(KeyError):
        strict.say("hello", "en")
    assert lenient.say("nothing", "en") == "nothing"
    assert lenient.say("hello", "en") == "Hello "


def test_check_names_each_problem(root: Path) -> None:
    _write(
        root, "hi", 'msgid "hello"\nmsgstr "{nom}"\n\nmsgid "cases"\nmsgstr ""\n\nmsgid "extra"\nmsgstr "x"\n'
    )
    assert Words.load(root).check() == [
        "hi: only.english is missing; add it to locales/hi",
        "hi: extra is unknown; English does not have it",
        "hi: cases is empty; write its text",
        "hi: hello has {nom} where English has {name}",
    ]


def test_every_file_of_a_folder_is_read(root: Path) -> None:
    _write(root, "en", 'msgid "console.only"\nmsgstr "Sign in"\n', file="console.po")
    assert Words.load(root).say("console.only", "en") == "Sign in"


def test_a_broken_file_and_a_missing_english_are_named(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _write(root, "hi", 'msgid "a"\nfoo "b"\n')
    with pytest.raises(ConfigurationInvalid, match=r"samvad\.po"):
        Words.load(root)
    with pytest.raises(ConfigurationInvalid, match="locales/en"):
        Words.load(tmp_path_factory.mktemp("empty"))


def test_the_shipped_words_are_complete() -> None:
    words = Words.load(strict=True)
    assert words.languages == ("en", "hi", "hi-Latn", "ur")
    assert words.check() == []


def test_every_error_has_its_words() -> None:
    words = Words.load()
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SamvadError)
    ]
    assert [kind.code for kind in kinds if not words.has(f"error.{kind.code}")] == []
