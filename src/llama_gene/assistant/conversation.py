"""A tuned model behind every conversation: its weights, and what its folder says of itself and of its tasks.

How questions are put to it is in `asking`, how a message becomes questions in `turn`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from llama_gene.assistant.examples import ExamplePool, open_examples
from llama_gene.assistant.measured import Measured, find_report, read_measured
from llama_gene.assistant.routing import Router
from llama_gene.assistant.store import Store, open_store
from llama_gene.assistant.workplace import Alone, Workplace
from llama_gene.config import ChatConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.specialist import Specialist, specialists_beside
from llama_gene.model.folders import load_answerer, read_card
from llama_gene.retrieval.several import AnyIndex
from llama_gene.tasks import fitting
from llama_gene.tasks.bins import bin_names
from llama_gene.tasks.definitions import Task, load_task, read_task
from llama_gene.tasks.tool_questions import tool_wordings
from llama_gene.tokenizer.load import GeneTokenizer

TASKS_FOLDER = "tasks"
SYNTHETIC = "This model learnt a synthetic organism: its answers say nothing about real ones."
_MEDIAN_BINS = 2


@dataclass(frozen=True)
class Assistant:
    """A tuned model, its tokenizer, and what its folder says of itself.

    `measured`: how it scored, by task; `examples`: solved training items, by task; `store`: sequences by accession;
    `index`: where sequences and passages like those of a question are looked up; `shared`: where a model is asked that
    is not this one's alone.
    """

    model: PreTrainedModel
    tokenizer: GeneTokenizer
    folder: Path
    config: ChatConfig = field(default_factory=ChatConfig)
    definitions: tuple[Path, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    examples: Mapping[str, ExamplePool] = field(default_factory=dict)
    store: Store | None = None
    index: AnyIndex | None = None
    shared: Workplace | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        config: ChatConfig | None = None,
        definitions: Sequence[Path] = (),
        *,
        index: AnyIndex | None = None,
    ) -> "Assistant":
        """Load a model folder, onto the GPU where there is one.

        Args:
            folder: Hugging Face folder of `llama-gene finetune`, or any LLaMA folder.
            config: How to answer; None: the defaults.
            definitions: Folders of further task definitions.
            index: An open index (`retrieval.index.open_index`); None: nothing is looked up.

        Raises:
            ModelError: no such model, or tokenizer and weights do not belong together.
            TokenizerError: no tokenizer there.
            DataError: the report, the examples or the store that the config names cannot be read.
        """
        config = config or ChatConfig()
        measured = read_measured(find_report(folder, config.report))
        examples = open_examples(config.examples, seed=config.seed)
        store = open_store(Path(config.store).expanduser()) if config.store else None
        model, tokenizer = load_answerer(folder, config.dtype)
        return cls(
            model, tokenizer, folder, config, tuple(definitions), read_card(folder), measured, examples, store, index
        )

    def working_at(self, workplace: Workplace, config: ChatConfig | None = None) -> "Assistant":
        """The same, asked elsewhere, and as `config` says where one is given; what it knows of its tasks is shared."""
        changed = replace(self, config=config or self.config, shared=workplace)
        vars(changed).update(settings=self.settings, specialists=self.specialists, router=self.router)
        return changed

    @cached_property
    def workplace(self) -> Workplace:
        """Where its model is asked."""
        return self.shared or Alone(self.model, self.tokenizer)

    @property
    def context_tokens(self) -> int:
        """Tokens of prompt and answer that the model reads."""
        return int(self.model.config.max_position_embeddings)

    @property
    def is_synthetic(self) -> bool:
        """True where the model learnt a made-up organism."""
        return bool(self.card.get("synthetic"))

    @property
    def calls_tools(self) -> bool:
        """True where the model was tuned on questions that any tool answers."""
        return bool(self.card.get("calls_tools"))

    @property
    def learnt(self) -> Mapping[str, Mapping[str, Any]]:
        """The tasks the model was tuned on; of each, where noted: `definition`, and `spelling` and `labels` used."""
        tasks = self.card.get("tasks") or {}
        return tasks if isinstance(tasks, Mapping) else {name: {} for name in tasks}

    @cached_property
    def settings(self) -> dict[tuple[Task, int], fitting.Setting]:
        """What the questions of a task share, by task and limit; filled as they are asked."""
        return {}

    @cached_property
    def specialists(self) -> dict[str, Specialist]:
        """The specialists that the run left beside it, by task."""
        return specialists_beside(self.folder, self.learnt)

    @cached_property
    def router(self) -> Router:
        """Tells which of the learnt tasks a question in free words asks for."""
        tasks = tuple(find_task(self, name) for name in sorted(self.learnt))
        others = tool_wordings() if self.calls_tools else ()
        return Router(tasks, {task.name: labels_of(self, task) for task in tasks}, others)


def find_task(assistant: Assistant, name: str) -> Task:
    """The definition in the model folder (`tasks/NAME.toml`, or the card), else the registered one.

    Raises:
        ConfigError: no task has this name.
    """
    learnt = assistant.learnt.get(name, {})
    own = assistant.folder / TASKS_FOLDER / f"{name}.toml"
    if Path(name).name == name and own.is_file():
        task = read_task(own)
    elif "definition" in learnt:
        task = Task.model_validate(learnt["definition"])
    else:
        task = load_task(name, assistant.definitions)
    return task.model_copy(update={"spelling": learnt.get("spelling", task.spelling)})


def labels_of(assistant: Assistant, task: Task) -> tuple[str, ...]:
    """The closed answers of a task in order; empty where the answer is free text."""
    if task.family == "regression":
        learnt = assistant.learnt.get(task.name, {})
        # Learnt without labels: the model calls a tool.
        return tuple((learnt["labels"] or ()) if "labels" in learnt else bin_names(_MEDIAN_BINS))
    return task.label_names


def check_inputs(task: Task) -> None:
    """Refuse a task that has no question of its own.

    Raises:
        DataError: its items bring their questions along.
    """
    if task.brings_questions or not task.inputs:
        raise DataError(
            f"task {task.name!r} is a set of instructions, each with a question of its own. Type the question you "
            "have, or choose another task."
        )


def wording_of(task: Task) -> str:
    """The wording that models are judged with: the task's first, else the paper's."""
    return task.questions[0]
