"""Files are made what their channel takes, by real decoders and encoders in a process of their own."""

import io
from pathlib import Path

import pytest
from PIL import Image

from bot.adapter import Features, MediaLimit
from bot.channels.twilio.channel import _SMS
from bot.channels.whatsapp.channel import _FEATURES as WHATSAPP
from bot.errors import InvalidInput
from bot.media import MediaStore
from bot.media.fitting import bare, convert, fit, playable
from bot.messages import Media, MediaKind
from tests.support.recordings import film, picture, seconds_of, sound


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path)


def kept(store: MediaStore, content: bytes, kind: MediaKind, mime: str, name: str = "file") -> Media:
    return Media(kind, store.put(content), mime, name, len(content))


def content_of(store: MediaStore, media: Media) -> bytes:
    return store.path(media.ref).read_bytes()


@pytest.mark.parametrize(
    ("container", "codec", "mime"),
    [("webm", "libopus", "audio/webm"), ("mp4", "aac", "audio/mp4"), ("wav", "pcm_s16le", "audio/wav")],
)
async def test_what_a_browser_records_becomes_a_voice_note(
    store: MediaStore, container: str, codec: str, mime: str
) -> None:
    spoken = kept(store, sound(container, codec), MediaKind.VOICE, mime, f"voice-note.{container}")
    made = await fit(store, spoken, WHATSAPP)
    form, encoded, seconds = seconds_of(content_of(store, made))
    assert (made.kind, made.mime, form, encoded) == (MediaKind.VOICE, "audio/ogg", "ogg", "opus")
    assert seconds == pytest.approx(1.0, abs=0.15)
    assert made.size == len(content_of(store, made)) and made.filename.startswith("voice-note.")


async def test_a_voice_note_for_a_page_plays_in_every_browser(store: MediaStore) -> None:
    page = Features(4096, media={MediaKind.VOICE: MediaLimit(1_000_000, ("audio/mp4",))})
    made = await fit(store, kept(store, sound(), MediaKind.VOICE, "audio/webm;codecs=opus"), page)
    assert (made.mime, seconds_of(content_of(store, made))[1]) == ("audio/mp4", "aac")


async def test_sounds_that_browsers_cannot_play_get_a_form_that_they_can(store: MediaStore) -> None:
    ogg = kept(store, sound("ogg"), MediaKind.VOICE, "audio/ogg")
    assert await playable(store, ogg) is None
    old = kept(store, sound("3gp", "aac", 44_100), MediaKind.AUDIO, "audio/3gpp")
    made = await playable(store, old)
    assert made is not None and made.mime == "audio/mp4"
    broken = kept(store, b"#!AMR\nnothing", MediaKind.AUDIO, "audio/amr")
    assert await playable(store, broken) is None


async def test_a_picture_in_another_form_becomes_a_jpeg(store: MediaStore) -> None:
    made = await fit(
        store, kept(store, picture("WEBP"), MediaKind.IMAGE, "image/webp", "dent.webp"), WHATSAPP
    )
    with Image.open(io.BytesIO(content_of(store, made))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (80, 60))
    assert (made.mime, made.filename) == ("image/jpeg", "dent.jpg")


async def test_a_picture_is_turned_upright(store: MediaStore) -> None:
    lying = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (80, 60)).save(lying, "TIFF", exif=exif)
    made = await fit(store, kept(store, lying.getvalue(), MediaKind.IMAGE, "image/tiff"), WHATSAPP)
    with Image.open(io.BytesIO(content_of(store, made))) as shown:
        assert shown.size == (60, 80)


async def test_a_picture_that_is_too_large_is_made_smaller(store: MediaStore) -> None:
    small = Features(4096, media={MediaKind.IMAGE: MediaLimit(900_000, ("image/jpeg",))})
    large = picture("JPEG", (3000, 900), noise=True)
    assert len(large) > 900_000
    made = await fit(store, kept(store, large, MediaKind.IMAGE, "image/jpeg"), small)
    assert made.size is not None and made.size <= 900_000
    with Image.open(io.BytesIO(content_of(store, made))) as shown:
        assert max(shown.size) <= 2560


async def test_a_film_of_an_iphone_goes_without_being_made_anew(store: MediaStore) -> None:
    made = await fit(store, kept(store, film(), MediaKind.VIDEO, "video/quicktime", "clip.mov"), WHATSAPP)
    assert (made.kind, made.mime, made.filename) == (MediaKind.VIDEO, "video/mp4", "clip.mp4")
    assert b"ftyp" in content_of(store, made)[:16]


async def test_what_cannot_be_converted_goes_as_a_document(store: MediaStore) -> None:
    webm = kept(store, film("webm"), MediaKind.VIDEO, "video/webm", "clip.webm")
    assert await fit(store, webm, WHATSAPP) == Media(
        MediaKind.DOCUMENT, webm.ref, webm.mime, webm.filename, webm.size
    )
    fake = kept(store, b"<script>", MediaKind.IMAGE, "image/webp", "fake.webp")
    assert (await fit(store, fake, WHATSAPP)).kind is MediaKind.DOCUMENT


async def test_what_does_not_fit_at_all_is_refused_with_what_would(store: MediaStore) -> None:
    heavy = Media(MediaKind.DOCUMENT, store.put(b"x"), "application/pdf", "all.pdf", 200 * 1024 * 1024)
    with pytest.raises(InvalidInput, match=r"all\.pdf cannot go here.*document to 100 MB"):
        await fit(store, heavy, WHATSAPP)
    with pytest.raises(InvalidInput, match="document to 5 MB"):
        await fit(store, heavy, _SMS)
    with pytest.raises(InvalidInput, match="no files"):
        await fit(store, heavy, Features(100))


async def test_a_conversion_leaves_nothing_when_it_fails(store: MediaStore) -> None:
    silent = kept(store, film(), MediaKind.VIDEO, "video/quicktime")
    before = sorted(Path(store.path(silent.ref)).parent.parent.rglob("*"))
    assert await convert(store, silent, "audio/ogg", 1_000_000) is None
    assert await convert(store, silent, "video/mp4", 10) is None
    assert sorted(Path(store.path(silent.ref)).parent.parent.rglob("*")) == before


def test_types_of_uploads() -> None:
    assert bare("audio/webm;codecs=opus") == "audio/webm"
    assert bare("", "bill.pdf") == bare("application/octet-stream", "bill.pdf") == "application/pdf"
    assert bare("", "noend") == "application/octet-stream"
