"""Vectors of passages, written and compared; by default latent semantic ones (Deerwester et al. 1990), fitted here.

Words weighed by rarity (TF-IDF), then the strongest directions of their matrix (truncated SVD, scikit-learn). The fit
sees a sample of the passages, so its memory has a bound; every passage is then embedded in batches. All is kept as
plain arrays and a JSON list of words: nothing is unpickled. A sentence-embedding model that makes the vectors instead
is handed in from above (`model.encoder`), since this half never loads torch.

Axes: N passages, T terms, D dimensions.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from llama_gene.artifacts import write_json
from llama_gene.config import IndexConfig
from llama_gene.storage import reserve

_TERMS, _WEIGHTS, _COMPONENTS, VECTORS = "terms.json", "weights.npy", "components.npy", "vectors.npy"
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_ROWS_AT_ONCE = 65_536

Array = NDArray[np.float32]


class Embedder(Protocol):
    """What turns texts into vectors: a `Space`, or a `model.encoder.Encoder`."""

    @property
    def dimensions(self) -> int:
        """D."""

    def embed(self, texts: Sequence[str]) -> Array:
        """Vectors of length 1, or 0 where a text says nothing to it, (N, D)."""

    def count_cut(self, texts: Sequence[str]) -> int:
        """Texts of which it reads the beginning alone."""


LoadEncoder = Callable[[Path], Embedder]


class Likeness(NamedTuple):
    """Place of a passage, 0-based, and the cosine of its vector with that of the question."""

    place: int
    cosine: float


@dataclass(frozen=True)
class Space:
    """Terms with their weights, and the directions that vectors are made of."""

    terms: tuple[str, ...]
    weights_T: Array
    components_DT: Array

    @property
    def dimensions(self) -> int:
        """D."""
        return len(self.components_DT)

    def embed(self, texts: Sequence[str]) -> Array:
        """Vectors of length 1, or 0 where no word is known, (N, D)."""
        vectors_ND = np.asarray(self._vectorizer.transform(texts) @ self.components_DT.T, np.float32)
        norms_N = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        return np.divide(vectors_ND, norms_N, out=np.zeros_like(vectors_ND), where=norms_N > 1e-6)

    def count_cut(self, texts: Sequence[str]) -> int:
        """None: a text of any length is read whole."""
        return 0

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = _new_vectorizer(vocabulary={term: place for place, term in enumerate(self.terms)})
        vectorizer.idf_ = self.weights_T
        return vectorizer


def content_words(text: str) -> list[str]:
    """The words of a text that carry meaning, lower case, in order.

    >>> content_words("What is the role of the TATA-box in E. coli?")
    ['role', 'tata-box', 'coli']
    """
    words = (word.lower() for word in _WORD.findall(text))
    return [word for word in words if len(word) > 1 and word not in ENGLISH_STOP_WORDS]


def fit_space(texts: Sequence[str], config: IndexConfig, seed: int) -> Space | None:
    """The space that a sample of passages spans; None where they are too few or too alike to span one.

    Args:
        texts: Sample of passages.
        config: Dimensions and terms at most.
        seed: Of the randomised decomposition.
    """
    vectorizer = _new_vectorizer(max_features=config.max_terms)
    if not any(map(content_words, texts)):
        return None
    counts_NT = vectorizer.fit_transform(texts)
    dimensions = min(config.dimensions, min(counts_NT.shape) - 1)
    if dimensions < 1:
        return None
    svd = TruncatedSVD(dimensions, random_state=seed).fit(counts_NT)
    terms = tuple(map(str, vectorizer.get_feature_names_out()))
    return Space(terms, vectorizer.idf_.astype(np.float32), svd.components_.astype(np.float32))


def _new_vectorizer(**settings: Any) -> Any:
    return TfidfVectorizer(analyzer=content_words, sublinear_tf=True, dtype=np.float32, **settings)


def write_space(folder: Path, space: Space) -> None:
    """Write a space into the folder of an index."""
    write_json(folder / _TERMS, list(space.terms))
    np.save(folder / _WEIGHTS, space.weights_T, allow_pickle=False)
    np.save(folder / _COMPONENTS, space.components_DT, allow_pickle=False)


def write_vectors(folder: Path, embedder: Embedder, batches: Iterator[Sequence[str]], number: int) -> int:
    """Write the vectors of all passages, float16 (N, D); the number of those that are not read to their end.

    Args:
        folder: Of the index.
        embedder: Makes them.
        batches: All passages in order.
        number: N.
    """
    shape = (number, embedder.dimensions)
    vectors_ND = np.lib.format.open_memmap(folder / VECTORS, mode="w+", dtype=np.float16, shape=shape)
    reserve(folder / VECTORS)
    done = cut = 0
    for texts in batches:
        vectors_ND[done : done + len(texts)] = embedder.embed(texts)
        cut += embedder.count_cut(texts)
        done += len(texts)
    vectors_ND.flush()
    return cut


def load_space(folder: Path) -> Space:
    """The space of an index.

    Raises:
        OSError: a file is missing.
        ValueError: a file is broken, or they do not belong together.
    """
    terms = tuple(json.loads((folder / _TERMS).read_text(encoding="utf-8")))
    weights_T = np.load(folder / _WEIGHTS, allow_pickle=False)
    components_DT = np.load(folder / _COMPONENTS, mmap_mode="r", allow_pickle=False)
    if weights_T.shape != (len(terms),) or components_DT.shape[1:] != (len(terms),):
        raise ValueError("terms, weights and components differ in number")
    return Space(terms, weights_T, components_DT)


def load_vectors(folder: Path, number: int, dimensions: int) -> NDArray[np.float16]:
    """The vectors of all passages, mapped into memory.

    Raises:
        OSError: the file is missing.
        ValueError: it is broken or of another shape than (number, dimensions).
    """
    vectors_ND: NDArray[np.float16] = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
    if vectors_ND.shape != (number, dimensions):
        raise ValueError(f"{VECTORS} has the shape {vectors_ND.shape}, expected {(number, dimensions)}")
    return vectors_ND


def nearest(vectors_ND: NDArray[np.float16], query_D: Array, most: int, least: float) -> list[Likeness]:
    """The passages with the greatest cosine, best first, none below `least`.

    >>> vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float16)
    >>> [place for place, _ in nearest(vectors, np.array([0, 1], np.float32), most=2, least=0.5)]
    [1, 2]
    """
    found: list[Likeness] = []
    for start in range(0, len(vectors_ND), _ROWS_AT_ONCE):
        cosines = vectors_ND[start : start + _ROWS_AT_ONCE].astype(np.float32) @ query_D
        top = np.argsort(-cosines, kind="stable")[:most]
        found += [Likeness(start + int(place), float(cosines[place])) for place in top if cosines[place] >= least]
    return sorted(found, key=lambda one: (-one.cosine, one.place))[:most]
