"""Instruction sets as they are: their words, the sequences found in them, and what keeps them together."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from importing import Added, add, write
from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import DataError
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.importers.json_stream import read_json
from llama_gene.tasks.importers.layout import items_below
from llama_gene.tasks.importers.spans import find_sequences
from llama_gene.tasks.split import SPLITS, split_tasks
from splitting import NO_CALLS

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def words(found: Added, name: str) -> list[tuple[Any, ...]]:
    """Instruction, input, sequences, answer and split of every item."""
    items = found.items(name)
    assert all(item.words is not None for item in items)
    return [
        (item.words.instruction, item.words.input, item.sequences, item.answer, item.split)
        for item in items
        if item.words is not None
    ]


def protein(number: int) -> str:
    """A protein of 24 residues; different for every number."""
    return "".join(RESIDUES[(number * (place + 3) + place * place) % 20] for place in range(22)) + "MW"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Is <protein>{PROTEIN}</protein> soluble?", [("protein", PROTEIN)]),
        ("<dna>acgt acgt</dna> and <rna>ACGU<rna>", [("dna", "ACGTACGT"), ("dna", "ACGU")]),
        (f"```\n{PROTEIN[:20]}\n{PROTEIN[20:]}\n```", [("protein", PROTEIN)]),
        ("<seq>ACGTTGCA</seq>", [("dna", "ACGTTGCA")]),
        (f"{PROTEIN}*", [("protein", PROTEIN)]),
        (f"Describe the protein {PROTEIN}.", [("protein", PROTEIN)]),
        ("[C][C][O]", []),
        ("What does DNA polymerase do?", []),
        ("```\nprint(1)\n```", []),
        ("<protein>not letters 123</protein>", []),
    ],
)
def test_sequences_are_found_however_they_are_written(text: str, found: list[tuple[str, str]]) -> None:
    assert [tuple(span) for span in find_sequences(text)] == found


def test_alpaca_keeps_its_words_and_parts_what_has_a_sequence(tmp_path: Path) -> None:
    records = [
        {"instruction": "Name a colour.", "input": "", "output": "Red.\nOr blue."},
        {"instruction": "Is it soluble?", "input": PROTEIN, "output": "Yes, it is."},
        {"instruction": "Say nothing.", "input": "", "output": ""},
    ]
    path = write(tmp_path, {"set.json": json.dumps(records)}) / "set.json"
    found = add(path, "alpaca")
    assert list(found.tasks) == ["alpaca-set-protein", "alpaca-set-text"]
    assert words(found, "alpaca-set-protein") == [("Is it soluble?", PROTEIN, (PROTEIN,), "Yes, it is.", None)]
    assert words(found, "alpaca-set-text") == [("Name a colour.", "", (), "Red.\nOr blue.", None)]
    assert found.counts == {"record without a question or an answer": 1}


def test_files_that_differ_in_their_split_are_one_task(tmp_path: Path) -> None:
    def record(number: int) -> str:
        return json.dumps({"instruction": "Is it?", "input": protein(number), "output": "yes"}) + "\n"

    files = {"train.jsonl": record(1) + record(2), "test.jsonl": record(3), "folds_val.jsonl": record(4)}
    found = add(write(tmp_path / "ours", files), "alpaca")
    assert list(found.tasks) == ["alpaca-folds", "alpaca-ours"]
    assert [item.split for item in found.items("alpaca-ours")] == ["test", "train", "train"]


def test_sharegpt_takes_the_first_question_and_counts_later_turns(tmp_path: Path) -> None:
    talk = [
        {"from": "system", "value": "Be brief."}, {"from": "human", "value": f"What is <protein>{PROTEIN}</protein>?"},
        {"from": "gpt", "value": "A kinase."}, {"from": "human", "value": "Sure?"}, {"from": "gpt", "value": "Yes."},
    ]  # fmt: skip
    chat = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}]
    lines = [{"conversations": talk}, {"messages": chat}, {"conversations": talk[:2]}]
    path = write(tmp_path, {"talk.jsonl": "".join(json.dumps(line) + "\n" for line in lines)}) / "talk.jsonl"
    found = add(path, "sharegpt")
    question = f"Be brief.\n\nWhat is <protein>{PROTEIN}</protein>?"
    assert words(found, "sharegpt-talk-protein") == [(question, "", (PROTEIN,), "A kinase.", None)]
    assert words(found, "sharegpt-talk-text") == [("Hello", "", (), "Good day", None)]
    assert found.counts == {
        "later turns of conversations, left out": 2, "record without a question or an answer": 1
    }  # fmt: skip


def test_mol_instructions_name_their_task_and_split(tmp_path: Path) -> None:
    fenced = f"```\n{PROTEIN}\n```"
    activity = [
        {"instruction": "What does it catalyse?", "input": fenced, "output": "A + B = C.",
         "metadata": {"protein_accession": "P1", "task": "catalytic_activity", "split": split}}
        for split in ("train", "test")
    ]  # fmt: skip
    design = [
        {"instruction": "Design it.", "input": "1. It binds ATP.", "output": fenced,
         "metadata": {"task": "protein_design", "split": "train"}}
    ]  # fmt: skip
    files = {"P/catalytic_activity.json": json.dumps(activity), "P/protein_design.json": json.dumps(design)}
    found = add(write(tmp_path / "mol", files), "mol-instructions")
    assert [entry[1:] for entry in words(found, "mol-instructions-catalytic_activity")] == [
        (fenced, (PROTEIN,), "A + B = C.", "train"), (fenced, (PROTEIN,), "A + B = C.", "test")
    ]  # fmt: skip
    designed = found.items("mol-instructions-protein_design")[0]
    assert designed.words is not None
    assert designed.words.linked == (("protein", PROTEIN),)
    assert found.tasks["mol-instructions-catalytic_activity"].licence == "CC BY 4.0"


def test_opi_is_parted_by_folder_and_reads_instances(tmp_path: Path) -> None:
    train = [{"instruction": "Which EC number?", "input": PROTEIN, "output": "2.7.10.2"}]
    test = {
        "id": "t1",
        "instruction": "EC?",
        "instances": [{"input": protein(1), "output": "1.1.1.1"}],
        "is_classification": False,
    }
    tissue = [{"instruction": "Where is it expressed?", "input": "TP53", "output": "skin"}]
    files = {
        "SU/EC_number/train/CLEAN_EC_number_train.json": json.dumps(train),
        "SU/EC_number/test/CLEAN_EC_number_new_test.jsonl": json.dumps(test) + "\n",
        "KM/gSymbol2Tissue/train/gene_symbol_to_tissue_train.json": json.dumps(tissue),
    }
    found = add(write(tmp_path / "OPI", files), "opi")
    assert list(found.tasks) == ["opi-ec_number", "opi-gsymbol2tissue"]
    assert sorted(words(found, "opi-ec_number"), key=lambda entry: entry[3]) == [
        ("EC?", protein(1), (protein(1),), "1.1.1.1", "test"),
        ("Which EC number?", PROTEIN, (PROTEIN,), "2.7.10.2", "train"),
    ]
    assert "NC" in found.tasks["opi-ec_number"].licence


def test_biology_instructions_are_parted_by_task_and_kinds(tmp_path: Path) -> None:
    lines = [
        {"input": "<dna>ACGTACGTAA</dna> Is there a promoter?", "output": "No.", "task": "pd-prom_300_all"},
        {"input": f"<rna>ACGUACGU</rna> <protein>{PROTEIN}</protein> Do they bind?", "output": "Yes.", "task": "rpi"},
    ]  # fmt: skip
    path = write(tmp_path, {"stage2_train.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    found = add(path / "stage2_train.jsonl", "biology-instructions")
    assert [part.kind for part in found.tasks["biology-instructions-rpi"].inputs] == ["dna", "protein"]
    asked = words(found, "biology-instructions-pd-prom_300_all")
    assert asked == [(lines[0]["input"], "", ("ACGTACGTAA",), "No.", "train")]


def test_few_short_answers_are_labels(tmp_path: Path) -> None:
    records = [{"instruction": "Soluble?", "input": protein(n), "output": ("Yes", "No")[n % 2]} for n in range(30)]
    found = add(write(tmp_path, {"set.json": json.dumps(records)}) / "set.json", "alpaca")
    task = found.tasks["alpaca"]
    assert (task.family, task.label_names, task.metric) == ("classification", ("No", "Yes"), "mcc")


def test_instructprotein_asks_for_terms_folds_and_metal_ions(tmp_path: Path) -> None:
    files = {
        "gene_ontology/test_mf.lm.json": json.dumps(
            {"sequence": PROTEIN, "label": ["GO:0005524"], "negative_labels": ["GO:0003677", "GO:9999999"]}
        ) + "\n",
        "scope_fold_rank/valid.lm.json": json.dumps({"sequence": PROTEIN, "fold": "a.118", "negative_labels": ["b.1"]}),
        "metal_ion_binding/test.txt": f"{PROTEIN}\t1\n{protein(2)}\t0\n",
        "go-basic.obo": "[Term]\nid: GO:0005524\nname: ATP binding\n\n[Term]\nid: GO:0003677\nname: DNA binding\n",
        "dir.des.scope.2.08-stable.txt": "# SCOPe\n46456\tcl\ta\t-\tAll alpha proteins\n"
        "48370\tcf\ta.118\t-\talpha-alpha superhelix\n",
    }  # fmt: skip
    found = add(write(tmp_path / "data", files), "instructprotein")
    asked = words(found, "instructprotein-go-test_mf")
    assert [(entry[3], "ATP binding (GO:0005524)" in entry[0]) for entry in asked] == [("yes", True), ("no", False)]
    assert words(found, "instructprotein-fold")[0][3:] == ("alpha-alpha superhelix", "valid")
    metal = found.answers("instructprotein-metal-ion-binding")
    assert metal == [(PROTEIN, "1", "test"), (protein(2), "0", "test")]
    assert found.counts == {"term that the ontology does not have": 1}


def test_biomedgpt_looks_its_proteins_up(tmp_path: Path) -> None:
    asked = [
        {"protein_accession": ["P1"], "question": "What is its function?", "answer": "Binds ATP."},
        {"protein_accession": ["P1", "P2"], "question": "Both?", "answer": "Yes."},
        {"protein_accession": ["P9"], "question": "Which?", "answer": "None."},
    ]
    files = {"sequences.json": json.dumps({"P1": PROTEIN, "P2": "MKV"}), "val.json": json.dumps(asked)}
    found = add(write(tmp_path / "pqa", files), "biomedgpt")
    assert words(found, "biomedgpt") == [("What is its function?", PROTEIN, (PROTEIN,), "Binds ATP.", "valid")]
    assert found.counts == {"question about several proteins": 1, "accession without a sequence": 1}


def test_json_is_read_in_pieces_whatever_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llama_gene.tasks.importers.json_stream._PIECE", 7)
    values = [{"a": "x" * 40, "b": [1, 23, 456]}, {"c": "}],[{"}, {}]
    write(tmp_path, {"array.json": json.dumps(values, indent=1), "lines.json": "\n".join(map(json.dumps, values))})
    for item in items_below(tmp_path):
        assert [value for _, value in read_json(item)] == values
    write(tmp_path, {"array.json": json.dumps(values)[:-9]})
    with pytest.raises(DataError, match=r"array\.json: not JSON"):
        list(read_json(items_below(tmp_path / "array.json")[0]))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary of bytes: a token for every letter."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made = Tokenizer(
        models.BPE(vocab={token: n for n, token in enumerate(["<s>", "</s>", *sorted(alphabet)])}, merges=[])
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens(["<s>", "</s>"])
    path = tmp_path_factory.mktemp("bytes")
    made.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    return path


def test_an_instruction_set_becomes_records_in_its_own_words_and_one_protein_stays_in_one_split(
    tmp_path: Path, tokenizer: Path
) -> None:
    records = [
        {"instruction": wording, "input": protein(number), "output": f"answer {number}"}
        for number in range(40)
        for wording in ("What is it?", "Say what ### Input: it </s> is.")
    ]
    records.append({"instruction": "What is it?", "input": protein(3) * 40, "output": "long"})
    found = add(write(tmp_path, {"set.json": json.dumps(records)}) / "set.json", "alpaca")
    config = TasksConfig(
        tool_calls=NO_CALLS,
        choices=(TaskChoice(name="alpaca"),),
        definitions=(str(found.folder),),
        max_tokens=400,
        max_answer_tokens=20,
    )
    split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "splits")
    built = build_tasks(config, splits=tmp_path / "splits", tokenizer=tokenizer, seed=1, output=tmp_path / "out")
    made: dict[str, list[dict[str, Any]]] = {
        split: [json.loads(line) for line in (tmp_path / "out" / f"{split}.jsonl").read_text().splitlines()]
        for split in SPLITS
    }
    everything = [record for split in SPLITS for record in made[split]]
    assert len(everything) == 80
    assert built.counts["alpaca: refused: over 400 tokens in its own words"] == 1
    places: dict[str, set[str]] = {}
    for record in everything:
        assert record["input"] == record["sequences"][0]
        assert record["instruction"] in ("What is it?", "Say what # ## Input: it < /s> is.")
        assert record["kinds"] == ["protein"]
        places.setdefault(record["input"], set()).add(record["split"])
    assert all(len(splits) == 1 for splits in places.values())
    assert all(made[split] for split in SPLITS)
