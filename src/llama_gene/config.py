"""Every setting, with its default, limit and help: the only home of defaults.

A recipe is a TOML file with one table per stage. Unknown keys are refused with the nearest known one.
Relative paths of a recipe are read from `data`.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llama_gene.errors import ConfigError

Kind = Literal["dna", "protein", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GeneKind = Literal["dna", "protein"]
GENE_KINDS: tuple[GeneKind, ...] = get_args(GeneKind)
Unit = Literal["bpe", "kmer", "letter"]
Split = Literal["train", "valid", "test"]
Spelling = Literal["joined", "spaced"]
OnInvalid = Literal["error", "skip"]
SourceFormat = Literal[
    "auto", "fasta", "fastq", "genbank", "gff3", "uniprot", "table", "text", "markdown", "jats", "json", "jsonl"
]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen table of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Section):
    """One input of the corpus: a file, a folder or a glob."""

    path: str = Field(description="File, folder or glob, relative to `data`.")
    kind: Kind = Field(description="What the letters are.")
    name: str = Field("", description="Name in counts and records; default: the path.")
    format: SourceFormat = Field("auto", description="auto: by file name and first bytes.")


class CorpusConfig(Section):
    """Clean, de-duplicate, split, fragment and mix records into Parquet shards."""

    sources: tuple[Source, ...] = Field((), description="Inputs, in order.")
    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad record; skip: count it.")
    fragment_min_bp: int = Field(300, ge=1, description="Shortest DNA fragment.")
    fragment_max_bp: int = Field(1000, ge=1, description="Longest DNA fragment (paper: 300-1000).")
    reverse_share: Share = Field(0.5, description="Share of DNA fragments read from the reverse strand.")
    protein_max_residues: int = Field(1000, ge=10, description="Longer proteins are cut into pieces.")
    text_max_bytes: int = Field(3000, ge=100, description="Longer texts are cut at paragraph borders.")
    min_letters: int = Field(30, ge=1, description="Shorter records are counted and left out.")
    valid_share: float = Field(0.02, gt=0, lt=0.5, description="Held-out share of each source.")
    region_bp: int = Field(100_000, ge=1000, description="Unit of splitting where a source has few records.")
    region_below_records: int = Field(20, ge=0, description="Fewer records than this: split by region.")
    near_identical: float = Field(0.5, gt=0, le=1, description="Sketch similarity that keeps genomes together.")
    weights: dict[Kind, float] = Field(
        {"dna": 0.4, "protein": 0.4, "text": 0.2}, description="Share of training letters per kind."
    )
    max_letters: int | None = Field(
        None, ge=1000, description="Training letters, shared out by weight; none: as many as the sources have."
    )
    shard_letters: int = Field(64_000_000, ge=1000, description="Letters in one Parquet shard.")

    @model_validator(mode="after")
    def _check(self) -> "CorpusConfig":
        if self.fragment_min_bp > self.fragment_max_bp:
            raise ValueError("fragment_min_bp exceeds fragment_max_bp")
        if any(weight < 0 for weight in self.weights.values()) or sum(self.weights.values()) <= 0:
            raise ValueError("weights must be >= 0 and sum to more than 0")
        return self


class TokenizerConfig(Section):
    """Learn gene tokens and put them into a LLaMA vocabulary."""

    base: str = Field("tiny", description="'tiny', a .model (SentencePiece, tiktoken), a tokenizer.json or a folder.")
    method: Literal["continue", "append"] = Field(
        "continue", description="continue: go on merging from the base's own tokens; append: as the paper."
    )
    dna_size: int = Field(30_000, ge=0, description="New DNA tokens.")
    protein_size: int = Field(30_000, ge=0, description="New protein tokens.")
    max_token_letters: int = Field(16, ge=2, le=64, description="Longest new token.")
    sample_letters: int = Field(1_000_000_000, ge=1000, description="Letters per kind to learn from (paper: 1 GB).")
    protect_english: bool = Field(False, description="Learn no merge that changes the English sample.")
    english_changed_max: Share = Field(
        0.0005, description="Share of that sample's tokens that may change; 0: none. Its rarest pairs go first."
    )
    dna_unit: Unit = Field("bpe", description="bpe: learnt tokens; kmer, letter: cut runs by a rule, to compare.")
    protein_unit: Unit = Field("bpe", description="The same for protein.")
    dna_k: int = Field(6, ge=2, le=8, description="Letters of a DNA k-mer (kmer).")
    protein_k: int = Field(2, ge=2, le=3, description="Letters of a protein k-mer (kmer).")

    @model_validator(mode="after")
    def _check(self) -> "TokenizerConfig":
        if self.protect_english and self.method == "append":
            raise ValueError("protect_english needs method = 'continue'")
        return self

    def size_of(self, kind: GeneKind) -> int:
        """New tokens of a kind to learn."""
        return self.dna_size if kind == "dna" else self.protein_size

    def unit_of(self, kind: GeneKind) -> Unit:
        """What sequences of a kind are cut into."""
        return self.dna_unit if kind == "dna" else self.protein_unit

    def k_of(self, kind: GeneKind) -> int:
        """Letters of a k-mer of a kind."""
        return self.dna_k if kind == "dna" else self.protein_k


class AuditConfig(Section):
    """Limits of `tokenizer audit`, which fails beyond them; what was not measured breaks none."""

    max_base_ids_moved: int | None = Field(0, ge=0, description="Base ids with another token; none: no limit.")
    max_round_trip_failures: int | None = Field(0, ge=0, description="Texts that do not come back; none: no limit.")
    max_format_differences: int | None = Field(
        0, ge=0, description="Texts that another format writes otherwise; none: no limit."
    )
    max_unreachable: int | None = Field(None, ge=0, description="New tokens that are never made; none: no limit.")
    max_changed_share: Share | None = Field(
        None, description="Share of the base's tokens of English with other borders; none: no limit."
    )
    min_dna_letters_per_token: float | None = Field(None, gt=0, description="Bases per token; none: no limit.")
    min_protein_letters_per_token: float | None = Field(None, gt=0, description="Residues per token; none: no limit.")


class PackConfig(Section):
    """Pack whole documents with end tokens into token blocks."""

    block_tokens: int = Field(512, ge=32, description="Tokens in one block.")
    max_tokens: int | None = Field(None, ge=1000, description="Training tokens in all; none: all there are.")
    max_valid_tokens: int = Field(200_000, ge=100, description="Validation tokens per kind.")
    window_documents: int = Field(4096, ge=1, description="Documents packed together: larger wastes less.")
    bpe_dropout: Share = Field(0.0, description="Training sequences: share of merges left out.")


class ModelConfig(Section):
    """The base model: `tiny` is made here, a folder is any local LLaMA."""

    base: str = Field("tiny", description="'tiny' (random weights) or a local Hugging Face LLaMA folder.")
    hidden_size: int = Field(96, ge=8, description="Width (tiny).")
    layers: int = Field(4, ge=1, description="Layers (tiny).")
    heads: int = Field(4, ge=1, description="Attention heads (tiny).")
    key_value_heads: int | None = Field(None, ge=1, description="Grouped-query heads (tiny); none: as heads.")
    intermediate_size: int = Field(256, ge=8, description="Width of the feed-forward layer (tiny).")
    max_positions: int = Field(2048, ge=32, description="Longest context (tiny).")
    rope_theta: float = Field(10_000.0, gt=0, description="Base of the rotary positions (tiny).")
    tied: bool = Field(True, description="Output rows are the embedding rows (tiny).")
    pad_rows_to: int = Field(64, ge=1, description="Rows of the weights are a multiple of this.")

    @model_validator(mode="after")
    def _check(self) -> "ModelConfig":
        if self.hidden_size % self.heads or (self.hidden_size // self.heads) % 2:
            raise ValueError("hidden_size must be an even multiple of heads")
        if self.heads % (self.key_value_heads or self.heads):
            raise ValueError("heads must be a multiple of key_value_heads")
        return self


class OptimizerConfig(Section):
    """What pre-training and tuning share."""

    method: Literal["lora", "full"] = Field("lora", description="full for a random base, lora for a trained one.")
    lora_rank: int = Field(8, ge=1, description="Rank of the adapters.")
    lora_alpha: int = Field(32, ge=1, description="Scale of the adapters.")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="Dropout of the adapters.")
    train_rows: Literal["new", "all"] = Field(
        "new", description="Embedding and output rows trained with lora; new leaves old rows bit-identical."
    )
    learning_rate: float = Field(2e-4, gt=0, description="Peak, after warm-up.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW decay.")
    adam_beta2: float = Field(0.98, gt=0, lt=1, description="AdamW second-moment decay.")
    warmup_share: Share = Field(0.05, description="Share of steps that raise the rate.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradient clipping.")
    rows_per_device: int = Field(1, ge=1, description="Packed rows in one forward pass.")
    rows_per_step: int = Field(16, ge=1, description="Packed rows in one update.")
    bf16: Literal["auto", "on", "off"] = Field("auto", description="auto: where the hardware has it.")
    gradient_checkpointing: bool = Field(False, description="Less memory for a third more time.")
    # Excluded from what a stage is known by: they change no result.
    save_minutes: float = Field(5.0, gt=0, exclude=True, description="Minutes between resumable checkpoints.")
    keep_checkpoints: int = Field(2, ge=1, exclude=True, description="Older ones are removed.")


class PretrainConfig(OptimizerConfig):
    """Continue pre-training on the mixed corpus."""

    epochs: float = Field(1.0, gt=0, description="Passes over the blocks.")
    max_steps: int | None = Field(None, ge=1, description="Stop after this many updates.")


class TaskChoice(Section):
    """One task of the run."""

    name: str = Field(description="Name of a registered task (`llama-gene tasks list`).")
    train: int | None = Field(None, ge=1, description="Most training items; none: all.")
    valid: int | None = Field(None, ge=1, description="Most validation items; none: all.")
    test: int | None = Field(None, ge=1, description="Most test items; none: all.")
    spelling: Spelling | None = Field(None, description="Override of the task's own.")
    bins: int | None = Field(None, ge=2, le=20, description="Regression: quantile bins; 2 is the median.")


class TasksConfig(Section):
    """Choose tasks and turn them into Alpaca instructions."""

    choices: tuple[TaskChoice, ...] = Field((), description="Tasks of the run, in order.")
    definitions: tuple[str, ...] = Field((), description="Extra folders of task definitions, relative to `data`.")
    max_tokens: int = Field(512, ge=64, description="Longest instruction with its answer; sequences are shortened.")
    max_answer_tokens: int = Field(64, ge=1, description="Longer free-text answers are refused and counted.")
    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad item; skip: count it.")


class FinetuneConfig(OptimizerConfig):
    """Tune on instructions with the same causal head."""

    learning_rate: float = Field(1e-4, gt=0, description="Peak, after warm-up.")
    epochs: float = Field(3.0, gt=0, le=100, description="Passes over the instructions (paper: 2-8).")
    loss_on: Literal["answer", "text"] = Field("answer", description="text: the whole text, as the paper.")
    row_tokens: int = Field(1024, ge=64, description="Whole instructions are packed into rows of this length.")
    candidates: tuple[Literal["lora", "full"], ...] = Field(
        (), description="Try each for one epoch on a sample and keep the better on validation; none: `method`."
    )
    candidate_items: int = Field(1000, ge=10, description="Training items of each such trial.")


class EvaluateConfig(Section):
    """Answer the test instructions and write the report."""

    split: Literal["valid", "test"] = Field("test", description="Which items to answer.")
    batch_items: int = Field(16, ge=1, description="Items in one forward pass.")
    generate_items: int = Field(200, ge=0, description="Items per closed task also answered by generation.")
    max_new_tokens: int = Field(48, ge=1, description="Longest generated answer.")
    bootstrap: int = Field(1000, ge=100, description="Resamples of the 95 % intervals.")
    kmer_max: int = Field(6, ge=1, le=8, description="Longest DNA k-mer of the baseline.")


class ChatConfig(Section):
    """Talk with a tuned model."""

    max_new_tokens: int = Field(256, ge=1, description="Longest free answer.")
    temperature: float = Field(0.0, ge=0, le=5, description="0: greedy, always the same answer; higher: more varied.")
    top_p: float = Field(0.95, gt=0, le=1, description="Sample from the likeliest tokens of this total probability.")
    seed: int = Field(1, ge=0, description="Seed of the sampling.")
    max_sequences: int = Field(16, ge=1, description="Most sequences of one message.")
    max_chain_letters: int = Field(2000, ge=1, description="Structure: longest chain; each of its tokens is asked.")
    dtype: Literal["float32", "bfloat16", "auto"] = Field("float32", description="Weights in memory; auto: as stored.")


class DemoConfig(Section):
    """The synthetic organism of the offline quick start."""

    genes: int = Field(600, ge=20, description="Genes per species.")
    task_items: int = Field(2400, ge=50, description="Items per task.")
    pairs: int = Field(1200, ge=20, description="Interacting pairs; as many that do not interact are added.")


class Recipe(Section):
    """The whole pipeline, from files to a report."""

    name: str = Field(description="Name of the run.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = Field("", description="One sentence for the report.")
    seed: int = Field(1, ge=0, description="Seed of every random choice.")
    data: str = Field("", description="Folder that relative paths start from.")
    demo: DemoConfig | None = Field(None, description="Make a synthetic organism and use it as `data`.")
    corpus: CorpusConfig = CorpusConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    audit: AuditConfig = AuditConfig()
    pack: PackConfig = PackConfig()
    model: ModelConfig = ModelConfig()
    pretrain: PretrainConfig = PretrainConfig()
    tasks: TasksConfig = TasksConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    chat: ChatConfig = ChatConfig()


def load_recipe(path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `a.b=value` overrides.

    Args:
        path: recipe.toml, or the folder that holds one; None: the defaults.
        overrides: Each `dotted.key=value`; the value is TOML, or else plain text. `key.0.name` enters a list.

    Raises:
        ConfigError: no such file, bad TOML, unknown key or bad value.

    >>> load_recipe(None, ["pretrain.learning_rate=1e-3", "name=mine"]).pretrain.learning_rate
    0.001
    """
    values: dict[str, Any] = {"name": "unnamed"} if path is None else _read_toml(path)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override!r}: expected key=value, for example --set pretrain.epochs=2.")
        _assign(values, key.strip().split("."), _parse_value(text.strip()), override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    file = path / "recipe.toml" if path.is_dir() else path
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such recipe. Expected a recipe.toml or a folder that holds one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML ({error}). Mend the line it names.") from None


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(values: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    place: Any = values
    for key in keys[:-1]:
        place = place[_index(place, key, override)] if isinstance(place, list) else place.setdefault(key, {})
        if not isinstance(place, dict | list):
            raise ConfigError(f"--set {override!r}: {key!r} holds a value, not a table. Shorten the key.")
    if isinstance(place, list):
        place[_index(place, keys[-1], override)] = value
    else:
        place[keys[-1]] = value


def _index(place: list[Any], key: str, override: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise ConfigError(f"--set {override!r}: {key!r} is not a position from 0 to {len(place) - 1}.")
    return int(key)


def _explain(error: ValidationError, path: Path | None) -> str:
    """The first problem as one line, with the nearest known key."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "recipe"
    origin = f"{path}: " if path else ""
    more = f" ({error.error_count() - 1} more after it)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        known = sorted(_keys_beside(problem["loc"]))
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}."
        return f"{origin}{where}: unknown setting; {advice}{more}"
    if problem["type"] == "missing":
        return f"{origin}{where}: missing. Expected a value; add it.{more}"
    return f"{origin}{where} = {problem['input']!r}: {problem['msg']}. Change this value.{more}"


def _keys_beside(location: tuple[int | str, ...]) -> Iterator[str]:
    section: Any = Recipe
    for part in location[:-1]:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_of(section.model_fields[part].annotation)
    yield from section.model_fields


def _section_of(annotation: Any) -> type[Section]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(_section_of(part) for part in get_args(annotation) if part not in (type(None), Ellipsis))


def resolve(path: str, data: Path) -> Path:
    """A path of a recipe, read from `data` unless it is absolute.

    >>> resolve("a.fa", Path("/data")).as_posix()
    '/data/a.fa'
    """
    return data / Path(path).expanduser()


def describe(section: Mapping[str, Any] | Section) -> dict[str, Any]:
    """A section as plain JSON values, as it is saved in manifests."""
    return section.model_dump(mode="json") if isinstance(section, Section) else dict(section)
