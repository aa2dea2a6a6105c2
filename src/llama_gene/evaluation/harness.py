"""Export test items as tasks of the LM Evaluation Harness (EleutherAI, lm-eval 0.4).

Each task becomes a YAML file and a JSONL file: labels as `multiple_choice`, free text as `generate_until`. The prompt
is ours as it stands, begin token included, so nothing is left to a template. Accuracies are those of our likelihoods:

- Each choice closes with the end token, as in our score; else "Conform" would also count for "Conform to".
- The context ends with the last word of the prompt, and ":" with the line break begins every choice. The harness moves
  white space at the end of a context over to the choices, takes the ids of both and cuts them where the context alone
  ends; in a vocabulary with one token for ":" and a line break (LLaMA-3) it would read another prompt. What all choices
  begin with does not change which is the likeliest.

Source: `lm_eval/api/model.py` (`_encode_pair`) and `lm_eval/api/task.py` of lm-eval 0.4.13.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_text
from llama_gene.errors import DataError, TokenizerError
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.shots import FewItems, add_shots
from llama_gene.progress import show_progress
from llama_gene.prompts import RESPONSE_HEADING, render
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

CODE = 1
GROUP = "llama_gene"
_END_OF_HEADING = ":\n"
_MOST_NEW_TOKENS = 64
_LABELS = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
output_type: multiple_choice
test_split: test
num_fewshot: 0
doc_to_text: context
doc_to_choice: choices
doc_to_target: answer
target_delimiter: ""
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: mcc
    aggregation: matthews_corrcoef
    higher_is_better: true
metadata:
  version: 1.0
"""
_TEXTS = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
output_type: generate_until
test_split: test
num_fewshot: 0
doc_to_text: context
doc_to_target: answer
target_delimiter: ""
generation_kwargs:
  until: [{end}]
  max_gen_toks: {most}
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    ignore_punctuation: true
metadata:
  version: 1.0
"""
_PAGE = """\
# Tasks of llama-gene for the LM Evaluation Harness

Run it from this folder, for the paths of the data start here:

```text
lm_eval run --model hf --model_args pretrained=MODEL,dtype=float32 --include_path . --tasks llama_gene
```

