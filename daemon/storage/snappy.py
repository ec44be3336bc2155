"""Decompress Snappy (google/snappy, format_description.txt): LevelDB packs its blocks with it.

We read only the index of a table this way, which says where the table's other blocks are.
Whatever no compressor writes raises `ValueError`.
"""

SIZE_MAX = 64 * 1024 * 1024
"""An index that claims to be larger is refused."""

VARINT_LENGTH_MAX = 10

_LITERAL, _COPY_1 = 0, 1
_OFFSET_LENGTH = {1: 1, 2: 2, 3: 4}
_SHORT_LITERAL_MAX = 60


def decompress(data: bytes) -> bytes:
    """Return what was compressed."""
    size, offset = read_varint(data, 0)
    if size > SIZE_MAX:
        raise ValueError(f"{size} bytes are more than {SIZE_MAX}")
    output = bytearray()
    while offset < len(data) and len(output) <= size:
        is_literal = data[offset] & 3 == _LITERAL
        offset = (_take_literal if is_literal else _take_copy)(data, offset, output)
    if len(output) != size:
        raise ValueError(f"{len(output)} bytes came out, not {size}")
    return bytes(output)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Return the number at `offset`, seven bits in each byte, and where it ends."""
    value = 0
    for index, byte in enumerate(data[offset : offset + VARINT_LENGTH_MAX]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, offset + index + 1
    raise ValueError("a number does not end")


def _take_literal(data: bytes, offset: int, output: bytearray) -> int:
    """Append the literal whose tag is at `offset`; return where it ends."""
    length = (data[offset] >> 2) + 1
    begin = offset + 1
    if length > _SHORT_LITERAL_MAX:
        extra = length - _SHORT_LITERAL_MAX
        length = int.from_bytes(data[begin : begin + extra], "little") + 1
        begin += extra
    end = begin + length
    if end > len(data):
        raise ValueError("a literal ends too early")
    output += data[begin:end]
    return end


def _take_copy(data: bytes, offset: int, output: bytearray) -> int:
    """Append a copy of what came out before; return where its tag ends."""
    tag = data[offset]
    kind = tag & 3
    end = offset + 1 + _OFFSET_LENGTH[kind]
    distance = int.from_bytes(data[offset + 1 : end], "little")
    length = (tag >> 2) + 1
    if kind == _COPY_1:
        length = ((tag >> 2) & 7) + 4
        distance |= (tag >> 5) << 8
    if end > len(data) or not 0 < distance <= len(output):
        raise ValueError("a copy reaches too far back")
    for _ in range(length):
        output.append(output[-distance])
    return end
