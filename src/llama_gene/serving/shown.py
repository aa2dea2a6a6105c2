"""The events of a turn as JSON values that the page draws."""

from dataclasses import asdict, replace
from typing import Any

from llama_gene.assistant.agent import Step
from llama_gene.assistant.display import comparable, describe_sureness
from llama_gene.assistant.events import Answered, Begun, Conversation, Event, Notice, Piece, Reply, reply_record
from llama_gene.assistant.found import Found, Neighbours, Searching
from llama_gene.assistant.measured import describe_measured
from llama_gene.retrieval.hits import SequenceHit
from llama_gene.sequences.alignment import Traced
from llama_gene.sequences.records import Record

MOST_TURNS = 200


def event_record(event: Event) -> dict[str, Any]:
    """An event as JSON values; `type` says which."""
    match event:
        case Notice(text):
            record: dict[str, Any] = {"type": "notice", "text": text}
        case Piece(text):
            record = {"type": "piece", "text": text}
        case Begun(names, task, items):
            record = {"type": "begun", "names": names, "task": task, "items": items}
        case Step():
            record = step_record(event)
        case Answered():
            record = {"type": "answered", **_answer_record(event)}
        case Searching(names):
            record = {"type": "searching", "names": names}
        case Found():
            record = {"type": "found", **found_record(event)}
        case Reply():
            record = {"type": "reply", **_whole_record(event)}
    return record


def _whole_record(reply: Reply) -> dict[str, Any]:
    """A reply without what went before it as events of their own: steps, and what was found."""
    return {
        **reply_record(replace(reply, steps=(), found=None)),
        "answers": [_answer_record(answered) for answered in reply.answers],
        "conversation": conversation_record(reply.conversation),
    }


def step_record(step: Step) -> dict[str, Any]:
    """A call of a tool as an event."""
    return {
        "type": "step", "tool": step.tool, "arguments": dict(step.arguments), "result": step.result,
        "error": step.error, "seconds": step.seconds,
    }  # fmt: skip


def _answer_record(answered: Answered) -> dict[str, Any]:
    closed = answered.closed
    said: dict[str, Any] = {"names": answered.names, "task": answered.task, "text": answered.text, "closed": None}
    if closed is None:
        return said
    measured = describe_measured(closed.measured, comparable(closed))
    return {
        **said,
        "closed": {
            "label": closed.label,
            "probabilities": dict(closed.probabilities),
            "sureness": describe_sureness(closed),
            "measured": measured,
            "windows": closed.windows,
            "chain": closed.chain,
            "states": closed.states,
            "steps": closed.steps,
        },
    }


def conversation_record(conversation: Conversation) -> dict[str, Any]:
    """What the next turn sends back."""
    history = conversation.history[-MOST_TURNS:]
    return {
        "history": [{"role": message.role, "content": message.content} for message in history],
        "waiting": [sequence_record(record) for record in conversation.waiting],
        "asked": [sequence_record(record) for record in conversation.asked],
    }


def sequence_record(record: Record) -> dict[str, Any]:
    """A sequence as the page keeps it."""
    return {"id": record.id, "kind": record.kind, "letters": record.text}


def found_record(found: Found) -> dict[str, Any]:
    """Sequence hits with the rows of their alignments, and passages."""
    return {
        "index": found.index,
        "neighbours": [_neighbours_record(one) for one in found.neighbours],
        "passages": [asdict(hit) for hit in found.passages],
        "passages_note": found.passages_note,
    }


def _neighbours_record(asked: Neighbours) -> dict[str, Any]:
    hits = zip(asked.hits, asked.rows, strict=True)
    return {
        "name": asked.name,
        "kind": asked.kind,
        "letters": asked.letters,
        "note": asked.note,
        "hits": [{**asdict(hit), "alignment": rows and _rows_record(rows, hit, asked.letters)} for hit, rows in hits],
    }


def _rows_record(rows: Traced, hit: SequenceHit, letters: int) -> dict[str, Any]:
    """The rows, and the 1-based place of each one's first letter; on strand "-" places of the query run down."""
    start = rows.first_span[0]
    return {
        "first": rows.first,
        "second": rows.second,
        "first_start": letters - start if hit.strand == "-" else start + 1,
        "first_step": -1 if hit.strand == "-" else 1,
        "second_start": rows.second_span[0] + 1,
    }
