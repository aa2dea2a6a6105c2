"""Keep the first of records that are nearly the same, by MinHash and locality-sensitive hashing.

A signature estimates the Jaccard similarity of two sets of words (Broder 1997): canonical 16-mers of DNA, so both
strands and every rotation of a plasmid are alike, 5-mers of protein, runs of 5 words of text. It is made by `rensa`,
which leaves out by itself what cannot change it, so a chromosome needs no sampling. A similarity of 0.8 is 0.7 %
substitutions in DNA, 2 % in a protein. Signatures are made record by record, anywhere; what goes is decided in corpus
order: a record goes when its estimate with an earlier record that stays reaches the threshold.

Only records that share a band of their signatures are compared (Leskovec, Rajaraman and Ullman 2020, Mining of Massive
Datasets, chapter 3). Bands are as long as they may be for 98 % of the pairs at the threshold to share one.
"""

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from llama_gene.config import Kind, NearDuplicateConfig
from llama_gene.corpus.arrays import load_array, release
from llama_gene.corpus.kmers import join, words_in
from llama_gene.corpus.near_kernels import ALONE, NO_WORD, Room, drop_repeats, hash_band, number_buckets
from llama_gene.errors import ArtifactError
from llama_gene.sequences.batches import batches_of_letters
from llama_gene.storage import reserve

WORD_LENGTHS: dict[Kind, int] = {"dna": 16, "protein": 5, "text": 5}
_SEED = 1
_RECALL = 0.98
_PIECE = 1 << 20
_TOGETHER = 1 << 13
_ROUNDING = 1e-9


def make_signatures(texts: Sequence[str], kind: Kind, config: NearDuplicateConfig) -> NDArray[np.uint32]:
    """The signature of each record.

    `rensa` works in as many threads as the processor has, unless the environment names fewer (RAYON_NUM_THREADS); the
    result is the same. Those threads do not survive a fork: after a call here, a forked child would wait for them
    forever, so workers are spawned, or RAYON_NUM_THREADS is 1 from the start.

    Args:
        texts: Records of one kind, cleaned; the runs of one DNA record are joined by N.
        kind: What they are.
        config: Its `permutations` is the length of a signature.

    Returns:
        uint32 [records, permutations]; 2**32 - 1 throughout where a record has no word.

    >>> from llama_gene.sequences.alphabets import reverse_complement
    >>> plasmid = "ACGGTCAATCGATCGGACTTTGCA"
    >>> one, other = make_signatures([plasmid, reverse_complement(plasmid)], "dna", NearDuplicateConfig())
    >>> one.shape, bool((one == other).all())
    ((128,), True)
    """
    signatures = np.full((len(texts), config.permutations), NO_WORD, dtype=np.uint32)
    for batch in batches_of_letters(_pieces(texts, kind), itemgetter(1), _PIECE):
        owners, pieces = zip(*batch, strict=True)
        joined = join(pieces, kind)
        words, starts = words_in(joined.letters, kind, WORD_LENGTHS[kind])
        bounds = np.append(np.searchsorted(starts, joined.begins), len(words)).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(words, bounds, config.permutations, _SEED)
        # The signature of a union is the minimum of the signatures, number by number.
        np.minimum.at(signatures, list(owners), np.array(matrix.to_rows(), dtype=np.uint32))
    return signatures


class Signer:
    """Signatures of records that come one by one; they are made for about a megabyte at a time.

    Args:
        kind: What the records are.
        config: As for `make_signatures`.
    """

    def __init__(self, kind: Kind, config: NearDuplicateConfig) -> None:
        self._kind = kind
        self._config = config
        self._waiting: list[str] = []
        self._held = 0
        self._made = [np.zeros((0, config.permutations), dtype=np.uint32)]

    def add(self, text: str) -> None:
        """Take in one record."""
        self._waiting.append(text)
        self._held += len(text)
        if self._held >= _PIECE:
            self._sign()

    def signatures(self) -> NDArray[np.uint32]:
        """Those of all records so far: uint32 [records, permutations]."""
        self._sign()
        return np.concatenate(self._made)

    def _sign(self) -> None:
        if self._waiting:
            self._made.append(make_signatures(self._waiting, self._kind, self._config))
            self._waiting, self._held = [], 0


def _pieces(texts: Sequence[str], kind: Kind) -> Iterator[tuple[int, str]]:
    """The place of each record with its letters; long DNA is cut, so that memory stays small."""
    for owner, text in enumerate(texts):
        for piece in _cut(text, WORD_LENGTHS[kind] - 1) if kind == "dna" else (text,):
            yield owner, piece


def _cut(letters: str, overlap: int) -> Iterator[str]:
    for start in range(0, max(1, len(letters) - overlap), _PIECE):
        yield letters[start : start + _PIECE + overlap]


