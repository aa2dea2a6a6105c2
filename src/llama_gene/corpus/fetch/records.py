"""What was fetched, one line a file, written as soon as the file has its name: the next run goes on from it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from llama_gene.artifacts import write_text

RECORDS = ".fetched.jsonl"


@dataclass(frozen=True)
class Fetched:
    """A finished file with its provenance; `path` is below the output folder, `retrieved` is UTC."""

    key: str
    path: str
    url: str
    bytes: int
    checksum: str
    checksum_from: str
    retrieved: str
    etag: str
    last_modified: str
    licence: str
    licence_url: str
    citation: str
    sampled_from: int | None = None


def read_records(output: Path) -> dict[str, Fetched]:
    """By key, the finished files that are still there with the size they had."""
    file = output / RECORDS
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            record = Fetched(**json.loads(line))
        except (ValueError, TypeError):
            continue  # a killed run may leave half a line
        path = output / record.path
        if path.is_file() and path.stat().st_size == record.bytes:
            found[record.key] = record
    return found


def append_record(output: Path, record: Fetched) -> None:
    """Write one more down."""
    with (output / RECORDS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")


def rewrite_records(output: Path, records: Iterable[Fetched]) -> None:
    """Keep only these."""
    lines = (json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in records)
    write_text(output / RECORDS, "".join(lines))
