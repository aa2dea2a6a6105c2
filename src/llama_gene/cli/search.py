"""The verb that searches your own sequences and texts: index."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llama_gene.cli.options import Config, Json, Output, Set, settings, show, show_json

if TYPE_CHECKING:
    from llama_gene.config import GeneKind
    from llama_gene.retrieval.aligners import Choice
    from llama_gene.retrieval.hits import SequenceHit
    from llama_gene.retrieval.index import Index
    from llama_gene.retrieval.vectors import Embedder

HeldKind = Literal["auto", "dna", "protein", "text"]


def add_search_commands(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("index", rich_help_panel="5 · Answers")(index_files)


def index_files(
    output: Output,
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Sequences (GenBank, UniProt, FASTA …) and texts (Markdown, JATS, PDF, plain): files, folders or "
            "quoted globs. Without them an index that is there is asked.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    find: Annotated[
        str, typer.Option("--find", help="Letters, or a FASTA file, to look for in the sequences.", show_default=False)
    ] = "",
    ask: Annotated[str, typer.Option("--ask", help="Question to look for in the texts.", show_default=False)] = "",
    kind: Annotated[
        HeldKind | None, typer.Option("--kind", help="What FILES hold, or what --find looks for [default: by itself].")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Hits shown for each search.")] = 5,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Index your own sequences and texts, and search them: by alignment, by words and by meaning.

    Build with FILES, then ask with --find or --ask; both at once do both.
    """
    from llama_gene.errors import ConfigError
    from llama_gene.retrieval.build import build_index
    from llama_gene.retrieval.hits import render_passages, render_sequences
    from llama_gene.retrieval.index import open_index

    chosen = [f"index.kind={kind}"] if kind and files else []
    recipe = settings(config, [*overrides, *chosen])
    if files:
        made = build_index(recipe.index, files=files, seed=recipe.seed, output=output, load_encoder=_load_encoder)
        if not find and not ask:
            show(made, output, as_json=as_json)
            return
    elif not find and not ask:
        raise ConfigError("index: nothing to do. Name FILES to index, or --find letters or --ask a question.")
    index = open_index(output, recipe.index, _load_encoder if ask else None)
    sequences = _find(index, find, kind or "auto", most) if find else {}
    passages = index.find_passages(ask, most) if ask else ()
    if as_json:
        found = {name: [asdict(hit) for hit in hits] for name, (_, hits) in sequences.items()}
        methods = {name: choice._asdict() for name, (choice, _) in sequences.items()}
        told = {"sequences": found, "methods": methods} if find else {}
        show_json(told | ({"passages": [asdict(hit) for hit in passages]} if ask else {}))
        return
    for name, (choice, hits) in sequences.items():
        print(f"{name} (by {choice.method}: {choice.why})\n{render_sequences(hits)}")
    if ask:
        print(f"{ask}\n{render_passages(passages)}")


def _load_encoder(folder: Path) -> "Embedder":
    """Loads torch, so only where an index has an encoder."""
    from llama_gene.model.encoder import load_encoder

    return load_encoder(folder)


def _find(index: "Index", find: str, kind: HeldKind, most: int) -> "dict[str, tuple[Choice, tuple[SequenceHit, ...]]]":
    """Who looked for each query and what was found, by its name."""
    from llama_gene.errors import DataError
    from llama_gene.progress import show_progress
    from llama_gene.retrieval.contents import read_queries

    queries = show_progress(read_queries(find, kind), "Searching")
    found = {}
    for query in queries:
        held: GeneKind = "dna" if query.kind == "dna" else "protein"
        try:
            found[query.id] = index.choose_method(query.text, held), index.find_sequences(query.text, held, most)
        except DataError as error:
            raise DataError(f"{query.id}: {error}") from None
    return found
