"""Files that came with messages, kept by the hash of their content under the data directory."""

import asyncio
import hashlib
import mimetypes
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO

from bot.errors import InvalidInput, NotFound, TooLarge

MAX_BYTES = 100 * 1024 * 1024
_SAFE_INLINE = ("image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/")


class MediaStore:
    """A folder of files named by SHA-256; the same file sent twice is kept once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made on first use."""
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep bytes; returns `media:<hash>`. Blocking: call it in a thread for large files."""
        if len(content) > MAX_BYTES:
            raise TooLarge("A file may have at most 100 MB", limit=MAX_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            os.utime(path)  # its age counts from here again
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)  # whole or not at all
        return f"media:{digest}"

    def older_than(self, before: datetime) -> Iterator[str]:
        """`media:<hash>` of files that last came before this; what a crash left half written goes at once."""
        for path in chain(self._folder.glob("tmp*"), self._folder.glob("[0-9a-f][0-9a-f]/*")):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime >= before.timestamp():
                    continue
                if _is_digest(path.name):
                    yield f"media:{path.name}"
                else:
                    path.unlink()

    def remove(self, ref: str, before: datetime) -> bool:
        """Delete a file, unless it came again since `before`; False then, and when it is gone already."""
        path = self._path(ref.removeprefix("media:"))
        aside = path.with_name(f"{path.name}.gone")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        # Nobody renews its age any more: whoever puts it now finds no file and writes another.
        if aside.stat().st_mtime >= before.timestamp():
            aside.replace(path)
            return False
        aside.unlink()
        return True

    async def put_stream(self, stream: AsyncIterator[bytes], limit: int = MAX_BYTES) -> str:
        """Keep a stream of at most `limit` bytes, written as it comes; returns `media:<hash>`."""
        temporary, digest, size = await asyncio.to_thread(self._begin), hashlib.sha256(), 0
        try:
            async for piece in stream:
                size += len(piece)
                if size > limit:
                    raise TooLarge("The file is larger than its channel allows", limit=limit)
                digest.update(piece)
                await asyncio.to_thread(temporary.write, piece)
        except BaseException:
            temporary.close()
            os.unlink(temporary.name)  # noqa: PTH108  (one fast call, and a cancelled task may not await)
            raise
        return await asyncio.to_thread(self._finish, temporary, digest.hexdigest())

    def _begin(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self._folder, delete=False)

    def _finish(self, temporary: IO[bytes], digest: str) -> str:
        temporary.close()
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(temporary.name).replace(path)  # whole or not at all
        return f"media:{digest}"

    def path(self, ref: str) -> Path:
        """Where `media:<hash>` lies. Raises InvalidInput, NotFound."""
        digest = ref.removeprefix("media:")
        if not _is_digest(digest):
            raise InvalidInput("That is no stored file")
        path = self._path(digest)
        if not path.exists():
            raise NotFound("That file is not here any more")
        return path

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def _is_digest(name: str) -> bool:
    return len(name) == 64 and all(char in "0123456789abcdef" for char in name)


def shown_inline(mime: str) -> bool:
    """Whether a browser may show the file in our page; everything else is a download."""
    return mime.startswith(_SAFE_INLINE)


def extension(mime: str) -> str:
    """`.jpg` for image/jpeg; empty when unknown."""
    return mimetypes.guess_extension(mime.split(";")[0].strip()) or ""
