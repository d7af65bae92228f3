"""Any job that can be asked for, drawn from the declarations themselves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from inference.api.errors import JobError
from inference.api.jobs import (
    JOB_TYPES,
    BooleanSpec,
    ChoiceSpec,
    Job,
    JobOption,
    NumberSpec,
    TextSpec,
    list_job_options,
)


def values(option: JobOption) -> st.SearchStrategy[Any]:
    """Draw a possible value of an option."""
    match option.spec:
        case NumberSpec(low=low, high=high) if option.type is int:
            drawn: st.SearchStrategy[Any] = st.integers(int(low), int(high))
        case NumberSpec(low=low, high=high):
            drawn = st.floats(low, high)
        case ChoiceSpec(choices=choices):
            drawn = st.sampled_from(choices)
        case TextSpec(max_length=longest):
            drawn = st.text(max_size=min(longest, 30))
        case BooleanSpec():
            drawn = st.booleans()
    return st.none() | drawn if option.optional else drawn


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Draw a job of any kind."""
    job_type = JOB_TYPES[draw(st.sampled_from(sorted(JOB_TYPES)))]
    given = draw(
        st.fixed_dictionaries({}, optional={o.name: values(o) for o in list_job_options(job_type)})
    )
    if job_type.kind == "outpaint":
        given["left"] = given.get("left") or 8
    if job_type.kind == "interrogate":
        given.pop("min_length", None)
        given["max_length"] = max(24, given.get("max_length", 48))
    begin, end = given.get("control_begin", 0.0), given.get("control_end", 1.0)
    if begin > end:
        given |= {"control_begin": end, "control_end": begin}
    try:
        return job_type(**given)
    except JobError as error:
        raise AssertionError(f"{job_type.kind} refused {given}: {error}") from error
