"""Verbs that read sequences: corpus fetch|plan|build|pack, tokenizer train|extend|audit."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_gene.cli.options import Config, Json, Output, OutputAnywhere, Set, settings, show, show_json, show_table
from llama_gene.config import KINDS
from llama_gene.storage import to_path

if TYPE_CHECKING:
    from llama_gene.artifacts import Manifest
    from llama_gene.corpus.fetch.fetch import Planned
    from llama_gene.corpus.plan_totals import CorpusPlan

Files = Annotated[list[Path], typer.Option(help="File, folder or quoted glob, plain, .gz or .zst; may be repeated.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder relative paths start from.", parser=to_path, metavar="<path>"),
]


def add_data_commands(app: typer.Typer) -> None:
    """Register the verbs."""
    corpus = typer.Typer(
        no_args_is_help=True, help="Fetch, clean, split, fragment and mix sequences; pack token blocks."
    )
    corpus.command("fetch")(fetch)
    corpus.command("plan")(plan)
    corpus.command("build")(build)
    corpus.command("pack")(pack)
    app.add_typer(corpus, name="corpus", rich_help_panel="1 · Corpus")
    tokenizer = typer.Typer(no_args_is_help=True, help="Learn gene vocabularies and put them into a LLaMA's own.")
    tokenizer.command("train")(train)
    tokenizer.command("extend")(extend)
    tokenizer.command("audit")(audit_tokenizer)
    app.add_typer(tokenizer, name="tokenizer", rich_help_panel="2 · Vocabulary")


def fetch(
    output: Output,
    config: Config = None,
    check: Annotated[
        bool, typer.Option("--check", help="List what would be downloaded, with sizes, and stop.")
    ] = False,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Download what `fetch.entries` of the recipe names: the only command that uses the network.

    Genomes of Ensembl and NCBI, Swiss-Prot whole, samples of TrEMBL and UniRef, open-access papers, any address, any
    Hugging Face dataset. Each entry NAME becomes the folder OUTPUT/NAME; the manifest says of each file where it came
    from, when, its checksum, licence and citation. Interrupted, the same command goes on from the byte reached.

    Without a recipe: --set 'fetch.entries=[{name="yeast", archive="ncbi", accessions=["GCF_000146045.2"]}]'
    """
    from llama_gene.corpus.fetch.fetch import fetch_corpus, plan_fetch

    recipe = settings(config, overrides)
    if check:
        show_plan(plan_fetch(recipe.fetch, seed=recipe.seed, output=output), as_json=as_json)
        return
    made = fetch_corpus(recipe.fetch, seed=recipe.seed, output=output)
    show(made, output, as_json=as_json)


def show_plan(planned: "list[Planned]", *, as_json: bool) -> None:
    """Files to fetch and what they add up to."""
    to_come = [file for file in planned if file.state == "to fetch"]
    total = {
        "files to fetch": len(to_come),
        "bytes to fetch": sum(file.bytes or 0 for file in to_come),
        "files of unknown size": sum(file.bytes is None for file in to_come),
    }
    if as_json:
        show_json({"files": [asdict(file) for file in planned], **total})
        return
    rows = [(file.path or "-", "?" if file.bytes is None else file.bytes, file.licence, file.state) for file in planned]
    show_table("plan of corpus fetch", ("file", "bytes", "licence", "state"), rows)
    show_table("in all", ("what", "value"), list(total.items()))


