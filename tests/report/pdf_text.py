"""The text of a PDF that Chromium printed: what is really on the paper, in the order of painting.

Chromium leaves out glyphs that lie outside the page or that a box clips, so that text which a
scroll box hides is not in the file. Only what its PDFs hold is read: plain objects, streams with
Flate, fonts with two-byte glyph numbers and a ToUnicode map.
"""

from __future__ import annotations

import re
import unicodedata
import zlib

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\b(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_HEX = rb"<([0-9A-Fa-f]+)>"


def pdf_text(data: bytes) -> str:
    """All text without white space."""
    objects = {int(number): body for number, body in _OBJECT.findall(data)}
    maps = {n: _to_unicode(objects, body) for n, body in objects.items() if b"/ToUnicode" in body}
    out: list[str] = []
    for body in objects.values():
        if re.search(rb"/Type\s*/Page\b", body):
            out += _page(objects, body, maps)
    return bare("".join(out))


def bare(text: str) -> str:
    """Text without white space, ligatures taken apart."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def _page(objects: dict[int, bytes], body: bytes, maps: dict[int, dict[int, str]]) -> list[str]:
    resources = body
    reference = re.search(rb"/Resources\s+(\d+) 0 R", body)
    if reference:
        resources = objects[int(reference[1])]
    fonts = {
        name: maps.get(int(number), {})
        for name, number in re.findall(rb"/(F\d+)\s+(\d+) 0 R", resources)
    }
    contents = re.search(rb"/Contents\s+(?:\[\s*)?(\d+) 0 R", body)
    assert contents is not None
    stream = _inflate(objects[int(contents[1])])
    out = []
    glyphs: dict[int, str] = {}
    for font, text in re.findall(rb"/(F\d+)\s+[\d.]+\s+Tf|" + _HEX + rb"|(?:\s)", stream):
        if font:
            glyphs = fonts.get(font, {})
        elif text:
            numbers = (int(text[i : i + 4], 16) for i in range(0, len(text), 4))
            out.append("".join(glyphs.get(number, "") for number in numbers))
    return out


def _inflate(body: bytes) -> bytes:
    stream = _STREAM.search(body)
    assert stream is not None
    return zlib.decompressobj().decompress(stream[1]) if b"/FlateDecode" in body else stream[1]


def _to_unicode(objects: dict[int, bytes], body: bytes) -> dict[int, str]:
    reference = re.search(rb"/ToUnicode\s+(\d+) 0 R", body)
    assert reference is not None
    text = _inflate(objects[int(reference[1])])
    out: dict[int, str] = {}

    def word(code: bytes) -> str:
        return bytes.fromhex(code.decode()).decode("utf-16-be")

    for block in re.findall(rb"beginbfchar(.*?)endbfchar", text, re.DOTALL):
        for glyph, code in re.findall(_HEX + rb"\s*" + _HEX, block):
            out[int(glyph, 16)] = word(code)
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", text, re.DOTALL):
        for first, last, code in re.findall(_HEX + rb"\s*" + _HEX + rb"\s*" + _HEX, block):
            for i in range(int(last, 16) - int(first, 16) + 1):
                out[int(first, 16) + i] = chr(ord(word(code)) + i)
    return out