The prompts hold the begin and end tokens of one vocabulary ({bos}, {eos}): export again for a model with another one.
The prompt is whole as it is: ask for no chat template and no examples (`--apply_chat_template`, `--num_fewshot`).
The command draws 100,000 resamples for the error of each MCC, a minute or more a task;
`lm_eval.simple_evaluate(..., bootstrap_iters=0)` does not.
"""


def export_harness(instructions: Path, *, tokenizer: Path, output: Path, shots: int = 0, seed: int = 1) -> Manifest:
    """Stage "harness": a folder that `lm_eval --include_path` reads, with the group `llama_gene` of all tasks.

    Args:
        instructions: Folder of `tasks build`; its test items are exported.
        tokenizer: Folder of the vocabulary of the models to be evaluated.
        output: Stage folder: NAME.yaml and data/NAME.jsonl of each task, llama_gene.yaml, README.md.
        shots: Solved training items before each question, as `evaluate.shots` shows them; how many a model has room
            for is not known here.
        seed: Decides which.

    Raises:
        DataError: there are no test items, or too few training items to show.
        TokenizerError: the vocabulary joins the end of a prompt with the beginning of an answer.
    """

    def build(work: Path, ledger: Ledger) -> None:
        words = load_tokenizer(tokenizer)
        (work / "data").mkdir(exist_ok=True)
        counts: Counter[str] = Counter()
        closed: dict[str, bool] = {}
        with ExitStack() as stack:
            files: dict[str, TextIO] = {}
            for item in show_progress(_asked(instructions, shots, seed), "exporting"):
                if item.task not in files:
                    _check_border(item, words)
                    file = (work / "data" / f"{item.task}.jsonl").open("w", encoding="utf-8")
                    files[item.task] = stack.enter_context(file)
                    closed[item.task] = item.labels is not None
                files[item.task].write(json.dumps(_record(item, words), ensure_ascii=False) + "\n")
                counts[item.task] += 1
        if not counts:
            raise DataError(f"{instructions / 'test.jsonl'}: holds no instructions. Build more test items.")
        _describe(closed, words, work)
        ledger.counts.update({f"items of {task}": count for task, count in counts.items()})

    inputs = {"instructions": instructions, "tokenizer": tokenizer}
    settings = {"shots": shots} if shots else {}
    return build_stage("harness", output, build, config=settings, inputs=inputs, seed=seed if shots else 0, code=CODE)


def _asked(instructions: Path, shots: int, seed: int) -> Iterator[Item]:
    """The test items, with their examples where some are wanted; a task is then held in memory."""
    test = read_items(instructions / "test.jsonl")
    if not shots:
        yield from test
        return
    few: dict[str, FewItems] = defaultdict(FewItems)
    for item in read_items(instructions / "train.jsonl"):
        few[item.task].add(item)
    for task, items in groupby(test, key=lambda item: item.task):
        yield from add_shots(items, few[task].items, shots, seed=seed, fits=lambda _: True)


def _record(item: Item, tokenizer: GeneTokenizer) -> dict[str, Any]:
    """A closed item is cut before the colon of the response heading; a free one is answered behind it.

    Of an item of several turns the first one is exported.
    """
    item = item.at_turn(0)
    prompt = render(item.messages, bos=tokenizer.bos, eos=tokenizer.eos)
    if item.labels is None:
        return {"id": item.id, "context": prompt, "answer": item.output}
    return {
        "id": item.id,
        "context": prompt.removesuffix(_END_OF_HEADING),
        "choices": _choices(item.labels, tokenizer),
        "answer": item.labels.index(item.output),
    }


def _choices(labels: Sequence[str], tokenizer: GeneTokenizer) -> list[str]:
    return [f"{_END_OF_HEADING}{label}{tokenizer.eos}" for label in labels]


def _check_border(item: Item, tokenizer: GeneTokenizer) -> None:
    """Refuse a vocabulary in which the ids of context and choice are not those of prompt and answer."""
    if item.labels is None:
        return
    record = _record(item, tokenizer)
    context = tokenizer.encode_prompt(record["context"])
    prompt = tokenizer.encode_prompt(record["context"] + _END_OF_HEADING)
    for label, choice in zip(item.labels, record["choices"], strict=True):
        whole = tokenizer.encode_prompt(record["context"] + choice)
        if whole[: len(context)] != context or whole != [*prompt, *tokenizer.encode_answer(label), tokenizer.eos_id]:
            raise TokenizerError(
                f"{tokenizer.folder}: joins {RESPONSE_HEADING.strip()!r} with the answer {label!r}, so the harness "
                "would score other tokens than we do. Use a vocabulary that keeps line breaks to themselves."
            )


def _describe(closed: dict[str, bool], tokenizer: GeneTokenizer, folder: Path) -> None:
    """The YAML file of each task, and of the groups."""
    for task, has_labels in closed.items():
        template, file = _LABELS if has_labels else _TEXTS, json.dumps(f"data/{task}.jsonl")
        text = template.format(
            name=json.dumps(harness_name(task)), file=file, end=json.dumps(tokenizer.eos), most=_MOST_NEW_TOKENS
        )
        write_text(folder / f"{task}.yaml", text)
    names = "".join(f"  - {json.dumps(harness_name(task))}\n" for task in closed)
    write_text(folder / f"{GROUP}.yaml", f"group: {GROUP}\ntask:\n{names}metadata:\n  version: 1.0\n")
    page = _PAGE.format(bos=f"`{tokenizer.bos}`" if tokenizer.bos else "none", eos=f"`{tokenizer.eos}`")
    write_text(folder / "README.md", page)


def harness_name(task: str) -> str:
    """What a task is called there, among thousands of others.

    >>> harness_name("promoter-core")
    'llama_gene_promoter-core'
    """
    return f"{GROUP}_{task}"
