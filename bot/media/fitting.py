"""Making a file what its channel takes: voice notes, pictures and films converted, the rest as documents."""

import asyncio
import mimetypes
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bot.adapter import Features, MediaLimit
from bot.errors import InvalidInput
from bot.logs import logger
from bot.media import MediaStore, extension
from bot.media.convert import CPU_S, JPEG, M4A, MP4, OPUS
from bot.messages import Media, MediaKind

_log = logger("media")
_few = asyncio.Semaphore(2)
"""Conversions at a time: each is a process that works as hard as it can."""
_FORMS: dict[MediaKind, tuple[str, ...]] = {
    MediaKind.IMAGE: (JPEG,),
    MediaKind.VOICE: (OPUS, M4A),
    MediaKind.AUDIO: (M4A, OPUS),
    MediaKind.VIDEO: (MP4,),
}
_MUTE_IN_BROWSERS = ("audio/amr", "audio/3gpp", "audio/amr-wb", "audio/x-caf")
"""Sounds that telephones send and browsers do not play."""


def bare(mime: str, filename: str = "") -> str:
    """`audio/webm` for `audio/webm;codecs=opus`; guessed from the name where the sender does not know."""
    given = mime.partition(";")[0].strip().lower()
    if given in ("", "application/octet-stream"):
        return mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return given


async def fit(store: MediaStore, media: Media, features: Features) -> Media:
    """The stored file as the channel takes it: as it is, converted, or as a document.

    Raises InvalidInput that says what the channel takes."""
    limit = features.media.get(media.kind)
    if limit is not None:
        if _takes(limit, media):
            return media
        for mime in _FORMS.get(media.kind, ()):
            if limit.mimes and mime not in limit.mimes:
                continue
            if (made := await convert(store, media, mime, limit.max_bytes)) is not None:
                return made
    document = replace(media, kind=MediaKind.DOCUMENT)
    papers = features.media.get(MediaKind.DOCUMENT)
    if papers is not None and _takes(papers, document):
        return document
    takes = {kind.value: limit.max_bytes // 1024 // 1024 for kind, limit in features.media.items()}
    in_words = ", ".join(f"{kind} to {size} MB" for kind, size in takes.items()) or "no files"
    raise InvalidInput(
        f"{media.filename or 'The file'} cannot go here. This channel takes {in_words}.",
        field="files",
        takes=takes,
    )


async def playable(store: MediaStore, media: Media) -> Media | None:
    """A sound as browsers play it, where they do not play the one that came; else None."""
    if bare(media.mime, media.filename) not in _MUTE_IN_BROWSERS:
        return None
    return await convert(store, media, M4A, 16 * 1024 * 1024)


async def convert(store: MediaStore, media: Media, mime: str, limit: int) -> Media | None:
    """The file in another form, kept beside it; None when there is none."""
    source = store.path(media.ref)
    async with _few:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "made"
            words = (str(source), str(target), mime, str(limit))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot.media.convert", *words, stderr=asyncio.subprocess.PIPE
            )
            try:
                async with asyncio.timeout(CPU_S + 10):
                    _, said = await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()
                said = b"it took too long"
            if process.returncode != 0:
                _log.info("not_converted", ref=media.ref, to=mime, why=said.decode("utf-8", "replace")[-300:])
                return None
            content = await asyncio.to_thread(target.read_bytes)
    ref = await asyncio.to_thread(store.put, content)
    name = f"{Path(media.filename or media.kind.value).stem}{extension(mime)}"
    return replace(media, ref=ref, mime=mime, filename=name, size=len(content))


def _takes(limit: MediaLimit, media: Media) -> bool:
    fits = media.size is None or media.size <= limit.max_bytes
    return fits and (not limit.mimes or bare(media.mime) in limit.mimes)
