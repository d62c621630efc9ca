"""What a file is, by its first bytes: the name and the sender's word alone are not believed."""

HEAD = 4096
"""How many first bytes `sniff` wants."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (0, b"%PDF-", "application/pdf"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp3gp", "video/3gpp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (8, b"WAVE", "audio/wav"),
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
# Office files are archives: which program wrote one, only the name tells.
_IN_ZIP = {
    "docx": f"{_OPEN_XML}wordprocessingml.document",
    "xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
    "pptx": f"{_OPEN_XML}presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
}
_IN_OLE = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
}
_TEXT = {"txt": "text/plain", "csv": "text/csv", "ics": "text/calendar", "vcf": "text/vcard"}
DOCUMENTS = ("application/pdf", *_IN_ZIP.values(), *_IN_OLE.values(), *_TEXT.values())
"""Documents that a stranger may send us. Archives and programs are not among them."""
EXTENSIONS = tuple(f".{name}" for name in ("pdf", *_IN_ZIP, *_IN_OLE, *_TEXT))


def sniff(head: bytes, name: str) -> str | None:
    """The MIME type of a file that begins with `head`; None for what we do not know."""
    suffix = name.rpartition(".")[2].lower()
    if head.startswith(_ZIP):
        return _IN_ZIP.get(suffix)
    if head.startswith(_OLE):
        return _IN_OLE.get(suffix)
    for start, magic, mime in _MAGIC:
        if head.startswith(magic, start) and (start != 8 or head.startswith(b"RIFF")):
            return "audio/webm" if mime == "video/webm" and suffix == "weba" else mime
    if suffix in _TEXT and b"\x00" not in head:
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:  # not merely a letter cut in two at the end
                return None
        return _TEXT[suffix]
    return None
