"""How many tokens a prompt has, without encoding all of it each time.

The words around an input are the same for all items of a task, so they are counted once. A line break stands before
the input, behind it and before the answer, and vocabularies keep line breaks apart from letters (`encode_answer`
refuses others), so the tokens of the parts add up to those of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from llama_gene.tokenizer.load import GeneTokenizer

_LETTER = "A"


class Prompt(NamedTuple):
    """A rendered prompt in parts: `before` and `between` end, and `between` begins, with a line break."""

    before: str
    input: str
    between: str
    answer: str

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self)


@dataclass
class Ruler:
    """Measures prompts for one vocabulary."""

    tokenizer: GeneTokenizer
    _frames: dict[tuple[str, str], int] = field(default_factory=dict)

    def at_most(self, prompt: Prompt) -> int:
        """A number of tokens that the prompt does not exceed: a token spells at least one byte."""
        return self._frame(prompt) + len(prompt.input.encode()) + len(prompt.answer.encode())

    def lengths(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt, without begin and end token."""
        found = [0] * len(prompts)
        apart = [place for place, prompt in enumerate(prompts) if _is_apart(prompt)]
        whole = [place for place, prompt in enumerate(prompts) if not _is_apart(prompt)]
        texts = [prompts[place].text for place in whole]
        for place, ids in zip(whole, self.tokenizer.encode_arrays(texts), strict=True):
            found[place] = len(ids)
        inputs = self.tokenizer.lengths_after_break([prompts[place].input for place in apart])
        answers = self._answers([prompts[place].answer for place in apart])
        for place, asked, answered in zip(apart, inputs, answers, strict=True):
            found[place] = self._frame(prompts[place]) + asked + answered
        return found

    def _answers(self, answers: Sequence[str]) -> list[int]:
        """Many items have the same answer."""
        different = sorted(set(answers))
        lengths = dict(zip(different, self.tokenizer.lengths_after_break(different), strict=True))
        return [lengths[answer] for answer in answers]

    def _frame(self, prompt: Prompt) -> int:
        """Tokens of what stands around an input, with nothing for an answer."""
        key = (prompt.before, prompt.between)
        if key not in self._frames:
            (whole,) = self.tokenizer.encode_arrays([f"{prompt.before}{_LETTER}{prompt.between}"])
            (letter,) = self.tokenizer.lengths_after_break([_LETTER])
            self._frames[key] = len(whole) - letter
        return self._frames[key]


def _is_apart(prompt: Prompt) -> bool:
    """A vocabulary may join other signs with the line break behind them, but never a letter or a digit."""
    return prompt.input[:1].isalnum() and prompt.input[-1:].isalnum()
