"""Which task a question in free words is taken for, measured on paraphrases."""

import random
import string
import tracemalloc

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
# Written before the rule for general questions, which was made with every second one of each list (the first, the third
# and so on); the others were looked at once, after it.
ABOUT_IT = [
    ("Does this stretch work as a promoter?", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Could RNA polymerase start at this promoter?", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Tell me if it is a promoter.", ["dna"], {"demo-promoter", "demo-tata"}),
    ("promoter?", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Check the boxes of this promoter.", ["dna"], {"demo-promoter", "demo-tata"}),
    ("Is this a donor or an acceptor site?", ["dna"], {"demo-splice"}),
    ("splice donor?", ["dna"], {"demo-splice"}),
    ("Tell me which splice site lies in its middle.", ["dna"], {"demo-splice"}),
    ("Give the strength of this promoter.", ["dna"], {"demo-strength"}),
    ("Is the promoter strong or weak?", ["dna"], {"demo-strength"}),
    ("What is its promoter strength?", ["dna"], {"demo-strength"}),
    ("Will these bind?", ["protein", "protein"], {"demo-interaction"}),
    ("Say whether the two proteins interact.", ["protein", "protein"], {"demo-interaction"}),
    ("protein interaction, yes or no?", ["protein", "protein"], {"demo-interaction"}),
    ("Does this gene code for that protein, as the central dogma says?", ["dna", "protein"], {"demo-central-dogma"}),
    ("Is the protein translated from this coding sequence?", ["dna", "protein"], {"demo-central-dogma"}),
    ("conform or not conform", ["dna", "protein"], {"demo-central-dogma"}),
    ("Write what this protein does.", ["protein"], {"demo-function"}),
    ("Give me its function.", ["protein"], {"demo-function"}),
    ("Tell me the function of the protein in a sentence.", ["protein"], {"demo-function"}),
    ("What is its product?", ["dna"], {"demo-product"}),
    ("Tell me the product of this coding sequence.", ["dna"], {"demo-product"}),
    ("gene product?", ["dna"], {"demo-product"}),
    ("Predict helices, strands and loops.", ["protein"], {"demo-structure"}),
    ("Write down its secondary structure.", ["protein"], {"demo-structure"}),
    ("Which parts of it are helix?", ["protein"], {"demo-structure"}),
    ("Does a TATA box lie before the start?", ["dna"], {"demo-tata"}),
    ("TATA box, yes or no?", ["dna"], {"demo-tata"}),
    ("List the state of each residue: helix, strand or loop.", ["protein"], {"demo-structure"}),
    ("Name what this gene makes, the product.", ["dna"], {"demo-product"}),
]
GENERAL = [
    ("Write a short sentence about genes.", ["dna"]),
    ("Tell me a joke about proteins.", ["protein"]),
    ("Write a poem on promoters.", ["dna"]),
    ("List three facts about splice sites.", ["dna"]),
    ("Give me an example of a kinase.", ["protein"]),
    ("Summarise what the central dogma says.", ["dna", "protein"]),
    ("Who discovered the double helix?", ["protein"]),
    ("Compose a paragraph on protein structure.", ["protein"]),
    ("Recommend a textbook on gene regulation.", ["dna"]),
    ("Tell me something interesting about introns.", ["dna"]),
    ("What do biologists mean by function?", ["protein"]),
    ("When was the first promoter found?", ["dna"]),
    ("Name a famous scientist.", ["dna"]),
    ("How many genes do humans have?", ["dna"]),
    ("Which organisms have introns?", ["dna"]),
    ("Make up a title for a paper about protein interactions.", ["protein", "protein"]),
    ("Say something about helices.", ["protein"]),
    ("Give a definition of transcription.", ["dna"]),
    ("Are all promoters alike?", ["dna"]),
    ("Do bacteria splice?", ["dna"]),
    ("What are enhancers good for?", ["dna"]),
    ("Write an abstract on the strength of promoters.", ["dna"]),
    ("Can proteins fold by themselves?", ["protein"]),
    ("Describe what a gene product is in general.", ["dna"]),
    ("Tell a child what a protein does.", ["protein"]),
    ("In general, how strong are promoters?", ["dna"]),
    ("Write one sentence on binding.", ["protein", "protein"]),
    ("What is known about the TATA box?", ["dna"]),
    ("Draft an e-mail to my supervisor.", ["dna"]),
    ("Tell me about secondary structure.", ["protein"]),
    ("Teach me the words used for coding sequences.", ["dna"]),
    ("Explain in one sentence what transporters do.", ["protein"]),
    ("Give me a short story.", ["dna"]),
    ("Which tasks can you do?", ["dna"]),
    ("How does a ribosome translate?", ["dna"]),
    ("List synonyms of promoter.", ["dna"]),
    ("What makes a protein bind another?", ["protein", "protein"]),
    ("Invent a slogan for a strand of DNA.", ["dna"]),
    ("Are there proteins without helices?", ["protein"]),
    ("Thanks! Write a sentence of goodbye.", ["protein"]),
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


def test_general_requests_stay_free_and_questions_about_the_sequence_do_not(router):
    asked = [(words, router.choose(words, kinds, at_least=LEAST), right) for words, kinds, right in ABOUT_IT]
    wrong = [(words, found) for words, found, right in asked if found is None or found.task not in right]
    taken = [words for words, kinds in GENERAL if router.choose(words, kinds, at_least=LEAST)]
    print(f"{len(ABOUT_IT) - len(wrong)} of {len(ABOUT_IT)} reach their task; of {len(GENERAL)} general ones: {taken}")
    assert len(wrong) <= 2, wrong
    assert len(taken) <= 6, taken


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


def test_what_users_write_is_not_kept(router):
    rng = random.Random(1)
    router.rank("is this a promoter?")
    tracemalloc.start()
    for _ in range(100):
        router.rank("is this a promoter? " + " ".join("".join(rng.choices(string.ascii_lowercase, k=9)) for _ in "ab"))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Each unknown word was once kept beside every word of the field: 6 MB here.
    assert kept < 2_000_000
