"""Settings of the learning half: model, training, tasks, evaluation, chat."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from llama_gene.config.controls import ControlsConfig
from llama_gene.config.section import (
    AskedUnit,
    Evidence,
    OnConflict,
    OnInvalid,
    OnRareClass,
    Section,
    Share,
    Split,
    TaskSpelling,
    ToolUse,
)
from llama_gene.config.splits import SplitRule


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
    spelling: TaskSpelling | None = Field(None, description="Override of the task's own.")
    unit: AskedUnit | None = Field(None, description="Structure: override of the task's own.")
    positions: int | None = Field(None, ge=0, description="Structure: override of the task's own; 0: every letter.")
    steps: bool | None = Field(None, description="Central dogma: override of the task's own.")
    bins: int | None = Field(None, ge=2, le=20, description="Regression: quantile bins; 2 is the median.")
    edges: tuple[float, ...] = Field((), max_length=19, description="Regression: fixed, rising edges of the bins.")
    answer: Literal["bins", "tool"] = Field("bins", description="Regression: name a bin, or call the specialist.")
    # Excluded from what splits and instructions are known by: it changes neither.
    specialist: Literal["kmer", "cnn", "auto"] | None = Field(
        None, exclude=True, description="Train a specialist on this task; none: where answer = 'tool', auto."
    )
    split: SplitRule | None = Field(None, description="Keys that replace those of the task's own [split].")
    balance: tuple[Split, ...] = Field(
        (), description="Splits that get as many items of every class; else classes keep their shares."
    )

    @model_validator(mode="after")
    def _check(self) -> "TaskChoice":
        if self.bins is not None and self.edges:
            raise ValueError("give bins or edges, not both")
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must rise")
        return self


class WordingConfig(Section):
    """How training questions are put; held-out ones always have the task's first wording."""

    others: Share = Field(0.5, description="Share asked in another wording than the task's first.")
    defined: Share = Field(0.1, description="Share asked by the task's definition with solved examples.")

    @model_validator(mode="after")
    def _check(self) -> "WordingConfig":
        if self.others + self.defined > 1:
            raise ValueError("others and defined together exceed 1")
        return self


class ToolCallsConfig(Section):
    """Questions that a tool answers: how many are written beside those of the tasks; one in five wants no tool."""

    train: int = Field(1000, ge=0, description="Training questions; 0: the model learns to call no tool, none at all.")
    valid: int = Field(100, ge=0, description="Validation questions.")
    test: int = Field(400, ge=0, description="Test questions; training has neither their wordings nor their values.")
    most_calls: int = Field(
        3, ge=1, le=6, description="Calls that one question may need. More than 1 costs a small model its other tasks."
    )


class HitsConfig(Section):
    """Training questions of function tasks asked once more, with hits of their sequence before them."""

    share: Share = Field(
        0.0, description="Share of the training and validation questions asked again so; 0: the model sees no hits."
    )
    neighbours: int = Field(3, ge=1, le=50, description="Hits shown at most, as evaluate.neighbours.")
    neighbours_below: float = Field(
        0.9, gt=0, le=1, description="Hits of this identity to the item or more are left out, as in evaluation."
    )


class TasksConfig(Section):
    """Choose tasks and turn them into Alpaca instructions."""

    choices: tuple[TaskChoice, ...] = Field((), description="Tasks of the run, in order.")
    definitions: tuple[str, ...] = Field((), description="Extra folders of task definitions, relative to `data`.")
    wording: WordingConfig = WordingConfig()
    tool_calls: ToolCallsConfig = ToolCallsConfig()
    with_hits: HitsConfig = HitsConfig()
    max_tokens: int = Field(512, ge=64, description="Longest instruction with its answer; sequences are shortened.")
    max_answer_tokens: int = Field(64, ge=1, description="Longer free-text answers are refused and counted.")
    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad item; skip: count it.")
    on_conflict: OnConflict = Field(
        "drop", description="Equal sequences with different answers are dropped or kept, counted."
    )
    on_rare_class: OnRareClass = Field(
        "error", description="A class with one example stops the split, or is dropped and counted."
    )
    leak_items: int = Field(
        10_000, ge=0, description="Most held-out items of a task and split whose nearest training item is looked up."
    )


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


class SpecialistConfig(Section):
    """A small model of one task, which answers the calls of a language model."""

    model: Literal["kmer", "cnn", "auto"] = Field(
        "auto", description="kmer: a linear model of k-mers; cnn: a small network; auto: the better on validation."
    )
    kmer_max: int = Field(6, ge=1, le=8, description="Longest DNA k-mer; proteins go to 3.")
    epochs: int = Field(15, ge=1, le=1000, description="Passes of the network; the best on validation stays.")
    channels: int = Field(64, ge=4, le=1024, description="Width of the network.")
    max_letters: int = Field(1000, ge=20, description="Longest sequence the network reads; longer ones are cut.")


