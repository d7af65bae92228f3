"""Explain: how a prompt is read by a checkpoint, without a network call."""

from __future__ import annotations

from inference.api.jobs import ExplainJob
from inference.engine.work import JobResult, Operation, WorkRequest
from inference.operations.context import Images, OperationContext
from inference.prompts.linting import lint


def run_explain(job: ExplainJob, images: Images, context: OperationContext) -> Operation:
    """Answer with the words drawn, weights, the step table, the chunks and what looks wrong."""
    library = context.library
    model = library.resolve_name(job.model)
    explanation = lint.explain_prompts(
        job.prompt,
        job.negative_prompt,
        job.steps,
        sampler=job.sampler,
        seed=job.seed,
        lists=context.lists,
        tokenizer=library.checkpoint_tokenizer(model),
        embeddings=library.count_embedding_vectors(model),
        known_loras=library.lora_catalog,
        weighs_words=library.flow_family(model) is None,
    )
    yield WorkRequest(works=())
    return JobResult(text=lint.render_explanation(explanation))
