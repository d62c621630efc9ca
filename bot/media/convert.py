"""`python -m bot.media.convert SOURCE TARGET MIME LIMIT`: one file into another form, by its own process.

A broken or hostile file can then do no more than end this process, and no decoder is loaded into the server.
Ends with 0 when TARGET was written; else with 1 and a sentence on the standard error.
"""

import resource
import sys
from fractions import Fraction
from pathlib import Path
from typing import cast

CPU_S = 60
MEMORY = 3 * 1024**3
LONGEST_SIDE = 2560
_QUALITIES = (85, 75, 60, 45)
_VOICE_RATE, _MUSIC_RATE = 32_000, 128_000
OPUS, M4A, MP4, JPEG = "audio/ogg", "audio/mp4", "video/mp4", "image/jpeg"


class NotConverted(Exception):
    """Why there is no such form of the file."""


def to_jpeg(source: Path, target: Path, limit: int) -> None:
    """A still picture, upright, on white, at most `limit` bytes. Raises NotConverted."""
    from PIL import Image, ImageOps

    with Image.open(source) as opened:
        if getattr(opened, "is_animated", False):
            raise NotConverted("the picture moves")
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    picture = Image.new("RGB", upright.size, "white")
    picture.paste(upright, mask=upright.getchannel("A"))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    for quality in _QUALITIES:
        picture.save(target, "JPEG", quality=quality, optimize=True)
        if target.stat().st_size <= limit:
            return
    raise NotConverted("the picture stays too large")


def to_audio(source: Path, target: Path, mime: str) -> None:
    """The first sound track: Opus in Ogg, mono, as voice notes are; or AAC in MP4. Raises NotConverted."""
    import av

    container, codec, rate, layout, bits = (
        ("ogg", "libopus", 48_000, "mono", _VOICE_RATE)
        if mime == OPUS
        else ("mp4", "aac", 44_100, "stereo", _MUSIC_RATE)
    )
    with av.open(str(source)) as given, av.open(str(target), "w", format=container) as made:
        if not given.streams.audio:
            raise NotConverted("there is no sound in it")
        out = cast(av.AudioStream, made.add_stream(codec, rate=rate, layout=layout, bit_rate=bits))
        shape = av.AudioResampler(
            format=out.codec_context.format, layout=layout, rate=rate, frame_size=out.codec_context.frame_size
        )
        clock = Fraction(1, rate)
        at = 0
        for frame in (*given.decode(given.streams.audio[0]), None):
            for piece in shape.resample(frame):
                # Recorders and packet loss leave gaps in the time stamps; players want none.
                piece.pts, piece.time_base = at, clock
                at += piece.samples
                made.mux(out.encode(piece))
        if not at:
            raise NotConverted("there is no sound in it")
        made.mux(out.encode(None))


def to_mp4(source: Path, target: Path) -> None:
    """The same film in another box, where its codecs are those that telephones play. Raises NotConverted."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w", format="mp4") as made:
        tracks = [*given.streams.video[:1], *given.streams.audio[:1]]
        codecs = {track.codec_context.name for track in tracks}
        if not given.streams.video or not codecs <= {"h264", "aac"}:
            raise NotConverted(f"telephones do not play {', '.join(sorted(codecs)) or 'it'}")
        copies = {track.index: made.add_stream_from_template(track) for track in tracks}
        for packet in given.demux(tracks):
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                made.mux(packet)


def convert(source: Path, target: Path, mime: str, limit: int) -> None:
    """Write `target` as `mime`, at most `limit` bytes. Raises NotConverted, and what the decoders raise."""
    if mime == JPEG:
        to_jpeg(source, target, limit)
    elif mime in (OPUS, M4A):
        to_audio(source, target, mime)
    elif mime == MP4:
        to_mp4(source, target)
    else:
        raise NotConverted(f"no way to {mime}")
    if target.stat().st_size > limit:
        raise NotConverted("it stays too large")


def main() -> int:
    """The process."""
    source, target, mime, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        convert(Path(source), Path(target), mime, int(limit))
    except Exception as error:  # whatever a decoder says of a file that it cannot read
        sys.stderr.write(f"{type(error).__name__}: {error}"[:300])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