def plan(
    config: Config = None,
    data: Data = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer",
            help="Count tokens with this folder [default: tokenizer.base].",
            parser=to_path,
            metavar="<path>",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where the run will be written [default: runs/NAME].",
            parser=to_path,
            metavar="<path>",
        ),
    ] = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Estimate letters, tokens, disk, memory and time of a corpus in half a minute, whatever its size.

    The heads of a few files of each source are read, and really built and packed on this machine in a temporary
    folder; the rest is in proportion to the bytes on disk. Nothing is written to OUTPUT: only its free disk is looked
    at. What repeats in a corpus cannot be seen in a sample, so numbers are before de-duplication. ± is the 95 % range
    of letters by the spread between the sampled files.

    Without --tokenizer, tokens are counted with the vocabulary that is going to be extended, so they are too many.
    """
    from llama_gene.config import resolve
    from llama_gene.corpus.plan import plan_corpus

    recipe = settings(config, overrides)
    place = data or to_path(recipe.data)
    planned = plan_corpus(
        recipe.corpus, recipe.pack, data=place, seed=recipe.seed, engine=recipe.engine, tokenizer=tokenizer,
        base=None if recipe.tokenizer.base == "tiny" else resolve(recipe.tokenizer.base, place),
        output=output or Path("runs") / recipe.name,
    )  # fmt: skip
    if as_json:
        show_json(asdict(planned))
    else:
        show_corpus_plan(planned)


def show_corpus_plan(planned: "CorpusPlan") -> None:
    """Tables of sources and kinds, what they need, and what to know about the numbers."""
    sources = [
        (source.name, source.kind, source.files, source.bytes, ", ".join(source.formats), source.letters,
         "?" if source.error is None else f"{source.error:.1%}", source.documents)
        for source in planned.sources
    ]  # fmt: skip
    columns = ("source", "kind", "files", "bytes", "format", "letters", "±", "documents")
    show_table(f"plan of the corpus, made in {planned.seconds:.0f} s", columns, sources)
    kinds = [
        (kind.kind, kind.train_letters, kind.valid_letters, kind.train_tokens, kind.taken_tokens,
         kind.letters_per_token, kind.build_s_per_million, kind.pack_s_per_million)
        for kind in planned.kinds
    ]  # fmt: skip
    columns = (
        "kind",
        "train letters",
        "valid letters",
        "train tokens",
        "taken",
        "letters/token",
        "build s/M",
        "pack s/M",
    )
    show_table("kinds", columns, kinds)
    disk, time = planned.disk, planned.time
    needs = [
        ("train tokens in blocks", planned.train_tokens),
        ("valid tokens in blocks", planned.valid_tokens),
        ("disk, scratch of the build, GB", disk.scratch / 1e9),
        ("disk, corpus, GB", disk.corpus / 1e9),
        ("disk, blocks, GB", disk.blocks / 1e9),
        ("disk, at the peak, GB", disk.peak / 1e9),
        ("disk, free, GB", "?" if disk.free is None else disk.free / 1e9),
        ("memory at the peak, GB", planned.memory_bytes / 1e9),
        ("workers", time.workers),
        ("minutes, corpus build", time.build / 60),
        ("minutes, corpus pack", time.pack / 60),
        ("letters that were read for this plan", f"{planned.sampled_share:.2%}"),
    ]
    show_table("in all", ("what", "value"), needs)
    for line in (*planned.notes, *(f"WARNING: {warning}" for warning in planned.warnings)):
        print(f"- {line}")


def build(
    output: OutputAnywhere,
    data: Data = None,
    exclude: Annotated[
        Path | None,
        typer.Option(
            "--exclude",
            help="Folder of `tasks split`: its held-out items are dropped.",
            parser=to_path,
            metavar="<path>",
        ),
    ] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Read the recipe's sources and write cleaned, split, mixed Parquet shards."""
    from llama_gene.corpus.build import build_corpus

    recipe = settings(config, overrides)
    place = data or to_path(recipe.data)
    made = build_corpus(
        recipe.corpus, data=place, exclude=exclude, controls=recipe.evaluate.controls, seed=recipe.seed, output=output,
        engine=recipe.engine,
    )  # fmt: skip
    show(made, output, as_json=as_json)


