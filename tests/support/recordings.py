"""Small real files, made by the real encoders: what browsers record, what telephones send."""

import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image


def sound(container: str = "webm", codec: str = "libopus", rate: int = 48_000, seconds: float = 1.0) -> bytes:
    """A tone; `webm` is what Chromium records, `mp4` with `aac` what Safari does."""
    made = io.BytesIO()
    with av.open(made, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.int16)
        shape = av.AudioResampler(
            stream.codec_context.format, "mono", rate, stream.codec_context.frame_size or None
        )
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for piece in (*shape.resample(frame), *shape.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return made.getvalue()


def film(container: str = "mov") -> bytes:
    """Half a second of H.264; `mov` is what an iPhone films."""
    made = io.BytesIO()
    with av.open(made, "w", format=container) as out:
        stream = out.add_stream("libx264" if container == "mov" else "libvpx", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 40, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return made.getvalue()


def picture(form: str = "WEBP", size: tuple[int, int] = (80, 60), *, noise: bool = False) -> bytes:
    """A picture; `noise` makes one that does not pack well."""
    made = io.BytesIO()
    shown = Image.new("RGBA", size, (200, 30, 30, 255))
    if noise:
        values = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        shown = Image.fromarray(values).convert("RGBA")
    (shown if form in ("WEBP", "PNG") else shown.convert("RGB")).save(made, form)
    return made.getvalue()


def seconds_of(content: bytes) -> tuple[str, str, float]:
    """(container, codec, seconds) of a sound."""
    with av.open(io.BytesIO(content)) as opened:
        stream = opened.streams.audio[0]
        samples = sum(frame.samples for frame in opened.decode(stream))
        return opened.format.name, stream.codec_context.name, samples / stream.rate
