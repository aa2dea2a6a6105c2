"""Which task a question in free words is taken for, measured on paraphrases."""

import pytest

from llama_gene.assistant.routing import Router, fits
from llama_gene.config import ChatConfig
from llama_gene.tasks.bins import bin_names
from llama_gene.tasks.definitions import list_tasks, load_task, read_task
from running import ROOT

DEFINITIONS = ROOT / "src/llama_gene/demo/definitions"
LEAST = ChatConfig().route_likeness
PARAPHRASES = [
    ("is this a promoter?", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Would you call this piece a promoter or not?", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Does it contain -35 and -10 boxes of a bacterial promoter?", ["dna"], {"demo-promoter"}),
    ("Can transcription start here, is there a TATA box?", ["dna"], {"demo-tata"}),
    ("eukaryotic TATA promoter, yes or no", ["dna"], {"demo-tata"}),
    ("is there a splice site in the middle?", ["dna"], {"demo-splice"}),
    ("donor, acceptor or neither?", ["dna"], {"demo-splice"}),
    ("Does an intron begin or end here?", ["dna"], {"demo-splice"}),
    ("how strong is this promoter?", ["dna"], {"demo-strength"}),
    ("Predict the strength of the promoter", ["dna"], {"demo-strength"}),
    ("do these two proteins bind each other?", ["protein", "protein"], {"demo-interaction"}),
    ("Is there an interaction between them?", ["protein", "protein"], {"demo-interaction"}),
    ("are these interacting partners", ["protein", "protein"], {"demo-interaction"}),
    ("is the protein the translation of the DNA?", ["dna", "protein"], {"demo-central-dogma"}),
    ("Do they conform to the central dogma?", ["dna", "protein"], {"demo-central-dogma"}),
    ("what does this protein do, what is its function?", ["protein"], {"demo-function"}),
    ("Describe the function please", ["protein"], {"demo-function"}),
    ("which product does this gene make?", ["dna"], {"demo-product"}),
    ("Name the gene product", ["dna"], {"demo-product"}),
    ("what is the secondary structure?", ["protein"], {"demo-structure"}),
    ("show me helices and strands", ["protein"], {"demo-structure"}),
    ("where are helix and loop?", ["protein"], {"demo-structure"}),
]
FREE = [
    ("What is a gene?", ["dna"]),
    ("Tell me a story about this sequence", ["dna"]),
    ("How long is it?", ["dna"]),
    ("Which organism does it come from?", ["protein"]),
    ("Thank you, that was helpful!", ["dna"]),
    ("Explain the weather in London.", ["protein"]),
    ("Could you write it backwards?", ["dna"]),
    ("hello", ["dna"]),
    ("What is a promoter?", ["dna"]),
    ("Explain how promoters work", ["dna"]),
    ("Why do cells splice introns?", ["dna"]),
    ("How do proteins bind each other?", ["protein", "protein"]),
    ("Can you repeat your answer about the strength?", ["protein"]),
    ("Which experiment would you do next?", ["dna"]),
    ("Is it toxic?", ["protein"]),
    ("Translate it", ["dna"]),
]
# Of the tasks that come with the package; a name stands for those that begin with it.
REGISTERED = [
    ("is it soluble in water?", ["protein"], "solubility"),
    ("Is this protein soluble?", ["protein"], "solubility"),
    ("helix, sheet or coil?", ["protein"], "secondary-structure"),
    ("Where in the cell is it localised?", ["protein"], ("deeploc", "multiloc")),
    ("is this a core promoter", ["dna"], "promoter-core"),
    ("TATA promoter?", ["dna"], "promoter-tata"),
    ("Does this DNA code for this protein, by the central dogma?", ["dna", "protein"], "central-dogma"),
    ("Do the two proteins interact?", ["protein", "protein"], "ppi"),
    ("is it an enzyme, and of which class?", ["protein"], "enzyme"),
    ("does it give resistance to antibiotics?", ["protein"], "resistance"),
    ("is this a splice acceptor of the fly", ["dna"], "splice-acceptor-fly"),
    ("Is H3K4me3 found here?", ["dna"], "histone-h3k4me3"),
    ("is there a chromatin loop between these anchors", ["dna", "dna"], "ctcf-loops"),
    ("Is the organism thermophilic? Is this protein stable in heat, a thermophile?", ["protein"], "thermophile"),
    ("how active is this enhancer", ["dna"], "enhancer-activity"),
    ("does the RNA bind the protein", ["dna", "protein"], "rna-protein"),
]


@pytest.fixture(scope="module")
def router() -> Router:
    tasks = tuple(read_task(path) for path in sorted(DEFINITIONS.glob("*.toml")))
    return Router(tasks, {task.name: task.label_names or bin_names(2) for task in tasks})


def test_paraphrases_reach_their_task_and_other_questions_stay_free(router):
    asked = [(words, router.choose(words, kinds, at_least=LEAST), right) for words, kinds, right in PARAPHRASES]
    wrong = [(words, found) for words, found, right in asked if found is None or found.task not in right]
    taken = [(words, found) for words, kinds in FREE if (found := router.choose(words, kinds, at_least=LEAST))]
    print(f"{len(PARAPHRASES) - len(wrong)} of {len(PARAPHRASES)} reach their task; of {len(FREE)} taken: {taken}")
    assert len(wrong) <= 1, wrong
    assert not taken


def test_paraphrases_reach_one_of_many_tasks():
    tasks = tuple(list_tasks())
    router = Router(tasks, {task.name: task.label_names or bin_names(2) for task in tasks})
    asked = [(words, router.choose(words, kinds, at_least=LEAST), right) for words, kinds, right in REGISTERED]
    wrong = [(words, found) for words, found, right in asked if found is None or not found.task.startswith(right)]
    print(f"{len(REGISTERED) - len(wrong)} of {len(REGISTERED)} among {len(tasks)} tasks")
    assert len(wrong) <= 2, wrong


def test_a_task_that_asks_about_other_sequences_is_not_chosen(router):
    assert router.choose("is this a promoter?", ["protein"], at_least=LEAST) is None
    assert router.choose("is this a promoter?", ["dna", "protein"], at_least=LEAST) is None
    assert router.choose("is this a promoter?", [], at_least=LEAST) is None


def test_several_items_of_one_task_are_one_question(router):
    assert fits(load_task("promoter-core"), ["dna", "dna", "dna"])
    assert not fits(load_task("central-dogma"), ["dna", "protein", "dna"])


def test_words_of_every_question_tell_no_task_from_another(router):
    assert router.rank("please determine the following dna sequence") == []
    assert Router((), {}).rank("is this a promoter?") == []


def test_a_likeness_is_between_0_and_1_and_a_title_is_like_itself(router):
    first, *others = router.rank("promoter boxes")
    assert all(0 <= other.likeness <= first.likeness <= 1 for other in others)
    assert router.rank("synthetic splice site detection")[0].likeness > 0.8
