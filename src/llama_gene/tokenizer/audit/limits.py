"""Hold an audit against the limits of the config."""

from llama_gene.config import AuditConfig
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.audit.records import Audit, LimitCheck


def check_limits(config: AuditConfig, found: Audit) -> tuple[LimitCheck, ...]:
    """Each limit that is set, in the order of the config; `max_` ones are kept at the limit, and so are `min_` ones."""
    text, dna, protein = (found.kinds.get(kind) for kind in ("text", "dna", "protein"))
    measured: dict[str, float | None] = {
        "max_base_ids_moved": found.base_ids_moved,
        "max_round_trip_failures": found.round_trip_failures if found.kinds else None,
        "max_format_differences": found.format_differences,
        "max_unreachable": found.unreachable_new_tokens,
        "max_changed_share": text.changed_share if text else None,
        "min_dna_letters_per_token": dna.letters_per_token if dna else None,
        "min_protein_letters_per_token": protein.letters_per_token if protein else None,
    }
    limits: dict[str, float | None] = config.model_dump()
    return tuple(
        LimitCheck(name, limit, measured[name], _holds(name, measured[name], limit))
        for name, limit in limits.items()
        if limit is not None
    )


def _holds(name: str, measured: float | None, limit: float) -> bool | None:
    if measured is None:
        return None
    return measured >= limit if name.startswith("min_") else measured <= limit


def refuse_beyond_limits(found: Audit) -> None:
    """Say which limits are broken.

    Raises:
        TokenizerError: at least one is.
    """
    broken = [check for check in found.limits if check.passed is False]
    if broken:
        told = "; ".join(f"audit.{check.name}: measured {check.measured:,}, limit {check.limit:,}" for check in broken)
        raise TokenizerError(f"{found.tokenizer}: beyond its limits ({told}). Mend the tokenizer or set other limits.")
