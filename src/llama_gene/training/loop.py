"""The transformers training loop with our rows: resume, timed checkpoints, a progress bar, a clean stop.

A checkpoint counts only once its `trainer_state.json`, written last, is there, so a run killed while saving goes on
from the one before. Data order and random states are restored: on one CPU the final weights are the same.
"""

import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from datasets import Dataset
from peft import PeftModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from llama_gene.config import OptimizerConfig
from llama_gene.errors import ConfigError, StoppedError
from llama_gene.model.machine import reuse_memory
from llama_gene.training.rows import PackedRows


def uses_bf16(config: OptimizerConfig) -> bool:
    """True where bfloat16 is asked for, or the hardware multiplies it natively.

    Raises:
        ConfigError: asked for on a GPU that lacks it.
    """
    if config.bf16 != "auto":
        if config.bf16 == "on" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
            raise ConfigError("bf16 = 'on': this GPU has no bfloat16. Set bf16 = 'auto' or 'off'.")
        return config.bf16 == "on"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def train(
    model: PreTrainedModel | PeftModel,
    rows: Dataset,
    config: OptimizerConfig,
    *,
    epochs: float,
    max_steps: int | None,
    seed: int,
    work: Path,
    title: str,
    order: Literal["random", "sequential"] = "random",
) -> list[dict[str, float]]:
    """Train in place, resuming from the newest whole checkpoint under `work`.

    Args:
        model: Its parameters that require gradients are trained.
        rows: Dataset with the columns `PackedRows` reads.
        config: Optimizer settings.
        epochs: Passes over the rows.
        max_steps: Stop after this many updates, or None.
        seed: Order of the rows and dropout.
        work: Folder for checkpoints, kept until `clear_checkpoints`.
        title: Label of the progress bar.
        order: sequential: rows as they lie, such as those of a curriculum.

    Returns:
        One entry per logged step: step, loss (nats per target), learning_rate, grad_norm.

    Raises:
        StoppedError: a signal came; a checkpoint was saved.
        ConfigError: rows_per_step is no multiple of rows_per_device, or there are several devices.
    """
    reuse_memory()
    arguments = _arguments(
        config, rows=len(rows), epochs=epochs, max_steps=max_steps, seed=seed, work=work, order=order
    )
    watch = _Watch(config.save_minutes * 60, title)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=rows, data_collator=PackedRows(), callbacks=[watch]
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    with watch.listening():
        trainer.train(resume_from_checkpoint=_newest_checkpoint(work))
    if watch.caught and trainer.state.global_step < trainer.state.max_steps:
        raise StoppedError(watch.caught)
    return [_curve_point(entry) for entry in trainer.state.log_history if "loss" in entry]


def _arguments(
    config: OptimizerConfig, *, rows: int, epochs: float, max_steps: int | None, seed: int, work: Path, order: str
) -> TrainingArguments:
    steps = _steps(rows, config, epochs, max_steps)
    return TrainingArguments(
        output_dir=str(work / "checkpoints"),
        per_device_train_batch_size=config.rows_per_device,
        gradient_accumulation_steps=_accumulation(config),
        num_train_epochs=epochs,
        max_steps=max_steps or -1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta2=config.adam_beta2,
        max_grad_norm=config.max_grad_norm,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(steps * config.warmup_share),
        bf16=uses_bf16(config),
        use_cpu=not torch.cuda.is_available(),
        logging_steps=max(1, steps // 200),
        save_strategy="no",
        save_total_limit=config.keep_checkpoints,
        seed=seed,
        data_seed=seed,
        train_sampling_strategy=order,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
        # Named only where it is wanted: transformers 5.23 warns of the name, 5.17 knows no other.
        **({"gradient_checkpointing": True} if config.gradient_checkpointing else {}),
    )


def clear_checkpoints(work: Path) -> None:
    """Remove what only a resume needs."""
    shutil.rmtree(work / "checkpoints", ignore_errors=True)


def _curve_point(entry: dict[str, float]) -> dict[str, float]:
    return {name: entry[name] for name in ("step", "loss", "learning_rate", "grad_norm") if name in entry}


def _accumulation(config: OptimizerConfig) -> int:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 or torch.cuda.device_count() > 1:
        raise ConfigError(
            "several devices: training runs on one so far. Start without torchrun and set CUDA_VISIBLE_DEVICES=0."
        )
    if config.rows_per_step % config.rows_per_device:
        raise ConfigError(
            f"rows_per_step = {config.rows_per_step} is no multiple of rows_per_device = {config.rows_per_device}. "
            "Change one of them."
        )
    return config.rows_per_step // config.rows_per_device


def _steps(rows: int, config: OptimizerConfig, epochs: float, max_steps: int | None) -> int:
    return max_steps or max(1, math.ceil(math.ceil(rows / config.rows_per_step) * epochs))


def _newest_checkpoint(work: Path) -> str | None:
    whole = [state.parent for state in (work / "checkpoints").glob("checkpoint-*/trainer_state.json")]
    for torn in set((work / "checkpoints").glob("checkpoint-*")) - set(whole):
        shutil.rmtree(torn)
    return str(max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]))) if whole else None


class _Watch(TrainerCallback):
    """Saves by the clock and on signals, and shows progress on standard error."""

    def __init__(self, save_seconds: float, title: str) -> None:
        self.save_seconds = save_seconds
        self.caught = 0
        self._saved_at = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._bar = self._progress.add_task(title, total=None)
        self._title = title

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a save at the next step; a second one acts at once."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def note(number: int, _frame: FrameType | None) -> None:
            self.caught = number
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, note)
        try:
            with self._progress:
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock and the bar."""
        self._saved_at = time.monotonic()
        self._progress.update(self._bar, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Save when it is time, stop when a signal came."""
        self._progress.update(self._bar, completed=state.global_step)
        if self.caught or time.monotonic() - self._saved_at > self.save_seconds:
            control.should_save = True
            control.should_training_stop = control.should_training_stop or bool(self.caught)
            self._saved_at = time.monotonic()

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:
        """Show the latest loss beside the bar."""
        if logs and "loss" in logs:
            self._progress.update(self._bar, description=f"{self._title}, loss {logs['loss']:.3f}")