def band_length(threshold: float, permutations: int) -> int:
    """Numbers in a band: as many as may be for 98 % of the pairs at the threshold to share a band.

    >>> band_length(0.8, 128)
    7
    """
    lengths = range(permutations, 1, -1)
    return next((n for n in lengths if 1 - (1 - threshold**n) ** (permutations // n) >= _RECALL), 1)


def find_near_duplicates(
    signatures: Sequence[Path | NDArray[np.uint32]], config: NearDuplicateConfig, work: Path
) -> NDArray[np.bool_]:
    """Which records are nearly the same as an earlier one that stays.

    Memory is about 12 bytes a record, while one band is sorted; the rest lies in files of `work`: 4 bytes a record and
    band, and the signatures of records that share a band with another.

    Args:
        signatures: What `make_signatures` gave for one kind, in corpus order: arrays or .npy files (opened
            memory-mapped), split in any way.
        config: Its `threshold`, and the `permutations` of the signatures.
        work: Local folder for files of this call, which it overwrites; it may be removed afterwards.

    Returns:
        bool [records]: True where a record goes. Records without words stay.

    Raises:
        ArtifactError: an array is not uint32 [records, permutations].
        OSError: the disk is full.

    >>> import tempfile
    >>> rows = make_signatures(["to be or not to be"] * 2 + ["that is the question now"], "text", NearDuplicateConfig())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     find_near_duplicates([rows], NearDuplicateConfig(), Path(folder)).tolist()
    [False, True, False]
    """
    arrays = [_open(one, config.permutations) for one in signatures]
    records = sum(len(array) for array in arrays)
    is_repeat = np.zeros(records, dtype=np.bool_)
    if not records:
        return is_repeat
    buckets_BR, totals = _make_buckets(arrays, config, work)
    is_candidate = np.zeros(records, dtype=np.bool_)
    for bucket_R in buckets_BR:
        is_candidate |= bucket_R != ALONE
    candidates = np.flatnonzero(is_candidate)
    if not len(candidates):
        return is_repeat
    signatures_CP = _gather(arrays, is_candidate, config.permutations, work)
    room = _make_room(buckets_BR, totals, work)
    offsets = np.cumsum(totals) - totals
    needed = math.ceil(config.threshold * config.permutations - _ROUNDING)
    for start in range(0, len(candidates), _TOGETHER):
        some = candidates[start : start + _TOGETHER]
        local = buckets_BR[:, some].T.astype(np.int64)
        buckets_KB = np.where(local == ALONE, ALONE, local + offsets)
        goes = np.zeros(len(some), dtype=np.bool_)
        drop_repeats(signatures_CP, start, np.ascontiguousarray(buckets_KB), room, needed, goes)
        is_repeat[some] = goes
        release(signatures_CP)
    return is_repeat


def _open(one: Path | NDArray[np.uint32], permutations: int) -> NDArray[np.uint32]:
    # asarray: numba takes a plain array that lies in the mapped memory, but not numpy's class of such.
    array = one if isinstance(one, np.ndarray) else np.asarray(load_array(one))
    if array.dtype != np.uint32 or array.ndim != 2 or array.shape[1] != permutations:
        name = "signatures" if isinstance(one, np.ndarray) else one
        raise ArtifactError(
            f"{name}: {array.dtype} {list(array.shape)}. Expected uint32 [records, {permutations}]; "
            "make the signatures again with the same corpus.near_duplicates.permutations."
        )
    return array


def _make_buckets(
    arrays: Sequence[NDArray[np.uint32]], config: NearDuplicateConfig, work: Path
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Bucket of each record in each band, [B, R], and how many buckets each band has."""
    bounds = np.cumsum([0, *map(len, arrays)])
    length = band_length(config.threshold, config.permutations)
    bands = config.permutations // length
    has_words = np.concatenate([_has_words(array) for array in arrays])
    buckets_BR = _on_disk(work / "buckets.npy", np.int32, (bands, len(has_words)))
    keys_R = np.empty(len(has_words), dtype=np.uint64)
    bits = len(has_words).bit_length()
    totals = []
    for band in range(bands):
        columns = (band * length, (band + 1) * length)
        for array, start, end in zip(arrays, bounds, bounds[1:], strict=False):
            hash_band(array, columns, int(start), bits, keys_R[start:end])
            release(array)
        keys_R.sort()
        totals.append(number_buckets(keys_R, bits, has_words, buckets_BR[band]))
    return buckets_BR, np.array(totals, dtype=np.int64)


def _has_words(signatures: NDArray[np.uint32]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = signatures[:, 0] != NO_WORD
    release(signatures)
    return found


def _gather(
    arrays: Sequence[NDArray[np.uint32]], is_candidate: NDArray[np.bool_], permutations: int, work: Path
) -> NDArray[np.uint32]:
    gathered = _on_disk(work / "candidates.npy", np.uint32, (int(is_candidate.sum()), permutations))
    start = written = 0
    for array in arrays:
        for begin in range(0, len(array), _TOGETHER):
            part = array[begin : begin + _TOGETHER]
            chosen = part[is_candidate[start : start + len(part)]]
            gathered[written : written + len(chosen)] = chosen
            start, written = start + len(part), written + len(chosen)
        release(array)
        release(gathered)
    return gathered


def _make_room(buckets_BR: NDArray[np.int32], totals: NDArray[np.int64], work: Path) -> Room:
    sizes = [
        np.bincount(bucket_R[bucket_R != ALONE], minlength=int(total))
        for bucket_R, total in zip(buckets_BR, totals, strict=True)
    ]
    ends = np.cumsum(np.concatenate(sizes))
    begins = np.concatenate([[0], ends[:-1]])
    return Room(begins, _on_disk(work / "kept.npy", np.int32, (int(ends[-1]),)), np.zeros(len(begins), dtype=np.int32))


def _on_disk(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    reserve(path)
    return np.asarray(mapped)
