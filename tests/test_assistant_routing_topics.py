"""Questions that are easily taken for another task than theirs, or for a task where they are about something else.

The first questions of each list were there while the rule was made; the last 16 of the demo, 14 of the real tasks and
50 about something else were looked at once, after it, and the least likeness raised then.
"""

import tomllib

import pytest

from llama_gene.assistant.routing import Router
from llama_gene.config import ChatConfig
from llama_gene.tasks.bins import bin_names
from llama_gene.tasks.definitions import load_task, read_task
from llama_gene.tasks.tool_questions import tool_wordings
from running import ROOT

CHAT = ChatConfig()
DNA, PROTEIN, DNAS, PROTEINS, BOTH = ("dna",), ("protein",), ("dna", "dna"), ("protein", "protein"), ("dna", "protein")
DEMO = [
    ("Would you say this is a promoter?", DNA, "demo-promoter"),
    ("Does this stretch carry a -10 and a -35 box?", DNA, "demo-promoter"),
    ("Promoter or not a promoter?", DNA, "demo-promoter"),
    ("How strong is this promoter?", DNA, "demo-strength"),
    ("What strength would you give this promoter?", DNA, "demo-strength"),
    ("Is it a strong promoter or a weak one?", DNA, "demo-strength"),
    ("How much strength does the promoter have?", DNA, "demo-strength"),
    ("Rate how strongly this promoter drives transcription.", DNA, "demo-strength"),
    ("Is this promoter strong?", DNA, "demo-strength"),
    ("How strongly would this promoter fire?", DNA, "demo-strength"),
    ("Does an exon end in the middle of this?", DNA, "demo-splice"),
    ("Is the centre a splice donor or acceptor?", DNA, "demo-splice"),
    ("Which kind of splice site sits here?", DNA, "demo-splice"),
    ("Give the secondary structure of this chain.", PROTEIN, "demo-structure"),
    ("Which residues are helical and which are strand?", PROTEIN, "demo-structure"),
    ("Is the last part a helix, a strand or a loop?", PROTEIN, "demo-structure"),
    ("Would these two proteins stick together and bind?", PROTEINS, "demo-interaction"),
    ("Do the pair interact?", PROTEINS, "demo-interaction"),
    ("Is there binding between protein one and protein two?", PROTEINS, "demo-interaction"),
    ("Is the second one what the first one is translated into?", BOTH, "demo-central-dogma"),
    ("Does the coding sequence match the protein?", BOTH, "demo-central-dogma"),
    ("Check that this gene and this protein conform to the central dogma.", BOTH, "demo-central-dogma"),
    ("What might the function of this protein be?", PROTEIN, "demo-function"),
    ("What does this protein do in the cell?", PROTEIN, "demo-function"),
    ("Describe the role and function of my protein.", PROTEIN, "demo-function"),
    ("What is the gene product of this coding sequence?", DNA, "demo-product"),
    ("Which product does it code for?", DNA, "demo-product"),
    ("Name the product of this gene.", DNA, "demo-product"),
    ("Could you tell me if this DNA works as a promoter?", DNA, "demo-promoter"),
    ("Is there a promoter in here?", DNA, "demo-promoter"),
    ("How strong a promoter is it?", DNA, "demo-strength"),
    ("Promoter strength of this one, please.", DNA, "demo-strength"),
    ("Is it a donor site?", DNA, "demo-splice"),
    ("Do we see an intron starting or ending in the middle of it?", DNA, "demo-splice"),
    ("Predict the structure of this protein, helix, strand or loop.", PROTEIN, "demo-structure"),
    ("What secondary structure does its end have?", PROTEIN, "demo-structure"),
    ("Are these two binding partners?", PROTEINS, "demo-interaction"),
    ("Will protein A bind protein B?", PROTEINS, "demo-interaction"),
    ("Is this protein the translation of that gene?", BOTH, "demo-central-dogma"),
    ("Do the DNA and the protein agree with the central dogma?", BOTH, "demo-central-dogma"),
    ("Tell me its function in one sentence.", PROTEIN, "demo-function"),
    ("What function has this protein?", PROTEIN, "demo-function"),
    ("What product does this coding sequence have?", DNA, "demo-product"),
    ("Tell me the gene product, please.", DNA, "demo-product"),
]
REAL = [
    ("Is it a human core promoter?", DNA, "promoter-core"),
    ("Would you call this core promoter DNA?", DNA, "promoter-core"),
    ("Does a transcription factor bind here?", DNA, "tf-0"),
    ("Is there a transcription factor binding site in this DNA?", DNA, "tf-0"),
    ("Is this a splice donor of Arabidopsis?", DNA, "splice-donor-arabidopsis"),
    ("Is there a true donor splice site in the middle?", DNA, "splice-donor-arabidopsis"),
    ("Does this protein come from a thermophile?", PROTEIN, "thermophile"),
    ("Is the protein thermophilic?", PROTEIN, "thermophile"),
    ("Show the secondary structure of the protein.", PROTEIN, "secondary-structure"),
    ("Which residues form helices, and which strands?", PROTEIN, "secondary-structure"),
    ("Which bases of this RNA are paired?", DNA, "rna-structure"),
    ("Give the dot-bracket structure of this RNA.", DNA, "rna-structure"),
    ("Do these two anchors form a CTCF loop?", DNAS, "ctcf-loops"),
    ("Is there a chromatin loop between the two?", DNAS, "ctcf-loops"),
    ("Do these yeast proteins interact?", PROTEINS, "ppi-yeast"),
    ("Would the two proteins interact in yeast?", PROTEINS, "ppi-yeast"),
    ("Does the gene encode this protein, as the central dogma has it?", BOTH, "central-dogma"),
    ("Do they conform to the central dogma of biology?", BOTH, "central-dogma"),
    ("Which antibiotics does this gene give resistance to?", DNA, "resistance-class"),
    ("What drug class does the resistance gene act against?", DNA, "resistance-class"),
    ("Which class of enzyme is this?", PROTEIN, "enzyme-class"),
    ("What is the EC class of the enzyme?", PROTEIN, "enzyme-class"),
    ("How strong is this yeast promoter?", DNA, "promoter-strength-yeast"),
    ("How much expression would the yeast promoter give?", DNA, "promoter-strength-yeast"),
    ("Is this protein soluble?", PROTEIN, "solubility"),
    ("How soluble is it when it is expressed?", PROTEIN, "solubility"),
    ("Is this part of a core promoter?", DNA, "promoter-core"),
    ("Core promoter, yes or no?", DNA, "promoter-core"),
    ("Is it bound by a transcription factor?", DNA, "tf-0"),
    ("Does it hold a donor site of Arabidopsis?", DNA, "splice-donor-arabidopsis"),
    ("Thermophilic or mesophilic protein?", PROTEIN, "thermophile"),
    ("Give its secondary structure: helix, strand or coil.", PROTEIN, "secondary-structure"),
    ("What is the RNA secondary structure?", DNA, "rna-structure"),
    ("Is this a CTCF loop?", DNAS, "ctcf-loops"),
    ("Do both yeast proteins interact with each other?", PROTEINS, "ppi-yeast"),
    ("Does the DNA code for the protein given (central dogma)?", BOTH, "central-dogma"),
    ("To which antibiotic class does it give resistance?", DNA, "resistance-class"),
    ("Tell me its enzyme class.", PROTEIN, "enzyme-class"),
    ("How strong would this promoter be in yeast?", DNA, "promoter-strength-yeast"),
    ("What is its solubility?", PROTEIN, "solubility"),
]
ELSEWHERE = {
    DNA: (
        "Has anyone patented this sequence?",
        "Who sent me this promoter yesterday?",
        "Can I order this promoter from a catalogue?",
        "Is this promoter mentioned in my notes?",
        "How much does it cost to synthesise this gene?",
        "Which vector should I clone this promoter into?",
        "Is the gene on chromosome seven?",
        "What is the age of this gene family?",
        "Does this sequence come from a Neanderthal?",
        "Could this splice be harmful to a patient?",
        "Which disease is this mutation linked to?",
        "Where was this sample of product bought?",
        "Is the product returned if it is broken?",
        "What product do you recommend for cleaning the bench?",
        "How strong is the coffee in this kitchen?",
        "Is this line of my poem weak?",
        "Which village has this DNA profile?",
        "Please send this by e-mail to my boss.",
        "Save this under the name test.",
        "Is this virus still spreading?",
        "Is this the middle of the film?",
        "Is this site open on Sunday?",
        "Did the organ donor reach this hospital?",
        "Which donor paid for this project?",
        "Where does this train end?",
        "Will this box fit in the car?",
        "What is the population of this bacterium in the sea?",
        "How fast does this bacterium swim?",
        "Is this the right sequence of steps for the recipe?",
        "Could you reformat this as a table?",
        "Is this the gene my colleague works on?",
        "Which primer company is cheap for this?",
        "Does this promoter have a trademark?",
        "Who cloned this promoter first?",
        "Is this sequence from a vaccine?",
        "Can this gene be found in my dog?",
        "What year was this sequenced?",
        "Does this DNA belong to the king?",
        "Is there a royalty on this gene?",
        "How many papers cite this sequence?",
        "Is this gene essential for life?",
        "Is it methylated in tumours?",
        "Is this mutation pathogenic?",
        "What is the copy number of this in cancer?",
        "Which chromosome band is this on?",
        "Which transposon does this come from?",
        "Does it evolve quickly?",
        "Is this microsatellite unstable?",
        "What phase is the moon in here?",
        "Would this music be strong enough for a dance?",
        "Does this shop sell the product?",
        "What is the strength of this rope?",
        "Is this box heavy?",
        "Will the site be online tomorrow?",
        "How strong is the wind in this valley?",
        "Is my acceptance letter in this?",
        "Which bacteria live in this lake?",
    ),
    PROTEIN: (
        "Is this protein expressed in liver?",
        "What colour is this protein under the microscope?",
        "How heavy is this protein?",
        "Which antibody recognises this protein?",
        "Is it safe to eat this protein?",
        "Does this protein have a crystal structure in the data bank?",
        "Who solved the structure of this protein?",
        "What function key starts this program?",
        "Is this Excel function written correctly?",
        "How do I plot this function in Python?",
        "Can you state your name for this form?",
        "Does this hair strand belong to the suspect?",
        "Is this helix staircase made of oak?",
        "What loop is my code stuck in here?",
        "Which restaurant serves this?",
        "Is this protein glycosylated?",
        "Does it cross the blood brain barrier?",
        "Is it an allergen in peanuts?",
        "What is the half-life of this protein in plasma?",
        "Is this protein a drug target for malaria?",
        "Does the immune system see this epitope?",
        "How do I purify this protein on nickel?",
        "Is this protein sold by a company?",
        "What does the vendor write about this protein?",
        "Is the sum of this list even?",
        "Can this loop run forever in my program?",
        "What is the structure of this essay?",
        "Is that the function room of the hotel?",
        "Where can I park near this building?",
        "Which wine goes with this?",
    ),
    PROTEINS: (
        "Does this knot bind well?",
        "Will these two teams meet in the final?",
        "Are the two proteins from the same organism?",
        "Which of these two is the older protein?",
        "Does this contract bind my landlord?",
        "Do these two cats like each other?",
        "Is the second protein more expensive?",
        "Which of the two is phosphorylated?",
    ),
    BOTH: (
        "Does this conform to the tax rules?",
        "Does this gene belong with this protein family in the museum?",
        "Which journal published this pair?",
        "Was this translated from French?",
        "Is this translation of the novel good?",
        "Did these two meet at school?",
        "Is the gene in the same plasmid as this protein?",
    ),
}