class EvaluateConfig(Section):
    """Answer the test instructions and write the report."""

    split: Literal["valid", "test"] = Field("test", description="Which items to answer.")
    allow_leaks: bool = Field(False, description="Score a task even where most of its items stand in training.")
    shots: int = Field(
        0, ge=0, le=32, description="Solved training items shown before each question (not of structure tasks)."
    )
    batch_items: int = Field(32, ge=1, description="Most items in one forward pass.")
    batch_tokens: int = Field(4096, ge=64, description="Most tokens in one forward pass; bounds the memory.")
    decide_by: Literal["sum", "per_token"] = Field(
        "sum", description="Likelihood of a label: of all its tokens, or their mean."
    )
    calibrate: Literal["none", "temperature", "priors"] = Field(
        "temperature", description="Correct the labels' probabilities by validation items; priors: a bias a label too."
    )
    calibrate_items: int = Field(50, ge=10, description="Fewest validation items to calibrate by.")
    calibrate_most: int = Field(1000, ge=10, description="Validation items answered for it at most.")
    decoding: Literal["free", "constrained"] = Field(
        "free", description="How labels are written: any text, or nothing but a label."
    )
    generate_items: int = Field(200, ge=0, description="Items per closed task also answered by generation.")
    max_new_tokens: int = Field(48, ge=1, description="Longest generated answer.")
    max_step_tokens: int = Field(
        512, ge=1, description="Longest generated steps before an answer, in tasks with steps."
    )
    bootstrap: int = Field(1000, ge=100, description="Resamples of the 95 % intervals.")
    baselines: tuple[Literal["kmer", "neighbour", "cnn"], ...] = Field(
        ("kmer", "neighbour", "cnn"), description="Simple methods beside the most frequent answer."
    )
    kmer_max: int = Field(6, ge=1, le=8, description="Longest DNA k-mer of the baseline.")
    neighbour_candidates: int = Field(20, ge=1, description="Training items aligned with each item asked.")
    cnn_letters: int = Field(
        8_000_000, ge=1, description="Letters the convolutional baseline reads in training, about; 2 s a million."
    )
    bin_centre: Literal["mean", "median"] = Field("mean", description="Number of a bin, of its training values.")
    neighbours: int = Field(3, ge=1, le=50, description="Function tasks with an index: most hits shown, as in tuning.")
    neighbours_below: float = Field(
        0.9, gt=0, le=1.1, description="Hits of this identity to the item or more are left out; above 1: none is."
    )
    controls: ControlsConfig = Field(ControlsConfig(), description="English that the model must keep.")


class ChatConfig(Section):
    """Talk with a tuned model."""

    max_new_tokens: int = Field(256, ge=1, description="Longest free answer.")
    temperature: float = Field(0.0, ge=0, le=5, description="0: greedy, always the same answer; higher: more varied.")
    top_p: float = Field(0.95, gt=0, le=1, description="Sample from the likeliest tokens of this total probability.")
    seed: int = Field(1, ge=0, description="Seed of the sampling.")
    system: str = Field("", max_length=10_000, description="Said to the model before free questions.")
    route: Literal["on", "off"] = Field(
        "on", description="A question in free words goes to the task it resembles; off: only to a task that is chosen."
    )
    route_likeness: float = Field(
        0.26, ge=0, le=1, description="Least likeness of a question and a task that the question is taken for."
    )
    call_likeness: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Least likeness of a question and one that a tool answers, for its call to be made.",
    )
    tools: ToolUse = Field("auto", description="Free questions may call tools; auto: where the model was tuned to.")
    steps: Literal["trained", "always", "never"] = Field(
        "trained", description="Write steps before a label: in tasks tuned so, in all, or in none."
    )
    shots: int = Field(0, ge=0, le=32, description="Solved training items shown before the question of a task.")
    examples: str = Field(
        "", description="train.jsonl of `tasks build`, or its folder: shots, and the numbers of bins, come from there."
    )
    report: str = Field(
        "", description="report.json of `evaluate`, or its folder; empty: where the run of the model left it."
    )
    store: str = Field(
        "", description="Folder of GenBank, FASTA and UniProt files whose accessions may stand in a question."
    )
    neighbours: int = Field(3, ge=0, le=50, description="With an index: hits shown for each sequence of a question.")
    passages: int = Field(3, ge=0, le=20, description="With an index: passages shown for a question.")
    evidence: Evidence = Field(
        "shown",
        description="shown: what an index holds stands beside the answer; read: the model reads it first, which makes "
        "models worse that were not tuned with it.",
    )
    max_message_letters: int = Field(1_000_000, ge=1, description="Longest message; files named in it are apart.")
    max_sequences: int = Field(16, ge=1, description="Most sequences of one message.")
    max_chain_letters: int = Field(2000, ge=1, description="Structure: longest chain; each of its tokens is asked.")
    max_windows: int = Field(64, ge=1, description="Most windows that a long sequence is asked in.")
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        "auto", description="Weights in memory; auto: float32 on a CPU, as stored on a GPU."
    )


class PredictConfig(Section):
    """Answer one task about every record of a file."""

    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad record; skip: count it.")
    batch_items: int = Field(32, ge=1, description="Most questions in one forward pass.")
    batch_tokens: int = Field(4096, ge=64, description="Most tokens in one forward pass; bounds the memory.")
    chunk_records: int = Field(
        256, ge=1, le=100_000, description="Records answered and written at a time; a killed run repeats one chunk."
    )
    shard_records: int = Field(100_000, ge=1, description="Ray: records of one task of the cluster.")


class DemoConfig(Section):
    """The synthetic organism of the offline quick start."""

    genes: int = Field(600, ge=20, description="Genes per species.")
    task_items: int = Field(2400, ge=50, description="Items per task.")
    pairs: int = Field(1200, ge=20, description="Interacting pairs; as many that do not interact are added.")
