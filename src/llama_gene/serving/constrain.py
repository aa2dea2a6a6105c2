"""Answers that must be JSON of a schema: the grammar that says which token may stand next (llguidance)."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from llguidance import LLMatcher, LLTokenizer

from llama_gene.errors import DataError
from llama_gene.tokenizer.load import TOKENIZER_FILE, GeneTokenizer


def json_grammar(tokenizer: GeneTokenizer, schema: Mapping[str, Any]) -> LLMatcher:
    """The grammar of one answer; each answer needs its own.

    Args:
        tokenizer: Of the model.
        schema: JSON schema; one that cannot be kept to the letter is refused.

    Raises:
        DataError: the schema is wrong, or uses words that are not supported.
    """
    vocabulary = _vocabulary(tokenizer.folder, tokenizer.size, tokenizer.eos_id)
    try:
        grammar = LLMatcher.grammar_from_json_schema(
            json.dumps(schema), overrides={"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        )
        matcher = LLMatcher(vocabulary, grammar)
        # A schema that refers to nothing but itself passes as valid; that no answer can begin shows at the first mask.
        matcher.compute_bitmask()
        problem = LLMatcher.validate_grammar(grammar, vocabulary) or ("it never ends" if matcher.is_error() else "")
    except ValueError as error:
        problem = str(error)
    if problem:
        raise DataError(
            f"the JSON schema cannot be kept: {problem.splitlines()[0]}. Expected a schema of types, properties, "
            "required, items, enum, const, anyOf, pattern and limits; leave out the rest."
        )
    return matcher


@lru_cache(maxsize=4)
def _vocabulary(folder: Path, size: int, eos_id: int) -> LLTokenizer:
    text = (folder / TOKENIZER_FILE).read_text(encoding="utf-8")
    return LLTokenizer(text, n_vocab=size, eos_token=eos_id)
