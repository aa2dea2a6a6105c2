"""A random sample of a FASTA stream from the network, of which only the sample is kept.

Reservoir sampling (Vitter 1985, algorithm R): memory holds the sample and one chunk, however long the stream is.
A broken connection goes on within a run; a run that ends early leaves nothing.
"""

import gzip
import random
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple, cast

from llama_gene.corpus.fetch.checks import Check
from llama_gene.corpus.fetch.client import Client
from llama_gene.corpus.fetch.download import (
    Advance,
    CorruptError,
    Received,
    received,
    refuse_mismatch,
    try_again,
)
from llama_gene.corpus.fetch.remote import Remote
from llama_gene.corpus.fetch.transfer import Transfer
from llama_gene.errors import DataError

_GZIP_WINDOW = 31


class Sample(NamedTuple):
    """Records in the order of the stream, and how many the stream had."""

    records: list[bytes]
    seen: int


def download_sample(client: Client, remote: Remote, target: Path, advance: Advance, seed: int) -> Received:
    """Store `remote.sample` random records of a FASTA stream at `target`, gzipped where its name ends in .gz.

    Args:
        client: The session.
        remote: The stream, gzipped where its address ends in .gz.
        target: The final path.
        advance: Told the bytes of the stream so far and in all.
        seed: With the address, decides what is drawn.

    Raises:
        DataError: the stream is no FASTA, or came damaged each time.
        NetworkError: no progress in all tries.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")

    def once() -> Received:
        transfer = Transfer(client, remote, Check(remote.checksum, remote.size))
        chunks = _told(transfer, advance)
        pieces = inflate(chunks, remote.address) if remote.address.endswith(".gz") else chunks
        drawn = draw(split_fasta(pieces, remote.address), remote.sample or 0, f"{seed} {remote.address}")
        refuse_mismatch(remote, transfer)
        _write(part, drawn.records, is_packed=target.name.endswith(".gz"))
        part.replace(target)
        return received(transfer, drawn.seen)

    return try_again(once, lambda: part.unlink(missing_ok=True))


def _told(transfer: Transfer, advance: Advance) -> Iterator[bytes]:
    for chunk in transfer.chunks():
        advance(transfer.position, transfer.version.size)
        yield chunk


def draw(records: Iterable[bytes], size: int, seed: str) -> Sample:
    """A uniform sample without replacement, the same for the same seed and stream.

    Args:
        records: The stream.
        size: Records wanted; a shorter stream is taken whole.
        seed: Any text.

    >>> draw([b"a", b"b", b"c"], size=5, seed="1").records
    [b'a', b'b', b'c']
    """
    chance = random.Random(seed)
    kept: list[tuple[int, bytes]] = []
    seen = 0
    for seen, record in enumerate(records, start=1):
        if seen <= size:
            kept.append((seen, record))
        elif (place := chance.randrange(seen)) < size:
            kept[place] = (seen, record)
    return Sample([record for _, record in sorted(kept)], seen)


def split_fasta(pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """FASTA records as bytes, from "after >" to the last letter.

    Raises:
        DataError: the stream does not start like FASTA.

    >>> list(split_fasta([b">a x", b"\\nAC\\n", b">b\\nGT\\n"], "here"))
    [b'a x\\nAC', b'b\\nGT\\n']
    """
    held: list[bytes] = []  # pieces of the record under way, its ">" included
    for piece in filter(None, pieces):
        if not held and not piece.startswith(b">"):
            raise DataError(f"{where}: not FASTA (starts with {piece[:20]!r}). Only FASTA is sampled; fetch it whole.")
        if b"\n>" in (held[-1][-1:] if held else b"") + piece:
            *whole, rest = b"".join([*held, piece]).split(b"\n>")
            yield from (record.removeprefix(b">") for record in whole)
            held = [b">" + rest]
        else:
            held.append(piece)
    if held:
        yield b"".join(held).removeprefix(b">")


def inflate(chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The content of a gzip stream of one or more members.

    Raises:
        CorruptError: it is damaged or ends too early.
    """
    inflater, is_inside = zlib.decompressobj(_GZIP_WINDOW), False
    try:
        for chunk in chunks:
            while chunk:
                is_inside = True
                yield inflater.decompress(chunk)
                chunk = inflater.unused_data
                if inflater.eof:
                    inflater, is_inside = zlib.decompressobj(_GZIP_WINDOW), False
    except zlib.error as error:
        raise CorruptError(f"{where}: the gzip stream is damaged ({error}).") from None
    if is_inside:
        raise CorruptError(f"{where}: the gzip stream ends too early.")


def _write(path: Path, records: Iterable[bytes], *, is_packed: bool) -> None:
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open("wb"))
        if is_packed:  # no name and no time inside: the same sample is the same file
            packed = stack.enter_context(gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
            stream = cast(IO[bytes], packed)
        for record in records:
            stream.write(b">" + record.rstrip(b"\n") + b"\n")
