"""PNG: a screenshot with a palette of 256 colours, which takes less than half of the bytes."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")
# Bytes of a pixel, by the type of colour: RGB, and RGB with transparency.
PIXELS = {2: 3, 6: 4}
INDEXED, MOST_COLOURS = 3, 256

Colour = tuple[int, int, int]


def with_palette(png: bytes) -> bytes:
    """Return a PNG with few colours, the most frequent ones. Others become the nearest one of them.

    Args:
        png: A PNG of a browser: 8 bits a channel, not interlaced, not transparent.
    """
    chunks = [*_chunks(png)]
    width, height, depth, colour_type, *_, interlaced = HEADER.unpack(chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    size = PIXELS[colour_type]
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    lines = [*_lines(data, width * size, size)]
    pixels = [[*zip(line[::size], line[1::size], line[2::size], strict=True)] for line in lines]
    counts = Counter(colour for line in pixels for colour in line)
    palette = _palette([colour for colour, _ in counts.most_common()])
    places = {colour: _nearest(colour, palette) for colour in counts}
    body = b"".join(b"\0" + bytes(places[colour] for colour in line) for line in pixels)
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", HEADER.pack(width, height, 8, INDEXED, 0, 0, 0)),
            (b"PLTE", bytes(channel for colour in palette for channel in colour)),
            (b"IDAT", zlib.compress(body, 9)),
            (b"IEND", b""),
        )
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk."""
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _lines(data: bytes, length: int, size: int) -> Iterator[bytearray]:
    """Yield the lines of pixels, without the filters that lines have (PNG, section 9)."""
    above = bytearray(length)
    for start in range(0, len(data), length + 1):
        kind, line = data[start], bytearray(data[start + 1 : start + 1 + length])
        for at in range(length) if kind else ():
            left = line[at - size] if at >= size else 0
            corner = above[at - size] if at >= size else 0
            line[at] = (line[at] + _predicted(kind, left, above[at], corner)) & 0xFF
        yield line
        above = line


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    match kind:
        case 1:
            return left
        case 2:
            return up
        case 3:
            return (left + up) // 2
        case _:
            near = left + up - corner
            return min((left, up, corner), key=lambda each: abs(near - each))


def _palette(colours: list[Colour]) -> list[Colour]:
    """Return the first ones of the colours, without those that are near to one before."""
    nearest = 0
    while True:
        found: list[Colour] = []
        for colour in colours:
            if all(_distance(colour, each) > nearest for each in found):
                found.append(colour)
        if len(found) <= MOST_COLOURS:
            return found
        nearest += 32


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    return min(range(len(palette)), key=lambda place: _distance(colour, palette[place]))


def _distance(one: Colour, other: Colour) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2