@pytest.fixture(scope="module")
def demo() -> Router:
    """Of the demo's model, which calls tools as well."""
    files = sorted((ROOT / "src/llama_gene/demo/definitions").glob("*.toml"))
    return router_of([task for file in files if (task := read_task(file)).name != "demo-tata"], tool_wordings())


@pytest.fixture(scope="module")
def real() -> Router:
    """Of the model of recipes/real-cpu."""
    recipe = tomllib.loads((ROOT / "recipes/real-cpu/recipe.toml").read_text(encoding="utf-8"))
    return router_of([load_task(choice["name"]) for choice in recipe["tasks"]["choices"]])


def router_of(tasks, others=()) -> Router:
    return Router(tuple(tasks), {task.name: task.label_names or bin_names(2) for task in tasks}, others)


def chosen(router, words, kinds) -> str | None:
    found = router.choose(words, kinds, at_least=CHAT.route_likeness)
    return found.task if found else None


@pytest.mark.parametrize(("name", "asked", "least"), [("demo", DEMO, 38), ("real", REAL, 37)])
def test_questions_reach_their_own_task_among_alike_ones(request, name, asked, least):
    router = request.getfixturevalue(name)
    confused = [
        (words, right, found) for words, kinds, right in asked if (found := chosen(router, words, kinds)) != right
    ]
    print(f"{name}: {len(asked) - len(confused)} of {len(asked)}; not: {confused}")
    assert len(asked) - len(confused) >= least
    assert not [one for one in confused if one[2] is not None], "taken for another task"


