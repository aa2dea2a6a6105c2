"""Ask an index: sequences by alignment, passages by words and vectors together."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_gene.artifacts import Manifest, fingerprint, read_manifest
from llama_gene.config import GENE_KINDS, GeneKind, IndexConfig
from llama_gene.errors import ArtifactError, ConfigError, DataError, TooShortError
from llama_gene.retrieval.aligners import FINDERS, Choice, choose_method
from llama_gene.retrieval.build import CODE, ENCODER, STAGE
from llama_gene.retrieval.exact import shortest_query
from llama_gene.retrieval.found import Found
from llama_gene.retrieval.fusion import Ranked, Ranking, fuse
from llama_gene.retrieval.hits import PassageHit, SequenceHit
from llama_gene.retrieval.store import broken, fasta_path, open_reader
from llama_gene.retrieval.vectors import Embedder, LoadEncoder, Space, content_words, load_space, load_vectors, nearest
from llama_gene.sequences.alignment import Traced, trace
from llama_gene.sequences.alphabets import DNA, PROTEIN, clean_letters, reverse_complement

_ALPHABETS = {"dna": DNA, "protein": PROTEIN}
# Too little to change the order of what full text found.
_FILLING = 1e-6
LOOKED_AT = 50
_GENES_NAMED = 5
# Drawing takes a byte or two for each cell.
_MOST_CELLS_DRAWN = 4_000_000
_MOST_NAMESAKES = 10
# Files of these kinds are read as questions come; the others when the index is opened.
_READ_LATER = (".sqlite", ".fasta", ".npy")
_NO_VECTORS = np.zeros((0, 0), np.float16)


@dataclass(frozen=True)
class Index:
    """An open index; made by `open_index`, safe to share between threads.

    Attributes:
        folder: Where it lies.
        counts: What it holds, as in its manifest: "protein records", "dna records", "passages" …
        config: How it is asked.
    """

    folder: Path
    counts: Mapping[str, int]
    config: IndexConfig
    _connection: sqlite3.Connection
    _embedder: Embedder | None
    _vectors_ND: NDArray[np.float16]
    _sizes: Mapping[str, int]

    @property
    def name(self) -> str:
        """What it is called beside its hits."""
        return self.folder.name

    def find_sequences(self, letters: str, kind: GeneKind, most: int = 10) -> tuple[SequenceHit, ...]:
        """The sequences that align best with the letters, DNA on both strands; empty where none does.

        Args:
            letters: Sequence of at most `config.longest_query` letters, any case.
            kind: What they are, and what is searched.
            most: Hits at most, >= 1.

        Raises:
            TooShortError: so few letters that chance alone may copy them in an index of this size.
            DataError: no letters, too many, or letters of another kind.
            ConfigError: the method asked for is not installed, or does not find this kind.
            ArtifactError: the index is broken.
        """
        query = _clean(letters, kind, self.config.longest_query)
        check_most(most)
        self._check_files()
        if not self.counts.get(f"{kind} records"):
            return ()
        method = who_searches(self.config, query, kind, self.counts).method
        try:
            found = FINDERS[method](query, kind, fasta_path(self.folder, kind), self.config, most)
        except (OSError, EOFError, StopIteration, ValueError) as error:
            raise broken(self.folder, error) from None
        return tuple(self._describe(one, kind) for one in found)

    def choose_method(self, letters: str, kind: GeneKind) -> Choice:
        """Who would look for these letters, and why; errors as `find_sequences`."""
        return who_searches(self.config, letters, kind, self.counts)

    def align(self, letters: str, hit: SequenceHit) -> Traced | None:
        """The rows of the alignment with a hit, to be looked at; None where it is too long to draw.

        They are drawn by parasail inside the letters that the hit spans, whoever found it: HMMER and MMseqs2 may have
        counted other columns.

        Args:
            letters: As they were asked; rows of strand "-" show their reverse complement, and its places.
            hit: What `find_sequences` gave for them.

        Raises:
            ArtifactError: the index is broken.
        """
        query = _clean(letters, hit.kind, self.config.longest_query)
        if len(query) * (hit.end - hit.start) > _MOST_CELLS_DRAWN:
            return None
        query = reverse_complement(query) if hit.strand == "-" else query
        # Two records of a file can have one identifier; the one that aligns best is the one that was found.
        self._check_files()
        drawn = [trace(query, target, hit.kind, "local") for target in self._letters(hit)]
        best = max(drawn, key=lambda one: one.score, default=None)
        if best is None or not best.first:
            return None
        start, end = best.second_span
        return best._replace(second_span=(hit.start + start, hit.start + end))

    def _letters(self, hit: SequenceHit) -> Iterator[str]:
        """What a hit spans of every record that has its identifier."""
        rows = self._rows(
            "SELECT offset FROM sequences WHERE id = ? AND source = ? AND kind = ? AND length >= ? LIMIT ?",
            hit.id, hit.source, hit.kind, hit.end, _MOST_NAMESAKES,
        )  # fmt: skip
        with fasta_path(self.folder, hit.kind).open("rb") as file:
            for (offset,) in rows:
                file.seek(offset + hit.start)
                yield file.read(hit.end - hit.start).decode("ascii")

    def _check_files(self) -> None:
        """Refuse an index whose files changed since it was opened: to read beyond the end of a mapped one is fatal.

        Raises:
            ArtifactError: one is gone, or has another size.
        """
        for name, wanted in self._sizes.items():
            try:
                size = (self.folder / name).stat().st_size
            except OSError as error:
                raise broken(self.folder, f"{name}: {error.strerror}") from None
            if size != wanted:
                raise broken(self.folder, f"{name} has {size:,} bytes, {wanted:,} when it was opened")

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _rows(self, question: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise broken(self.folder, error) from None

    def _row(self, question: str, number: int) -> Any:
        """What is known of one record."""
        rows = self._rows(question, number)
        if not rows:
            raise broken(self.folder, f"record {number} is missing")
        return rows[0]

    def _describe(self, found: Found, kind: GeneKind) -> SequenceHit:
        name, source, description, annotations = self._row(
            "SELECT id, source, description, annotations FROM sequences WHERE number = ?", found.number
        )
        genes = self._genes(name, source, found) if kind == "dna" else ""
        return SequenceHit(
            id=name, description="; ".join(filter(None, (description, genes))), source=source, kind=kind,
            identity=found.identity, coverage=found.coverage, e_value=found.e_value, method=found.method,
            strand=found.strand, start=found.start, end=found.end, annotations=json.loads(annotations),
        )  # fmt: skip

    def _genes(self, name: str, source: str, found: Found) -> str:
        """The coding regions that the alignment touches."""
        rows = self._rows(
            "SELECT DISTINCT name, product FROM genes "
            "WHERE record = ? AND source = ? AND start < ? AND stop > ? LIMIT ?",
            name, source, found.end, found.start, _GENES_NAMED + 1,
        )  # fmt: skip
        named = [f"{gene} ({product})" if gene and product else gene or product for gene, product in rows]
        more = " and more" if len(named) > _GENES_NAMED else ""
        return f"here: {', '.join(named[:_GENES_NAMED])}{more}" if named else ""

    def find_passages(self, question: str, most: int = 5) -> tuple[PassageHit, ...]:
        """The passages that best answer a question, by full text and by vectors; empty where none does.

        Vectors fitted on the index only fill the places that full text leaves free, those of an encoder count as much
        as full text, unless `config.vector_weight` says otherwise.

        Args:
            question: Plain words; nothing in it acts as a query language.
            most: Hits at most, >= 1.

        Raises:
            DataError: no words, or more than `config.longest_query` letters.
            ArtifactError: the index is broken.
        """
        check_most(most)
        return self._fuse(self.rank_passages(question, max(LOOKED_AT, most)), most)

    def passages_by_words(self, question: str, most: int = 5) -> tuple[PassageHit, ...]:
        """As `find_passages`, by full text (BM25) alone."""
        check_most(most)
        return self._fuse({"words": self._by_words(question, most)}, most)

    def passages_by_vectors(self, question: str, most: int = 5) -> tuple[PassageHit, ...]:
        """As `find_passages`, by vectors alone."""
        check_most(most)
        return self._fuse({"vectors": self._by_vectors(question, most)}, most)

    def rank_passages(self, question: str, most: int) -> dict[Ranking, list[Ranked[int]]]:
        """The numbers of the passages that full text and vectors find, each by its score; errors as `find_passages`.

        Args:
            question: Plain words.
            most: Passages of each ranking at most.
        """
        return {"words": self._by_words(question, most), "vectors": self._by_vectors(question, most)}

    def _fuse(self, rankings: Mapping[Ranking, Sequence[Ranked[int]]], most: int) -> tuple[PassageHit, ...]:
        return tuple(self.passage(*fused) for fused in fuse(rankings, self.vector_weight, most))

    @property
    def vector_weight(self) -> float:
        """What a rank among the vectors counts beside one among the words."""
        asked = self.config.vector_weight
        if asked is None:
            return _FILLING if isinstance(self._embedder, Space) else 1.0
        return max(asked, _FILLING)

    def _by_words(self, question: str, most: int) -> list[Ranked[int]]:
        _check_question(question, self.config.longest_query)
        self._check_files()
        words = dict.fromkeys(content_words(question))
        if not words:
            return []
        # Quoted, since bare words such as NEAR and AND are operators.
        query = " OR ".join(f'"{word}"' for word in words)
        # SQLite's BM25 is better the lower it is.
        rows = self._rows(
            "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?", query, most
        )
        return [Ranked(number, score) for number, score in rows]

    def _by_vectors(self, question: str, most: int) -> list[Ranked[int]]:
        _check_question(question, self.config.longest_query)
        self._check_files()
        if not len(self._vectors_ND):
            return []
        if self._embedder is None:
            raise ConfigError(
                f"{self.folder}: an encoder made its vectors. Expected it to be there too; open the index with "
                "load_encoder."
            )
        query_D = self._embedder.embed([question])[0]
        if not query_D.any():
            return []
        found = nearest(self._vectors_ND, query_D, most, self.config.least_likeness)
        return [Ranked(place + 1, cosine) for place, cosine in found]

    def passage(self, number: int, score: float, found_by: tuple[str, ...]) -> PassageHit:
        """A passage by its number, as a hit."""
        name, text, source, title, start, end = self._row(
            "SELECT id, text, source, title, start, stop FROM passages WHERE number = ?", number
        )
        return PassageHit(name, text, source, score, title, start, end, found_by)


def open_index(folder: Path, config: IndexConfig | None = None, load_encoder: LoadEncoder | None = None) -> Index:
    """Open a folder that `build_index` made.

    Args:
        folder: The index.
        config: How it is asked (method, limits); None: the defaults. `encoder` is where that of the index lies now.
        load_encoder: Opens the encoder of an index that has one (`model.encoder.load_encoder`); None: its sequences can
            be asked, and its passages by words alone.

    Raises:
        ArtifactError: no finished index, a broken one, or one of another version or encoder.
        ConfigError: an encoder is asked for, and the index has none.
    """
    manifest = read_manifest(folder)
    config = config or IndexConfig()
    _check_manifest(folder, manifest)
    encoder = _encoder_of(folder, manifest, config)
    connection = open_reader(folder)
    counts = manifest.counts
    try:
        for kind, wanted in zip(GENE_KINDS, manifest.facts["fasta_bytes"], strict=True):
            size = fasta_path(folder, kind).stat().st_size
            if size != wanted:
                raise ValueError(f"{kind}.fasta has {size:,} bytes, expected {wanted:,}")
        dimensions = int(manifest.facts["dimensions"])
        vectors_ND = load_vectors(folder, counts.get("passages", 0), dimensions) if dimensions else _NO_VECTORS
        embedder: Embedder | None = load_space(folder) if dimensions and encoder is None else None
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.suffix in _READ_LATER}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise broken(folder, error) from None
    if encoder and load_encoder and dimensions:
        embedder = load_encoder(encoder)
    return Index(folder, MappingProxyType(counts), config, connection, embedder, vectors_ND, sizes)


def _check_manifest(folder: Path, manifest: Manifest) -> None:
    if manifest.stage != STAGE:
        raise ArtifactError(
            f"{folder}: not an index but a folder of the stage {manifest.stage!r}. Expected one of `llama-gene index`; "
            "check the path."
        )
    made_as = manifest.facts.get("format", 1)
    if made_as != CODE:
        raise ArtifactError(
            f"{folder}: an index of another version (format {made_as}, this one reads {CODE}). Build it again with "
            "`llama-gene index`."
        )


def _encoder_of(folder: Path, manifest: Manifest, config: IndexConfig) -> Path | None:
    """The folder of the encoder that made the vectors, unchanged; None where they were fitted."""
    noted = str(manifest.facts.get("encoder", ""))
    if not noted:
        if config.encoder:
            raise ConfigError(
                f"index.encoder = {config.encoder!r}: {folder} was built without one. Build it again, or leave it out."
            )
        return None
    encoder = Path(config.encoder).expanduser() if config.encoder else Path(noted)
    if not encoder.is_dir():
        raise ArtifactError(
            f"{encoder}: no such folder, and the passages of {folder} were embedded by it. Put it back, or set "
            "index.encoder to where it is now."
        )
    if fingerprint(encoder) != manifest.inputs[ENCODER]:
        raise ArtifactError(
            f"{encoder}: not the encoder that embedded the passages of {folder}. Put that one back, or build the index "
            "again."
        )
    return encoder


def who_searches(config: IndexConfig, letters: str, kind: GeneKind, counts: Mapping[str, int]) -> Choice:
    """Who looks for letters in what is counted here, and why.

    Raises:
        DataError: no letters, too few (`shortest_query`), too many, or letters of another kind.
        ConfigError: the method asked for is not installed, or does not find this kind.
    """
    query = _clean(letters, kind, config.longest_query)
    held = counts.get(f"{kind} letters", 0)
    least = shortest_query(kind, max(1, held), config.max_e_value)
    if len(query) < least:
        raise TooShortError(
            f"search: too short to search: {len(query)} letters, at least {least}. Among {held:,} letters chance alone "
            "may copy it; give a longer sequence."
        )
    return choose_method(config, kind, query, held)


def _clean(letters: str, kind: GeneKind, longest: int) -> str:
    cleaned = clean_letters("".join(letters.split()), _ALPHABETS[kind])
    if not cleaned.letters:
        raise DataError(f"search: no letters. Expected a {_ALPHABETS[kind].name} sequence; give one.")
    if cleaned.problem:
        raise DataError(
            f"search: {cleaned.problem}. Expected a {_ALPHABETS[kind].name} sequence; mend it or set its kind."
        )
    if len(cleaned.letters) > longest:
        raise DataError(
            f"search: {len(cleaned.letters):,} letters. Expected at most {longest:,}; search a part of it or raise "
            "index.longest_query."
        )
    return cleaned.letters


def _check_question(question: str, longest: int) -> None:
    if not re.search(r"\w", question):
        raise DataError("search: no words in the question. Expected at least one; ask again.")
    if len(question) > longest:
        raise DataError(
            f"search: a question of {len(question):,} letters. Expected at most {longest:,}; shorten it or raise "
            "index.longest_query."
        )


def check_most(most: int) -> None:
    """Raises:
    ConfigError: no hit is asked for.
    """
    if most < 1:
        raise ConfigError(f"search: most = {most}. Expected 1 or more hits.")
