#!/usr/bin/env python3
"""Reads a feed with nothing of ours but the published schemas: proof that any language can.

    pip install fastavro            # and zstandard, if the feed has records in parts
    maidenlane log tail --dir DIR --topic TOPIC --entries 1000000 --raw > FILE      # or --brokers
    feed.py dump FILE               # entries, each behind its length as u32 little-endian: one JSON line per record
    feed.py golden [DIR]            # decodes the golden records, compares fields and re-encodes them byte by byte

Exit code 0: everything decoded and the rules of FORMAT.md hold; 1: something did not.
"""

import io
import json
import struct
import sys
from pathlib import Path

import fastavro
from fastavro.schema import fingerprint, load_schema, to_parsing_canonical_form

WIRE = Path(__file__).resolve().parents[2] / "daemons" / "lib" / "wire"
MARKER = b"\xc3\x01"


class Broken(Exception):
    """Bytes that are not what FORMAT.md says."""


def schemas():
    """Parsed schema by its fingerprint as it stands in an entry."""
    found = {}
    for path in sorted((WIRE / "schema").glob("*.avsc")):
        canonical = to_parsing_canonical_form(json.loads(path.read_text()))
        # fastavro prints the fingerprint as its eight little-endian bytes, which is how an entry has it.
        found[bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))] = load_schema(str(path))
    return found


SCHEMAS = schemas()


def decode(entry):
    """(kind, record, schema) of one entry."""
    if entry[:2] != MARKER:
        raise Broken("the marker c301 is missing")
    schema = SCHEMAS.get(entry[2:10])
    if schema is None:
        raise Broken(f"unknown schema {entry[2:10].hex()}")
    data = io.BytesIO(entry[10:])
    record = fastavro.schemaless_reader(data, schema)
    if data.read():
        raise Broken("bytes follow the record")
    return schema["name"].removeprefix("maidenlane."), record, schema


def encode(record, schema, head):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return head + out.getvalue()


def plain(value):
    """As JSON has it: bytes as hex."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def entries(path):
    data = Path(path).read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        entry = data[at + 4 : at + 4 + length]
        if len(entry) < length:
            raise Broken(f"the dump ends inside the entry at byte {at}")
        yield entry
        at += 4 + length


class Feed:
    """The reader's rules: first OPEN of an epoch wins, seq is dense, head changes join up, parts make records."""

    def __init__(self):
        self.owner = None
        self.seq = 0
        self.head = None
        self.parts = []
        self.counts = {}

    def take(self, entry):
        kind, record, _ = decode(entry)
        stamp = record["stamp"]
        writer = (stamp["epoch"], stamp["writer"])
        if kind == "Open":
            if self.owner and stamp["epoch"] <= self.owner[0]:
                return None
            self.owner, self.seq, self.parts = writer, 0, []
        if self.owner and writer != self.owner:
            return None
        if self.owner and stamp["seq"] != self.seq:
            raise Broken(f"seq {stamp['seq']} where {self.seq} is due in epoch {stamp['epoch']}")
        self.seq = stamp["seq"] + 1
        if kind == "Part":
            joined = self.join(record)
            if joined is None:
                return None
            kind, record, _ = decode(joined)
        self.move(kind, record)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return kind, record

    def join(self, part):
        if part["index"] == 0:
            self.parts = []
        if part["index"] != len(self.parts):
            raise Broken(f"part {part['index']} where {len(self.parts)} is due")
        self.parts.append(part["data"])
        if len(self.parts) < part["count"]:
            return None
        import zstandard

        whole = zstandard.ZstdDecompressor().decompress(b"".join(self.parts), max_output_size=part["wholeLen"])
        self.parts = []
        if len(whole) != part["wholeLen"]:
            raise Broken(f"{len(whole)} bytes where {part['wholeLen']} were announced")
        return whole

    def move(self, kind, record):
        if kind in ("Genesis", "Start"):
            self.head = (record["block"]["number"], record["block"]["hash"])
        elif kind == "Advance":
            below = (record["block"]["number"] - 1, record["parent"])
            if self.head not in (None, below):
                raise Broken(f"block {record['block']['number']} does not join the head {self.head[0]}")
            self.head = (record["block"]["number"], record["block"]["hash"])
        elif kind == "Undo":
            if self.head not in (None, (record["block"]["number"], record["block"]["hash"])):
                raise Broken(f"block {record['block']['number']} is undone and not the head")
            self.head = (record["block"]["number"] - 1, record["parent"])


def dump(path):
    feed = Feed()
    for entry in entries(path):
        taken = feed.take(entry)
        if taken:
            print(json.dumps({"record": taken[0], **plain(taken[1])}))
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(feed.counts.items()))
    print(f"decoded: {counts}; head {feed.head[0] if feed.head else 'unknown'}", file=sys.stderr)


def golden(directory):
    paths = sorted(Path(directory).glob("record-*.txt"))
    without = set(SCHEMAS)
    for path in paths:
        text, expected = path.read_text().split("\n", 1)
        entry = bytes.fromhex(text)
        kind, record, schema = decode(entry)
        without.discard(entry[2:10])
        if {"record": kind, **plain(record)} != json.loads(expected):
            raise Broken(f"{path.name}: other fields than {expected}")
        if encode(record, schema, entry[:10]) != entry:
            raise Broken(f"{path.name}: encodes to other bytes")
    if without:
        names = sorted(SCHEMAS[each]["name"] for each in without)
        raise Broken(f"no golden record in {directory} has the schema of {', '.join(names)}")
    print(f"{len(paths)} golden records of {len(SCHEMAS)} schemas agree")


def main(args):
    try:
        match args:
            case ["dump", path]:
                dump(path)
            case ["golden"]:
                golden(WIRE / "golden")
            case ["golden", directory]:
                golden(directory)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (Broken, OSError, EOFError, ValueError, IndexError, struct.error) as error:
        print(f"broken: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
