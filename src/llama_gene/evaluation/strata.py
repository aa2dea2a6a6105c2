"""Parts of the test items that ask for more than others: far from training, or pairs of strangers.

A score over all items hides where it comes from: of items whose nearest training item is nearly the same it measures
memory, of the others what was learnt.
"""

from collections import defaultdict
from collections.abc import Sequence

from llama_gene.evaluation.items import Item
from llama_gene.tasks.leaks import band_names, band_of

FEWEST_ITEMS = 20


def strata_of(items: Sequence[Item]) -> dict[str, list[int]]:
    """Places of the items of each part, by its name: bands of identity to training, classes of pairs.

    Parts of fewer than 20 items say nothing and are left out, as is a part that holds all items.

    Args:
        items: All of one task.

    >>> from dataclasses import replace
    >>> one = Item("", "", "", "", "", "", "", None, "", (), (), None)
    >>> items = [replace(one, nearest=0.2)] * 20 + [replace(one, nearest=0.95)] * 30
    >>> {name: len(places) for name, places in strata_of(items).items()}
    {'identity below 0.3': 20, 'identity 0.9 to 1': 30}
    """
    found: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if item.nearest is not None:
            found[f"identity {band_of(item.nearest)}"].append(place)
        if item.pair_class is not None:
            found[f"pairs {item.pair_class}"].append(place)
    names = [*(f"identity {band}" for band in band_names()), "pairs C1", "pairs C2", "pairs C3"]
    return {name: found[name] for name in names if FEWEST_ITEMS <= len(found[name]) < len(items)}