def pack(
    output: OutputAnywhere,
    corpus: Annotated[
        Path, typer.Option("--corpus", help="Folder of `corpus build`.", parser=to_path, metavar="<path>")
    ],
    tokenizer: Annotated[Path, typer.Option("--tokenizer", help="Tokenizer folder.", parser=to_path, metavar="<path>")],
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Turn a corpus into blocks of whole documents with end tokens."""
    from llama_gene.corpus.pack import pack_corpus

    recipe = settings(config, overrides)
    made = pack_corpus(
        recipe.pack, corpus=corpus, tokenizer=tokenizer, seed=recipe.seed, output=output, engine=recipe.engine
    )
    if as_json:
        show(made, output, as_json=True)
    else:
        show_packed(made, output)


def show_packed(made: "Manifest", folder: Path) -> None:
    """Blocks and tokens of each split, how much of each kind of the corpus is in them, and where they are."""
    counts, facts = made.counts, made.facts
    splits = [
        (split, facts[split]["blocks"], facts[split]["tokens"], 100 * facts[split]["fill"],
         counts.get(f"{split} documents cut", 0))
        for split in ("train", "valid")
    ]  # fmt: skip
    show_table(f"pack · {made.seconds:.1f} s", ("split", "blocks", "tokens", "full, %", "documents cut"), splits)
    kinds = [
        (split, kind, counts.get(f"{split} {kind} documents", 0), whole, counts.get(f"{split} {kind} letters", 0),
         counts[f"{split} {kind} letters in the corpus"], measured.get("text_tokens", 0),
         measured.get("letters_per_token", "-"))
        for split in ("train", "valid")
        for kind in KINDS
        for measured in [facts[split]["kinds"].get(kind, {})]
        if (whole := counts.get(f"{split} {kind} documents in the corpus", 0))
    ]  # fmt: skip
    columns = ("split", "kind", "documents", "of", "letters", "of", "tokens", "letters/token")
    show_table("kinds", columns, kinds)
    print(folder)


def train(
    output: Output,
    dna: Files = [],  # noqa: B006
    protein: Files = [],  # noqa: B006
    size: Annotated[int, typer.Option(help="Tokens of the vocabulary.", min=1)] = 30_000,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Learn a stand-alone DNA or protein vocabulary (give one of --dna, --protein)."""
    from llama_gene.errors import ConfigError
    from llama_gene.tokenizer.extend import train_vocabulary

    if bool(dna) == bool(protein):
        raise ConfigError("tokenizer train: expected either --dna FILES or --protein FILES.")
    recipe = settings(config, overrides)
    made = train_vocabulary(
        "dna" if dna else "protein",
        dna or protein,
        size,
        output,
        seed=recipe.seed,
        max_token_letters=recipe.tokenizer.max_token_letters,
        sample_letters_at_most=recipe.tokenizer.sample_letters,
        on_invalid=recipe.corpus.on_invalid,
    )
    show(made, output, as_json=as_json)


def extend(
    base: Annotated[
        str, typer.Argument(help="'tiny', a .model (SentencePiece, tiktoken), a tokenizer.json or a folder.")
    ],
    output: Output,
    dna: Files = [],  # noqa: B006
    protein: Files = [],  # noqa: B006
    dna_size: Annotated[int | None, typer.Option(help="New DNA tokens [default: 30000].", min=0)] = None,
    protein_size: Annotated[int | None, typer.Option(help="New protein tokens [default: 30000].", min=0)] = None,
    method: Annotated[str | None, typer.Option(help="continue (default) or append (as the paper).")] = None,
    protect_english: Annotated[
        list[Path], typer.Option(help="English files whose tokens must not change; may be repeated.")
    ] = [],  # noqa: B006
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Add DNA and protein tokens to a LLaMA vocabulary; base ids never move."""
    from llama_gene.tokenizer.extend import extend_from_files

    asked = {"tokenizer.dna_size": dna_size, "tokenizer.protein_size": protein_size, "tokenizer.method": method}
    asked["tokenizer.protect_english"] = "true" if protect_english else None
    recipe = settings(config, [*overrides, *(f"{key}={value}" for key, value in asked.items() if value is not None)])
    made = extend_from_files(
        recipe.tokenizer, base=None if base == "tiny" else Path(base), dna=dna, protein=protein,
        text=protect_english, seed=recipe.seed, output=output, on_invalid=recipe.corpus.on_invalid,
    )  # fmt: skip
    show(made, output, as_json=as_json)


def audit_tokenizer(
    tokenizer: Annotated[Path, typer.Argument(help="Tokenizer folder.")],
    base: Annotated[Path | None, typer.Option("--base", help="What it was extended from.")] = None,
    dna: Files = [],  # noqa: B006
    protein: Files = [],  # noqa: B006
    text: Files = [],  # noqa: B006
    beside: Annotated[Path | None, typer.Option("--beside", help="Second tokenizer, shown side by side.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write audit.json and audit.html here.")] = None,
    config: Config = None,
    overrides: Set = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure a tokenizer on held-out texts and fail beyond the limits of [audit]: length, drift, use, formats."""
    from llama_gene.tokenizer.audit.audit import audit_files
    from llama_gene.tokenizer.audit.limits import refuse_beyond_limits
    from llama_gene.tokenizer.audit.page import write_audit
    from llama_gene.tokenizer.audit.summary import terminal_table

    recipe = settings(config, overrides)
    found = audit_files(
        recipe.audit, tokenizer, base=base, beside=beside, dna=dna, protein=protein, text=text,
        on_invalid=recipe.corpus.on_invalid,
    )  # fmt: skip
    if output is not None:
        write_audit(found, output)
    if as_json:
        show_json(found.as_json())
    else:
        show_table(f"audit of {tokenizer}", *terminal_table(found))
    refuse_beyond_limits(found)
