"""A capture file of one TCP connection, from the bytes that went both ways; or of UDP datagrams.

Made here rather than on an interface, which takes rights that not everybody has. Addresses, ports
and times are made up; the bytes are not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

CLIENT_PORT = 40000
SERVER_PORT = 9879
_LINKTYPE_RAW = 101  # packets begin with their IP header
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINKTYPE_RAW)
_ACK, _PUSH_ACK = 0x10, 0x18


def write_capture(
    path: Path, octets: Iterable[tuple[bool, bytes]], *, segment_bytes: int = 1448
) -> None:
    """Write (from the client, bytes) in their order, as segments of at most so many bytes."""
    lines = [_FILE_HEADER]
    # Next sequence numbers, the client's first.
    numbers = [1000, 5000]
    for from_client, stream in octets:
        side = 0 if from_client else 1
        for start in range(0, len(stream), segment_bytes):
            segment = stream[start : start + segment_bytes]
            packet = _packet(side, numbers[side], numbers[1 - side], segment)
            numbers[side] += len(segment)
            lines.append(struct.pack("<IIII", 0, len(lines), len(packet), len(packet)) + packet)
    path.write_bytes(b"".join(lines))


def write_datagrams(path: Path, datagrams: Iterable[bytes], port: int) -> None:
    """Write UDP datagrams to a port of a multicast group, in their order."""
    lines = [_FILE_HEADER]
    for datagram in datagrams:
        udp = struct.pack("!HHHH", CLIENT_PORT, port, 8 + len(datagram), 0) + datagram
        packet = _ip_header(17, b"\x0a\0\0\x02", b"\xef\xff\x0d\x01", len(udp)) + udp
        lines.append(struct.pack("<IIII", 0, len(lines), len(packet), len(packet)) + packet)
    path.write_bytes(b"".join(lines))


def _packet(side: int, number: int, acknowledged: int, segment: bytes) -> bytes:
    ports = (CLIENT_PORT, SERVER_PORT) if side == 0 else (SERVER_PORT, CLIENT_PORT)
    flags = _PUSH_ACK if segment else _ACK
    tcp = struct.pack("!HHIIBBHHH", *ports, number, acknowledged, 5 << 4, flags, 65535, 0, 0)
    addresses = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
    octets = tcp + segment
    return _ip_header(6, addresses[side], addresses[1 - side], len(octets)) + octets


def _ip_header(protocol: int, source: bytes, target: bytes, length: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, protocol, 0)
    return head + source + target
