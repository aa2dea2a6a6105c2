"""Settings of the loop in which a model calls tools."""

from typing import Literal

from pydantic import Field

from llama_gene.config.section import Section


class AgentConfig(Section):
    """Let a model call tools before it answers."""

    max_steps: int = Field(6, ge=1, le=50, description="Most tool calls before an answer.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Longest time of one call, seconds.")
    max_result_letters: int = Field(
        2000, ge=100, le=100_000, description="Longest result shown to the model; people see all of it."
    )
    planner: Literal["local", "api"] = Field(
        "local",
        description="local: the model itself calls; api: a larger model behind LLAMA_GENE_PLANNER_URL, which is sent "
        "the question and the results.",
    )
