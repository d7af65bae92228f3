"""A job's options as command line arguments, made from the job types' own declarations."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import ImportedJob, job_from_info
from inference.api.jobs import (
    JOB_TYPES,
    BooleanSpec,
    ChoiceSpec,
    DenoisingJob,
    ExplainJob,
    Job,
    JobOption,
    NumberSpec,
    list_job_options,
)
from inference.api.jobs.model_defaults import fill_model_defaults
from inference.api.messages import ModelInfo
from inference.api.notices import format_number


def add_kinds(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Add a sub-command for each kind of job.

    Bounds are not argparse's business: the job refuses what is impossible, in its own words.
    """
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, job_type in JOB_TYPES.items():
        command = kinds.add_parser(kind, parents=[common], help=job_type.__doc__)
        for name in job_type.list_image_names():
            command.add_argument(f"--{name}", metavar="PATH", help="a picture")
        for option in list_job_options(job_type):
            _add_option(command, option)
        command.add_argument(
            "--like",
            metavar="PATH",
            help="a picture whose parameters to take where nothing else is said",
        )
        if issubclass(job_type, DenoisingJob):
            command.add_argument(
                "--explain", action="store_true", help="say how the prompt is read, paint nothing"
            )


def build_job(arguments: Mapping[str, Any]) -> Job:
    """Build the job that the arguments describe.

    Raises:
        JobError: an option is impossible.
    """
    job_type = job_type_of(arguments)
    return job_type(**options_for(job_type, arguments))


def with_model_defaults(
    job: Job, arguments: Mapping[str, Any], models: Iterable[ModelInfo], default_name: str
) -> Job:
    """Fill in what the job's checkpoint draws best with where the arguments say nothing."""
    checkpoints = {model.name: model for model in models if model.kind == "diffusion"}
    name = str(getattr(job, "model", "")) or default_name
    info = checkpoints.get(name) or next(iter(checkpoints.values()), None)
    if info is None:
        return job
    options = options_for(type(job), arguments)
    return type(job)(**fill_model_defaults(type(job), options, info.defaults))


def job_type_of(arguments: Mapping[str, Any]) -> type[Job]:
    """Say which type of job the arguments ask for."""
    return ExplainJob if arguments.get("explain") else JOB_TYPES[arguments["kind"]]


def options_for(job_type: type[Job], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """List the options that the arguments set."""
    option_values = {option.name: arguments[option.name] for option in list_job_options(job_type)}
    return {name: value for name, value in option_values.items() if value is not None}


def build_job_like(
    arguments: Mapping[str, Any], generation_info: GenerationInfo, models: Iterable[ModelInfo]
) -> ImportedJob:
    """Build a job like the one that a picture tells of; what the arguments set goes before it.

    Raises:
        JobError: an option is impossible.
    """
    job_type = job_type_of(arguments)
    return job_from_info(generation_info, models, options_for(job_type, arguments), job_type)


def image_paths(arguments: Mapping[str, Any]) -> dict[str, str]:
    """List the pictures the arguments name, as far as the job looks at them."""
    if arguments.get("explain"):
        return {}
    job_type = JOB_TYPES[arguments["kind"]]
    names = job_type.list_image_names()
    return {name: arguments[name] for name in names if arguments.get(name)}


def _add_option(command: argparse.ArgumentParser, option: JobOption) -> None:
    flag = "--" + option.name.replace("_", "-")
    text = f"{option.spec.text}{_bounds_text(option)}".replace("%", "%%")
    if isinstance(option.spec, BooleanSpec):
        command.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
    else:
        command.add_argument(flag, type=option.type, default=None, metavar="X", help=text)


def _bounds_text(option: JobOption) -> str:
    match option.spec:
        case NumberSpec(low=low, high=high, unit=unit):
            bounds = f"{format_number(low)} to {format_number(high)}{' ' + unit if unit else ''}"
            return f" ({bounds}; default {option.default})"
        case ChoiceSpec(choices=choices):
            return f" ({', '.join(choices)}; default {option.default})"
        case _:
            return ""