@pytest.mark.parametrize("name", ["demo", "real"])
def test_questions_about_something_else_are_taken_for_no_task(request, name):
    router = request.getfixturevalue(name)
    asked = [(words, kinds) for kinds, questions in ELSEWHERE.items() for words in questions]
    taken = [(words, found) for words, kinds in asked if (found := chosen(router, words, kinds))]
    print(f"{name}: {len(taken)} of {len(asked)} are taken for a task: {taken}")
    assert len(taken) <= 0.02 * len(asked)


def test_a_promoter_is_asked_for_its_strength_where_a_task_tells_it(demo):
    ranked = demo.rank("How strong is this promoter?")
    assert [route.task for route in ranked[:2]] == ["demo-strength", "demo-promoter"]


def test_an_unknown_word_makes_a_question_less_like_a_task(demo):
    known, unknown = (demo.rank(f"Is this {word} a promoter?")[0].likeness for word in ("", "carpenter"))
    assert unknown < known / 3


def test_a_question_is_weighed_once_however_often_it_is_compared(demo, monkeypatch):
    weighed = []
    transform = type(demo._fitted).transform
    monkeypatch.setattr(
        type(demo._fitted), "transform", lambda self, texts: weighed.append(texts) or transform(self, texts)
    )
    question = "Could this be one of the promoters?"
    chosen(demo, question, DNA)
    demo.rank(question)
    demo.liken(question, [])
    assert weighed == [[question]]
