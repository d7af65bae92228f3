"""Check the files that install and run Easel: `python tools/check_deploy.py [NAME…]`.

Exits with 1 when a check fails. A check whose program is not there is named and left out; the extra
`deploy` brings most of them, Debian's systemd and kubectl the rest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: How exposed a unit may be, of 100, as `systemd-analyze security` counts.
MAX_EXPOSURE = 20
#: Bytes of a script's first line that the kernel reads.
MAX_FIRST_LINE = 256
REQUIREMENTS = "deploy/requirements.txt"
#: What a host may want without asking; the rest is for who works on the code.
IMAGE_EXTRAS = ("weights", "tags", "masks", "nsfw", "metrics")
OVERLAYS = ("nvidia", "cpu", "amd", "pull-models")
RAY_OVERLAY = "deploy/ray"
RAY_CLUSTER_SCHEMA = Path(__file__).with_name("raycluster.schema.json")
PROSE = ("*.md", "docs/*.md", "deploy/**/*.*", ".github/**/*.*")
#: Words of the field, and of names.
SPELLING = ("--ignore-words-list", "nd,fo,te,als,ue,ot,ba,inout")
YAML_RULES = (
    "{extends: default, rules: {line-length: {max: 110}, document-start: disable, "
    "truthy: {check-keys: false}, comments: {min-spaces-from-content: 2}, "
    "braces: {max-spaces-inside: 1}}}"
)


class MissingProgram(Exception):
    """A program that a check needs is not installed, or no longer runs."""


class CheckFailed(Exception):
    """A check said no; holds what its program printed."""


@dataclass(frozen=True)
class Check:
    """One program over some files."""

    name: str
    #: Takes the top of the tree.
    run: Callable[[Path], object]


def find_program(name: str) -> str:
    """Find a program beside Python's or on the path.

    Raises:
        MissingProgram: it is in neither, or is a script of a Python that is gone, as scripts of a
            virtual environment are once it was moved.
    """
    for path in (sysconfig.get_path("scripts"), None):
        found = shutil.which(name, path=path)
        if found is not None and has_interpreter(Path(found)):
            return found
    raise MissingProgram(name)


def has_interpreter(program: Path) -> bool:
    """Whether what a script names in its first line is there; programs name nothing."""
    with program.open("rb") as file:
        first_line = file.readline(MAX_FIRST_LINE)
    words = first_line.removeprefix(b"#!").split()
    return not first_line.startswith(b"#!") or (
        bool(words) and Path(os.fsdecode(words[0])).exists()
    )


def run_program(name: str, *arguments: str | Path, root: Path, words: str = "") -> str:
    """Run a program at the top of the tree and return what it prints.

    Raises:
        MissingProgram: it is not installed.
        CheckFailed: it exits with something else than 0.
    """
    done = subprocess.run(
        [find_program(name), *map(str, arguments)],
        cwd=root,
        input=words or None,
        stdin=None if words else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CheckFailed((done.stdout + done.stderr).strip())
    return done.stdout


def find_files(root: Path, *patterns: str) -> list[Path]:
    """List the files that match, from the top of the tree.

    Raises:
        CheckFailed: there is none, so that a file which moved is noticed.
    """
    files = sorted(path for pattern in patterns for path in root.glob(pattern))
    if not files:
        raise CheckFailed(f"no file is called {' or '.join(patterns)}")
    return files


def check_with(program: str, *options: str, files: tuple[str, ...]) -> Callable[[Path], object]:
    """Make a check that gives all the files to one program."""
    return lambda root: run_program(program, *options, *find_files(root, *files), root=root)


def check_schema(schema: str, *files: str) -> Callable[[Path], object]:
    """Make a check of files against one of check-jsonschema's own schemas."""
    return check_with("check-jsonschema", "--builtin-schema", f"vendor.{schema}", files=files)


def check_manifests(root: Path) -> None:
    """Put each overlay together as kubectl does, and hold it against the API's schemas.

    Raises:
        CheckFailed: an overlay cannot be built or breaks its schema.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in OVERLAYS:
            built = Path(folder) / f"{name}.yaml"
            built.write_text(
                run_program("kubectl", "kustomize", root / "deploy/kubernetes" / name, root=root),
                encoding="utf-8",
            )
            run_program("kubernetes-validate", "--strict", built, root=root)


def check_ray_up(root: Path) -> None:
    """Hold the file of `ray up` against Ray's own schema.

    Raises:
        MissingProgram: Ray is not installed.
        CheckFailed: the file breaks the schema.
    """
    spec = find_spec("ray")
    if spec is None or spec.origin is None:
        raise MissingProgram("ray")
    schema = Path(spec.origin).parent / "autoscaler" / "ray-schema.json"
    file = root / RAY_OVERLAY / "cluster.yaml"
    run_program("check-jsonschema", "--schemafile", schema, file, root=root)


def check_ray_manifests(root: Path) -> None:
    """Put the bot and its nodes together as kubectl does, and hold each against its schema.

    Raises:
        CheckFailed: they cannot be put together, or break KubeRay's schema or Kubernetes' own.
    """
    import yaml

    with tempfile.TemporaryDirectory() as folder:
        built = run_program("kubectl", "kustomize", root / RAY_OVERLAY, root=root)
        known, clusters = [], []
        for manifest in yaml.safe_load_all(built):
            if manifest["kind"] != "RayCluster":
                known.append(manifest)
                continue
            clusters.append(manifest)
            spec = manifest["spec"]
            groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
            pods = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pods"}}
            known += [{**pods, "template": group["template"]} for group in groups]
        for name, manifests in (("known", known), ("clusters", clusters)):
            (Path(folder) / f"{name}.yaml").write_text(
                yaml.safe_dump_all(manifests), encoding="utf-8"
            )
        run_program("kubernetes-validate", "--strict", Path(folder, "known.yaml"), root=root)
        schema = ("--schemafile", RAY_CLUSTER_SCHEMA)
        run_program("check-jsonschema", *schema, Path(folder, "clusters.yaml"), root=root)


def check_units(root: Path) -> None:
    """Have systemd read the units, and count how exposed the services are.

    The programs that the units name are not installed here: their lines name one that is.

    Raises:
        CheckFailed: a key is unknown or in the wrong place, or a service is too exposed.
    """
    with tempfile.TemporaryDirectory() as folder:
        for unit in find_files(root, "deploy/*.service", "deploy/*.timer"):
            text = unit.read_text(encoding="utf-8").replace("/opt/easel/bin/easel", sys.executable)
            (Path(folder) / unit.name).write_text(text, encoding="utf-8")
        units = sorted(Path(folder).iterdir())
        find_program("systemd-analyze")
        done = subprocess.run(
            ["systemd-analyze", "verify", *map(str, units)],
            capture_output=True,
            text=True,
            check=False,
            env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        )
        # It says what is wrong of the host's other units, too, and exits with 0 at a wrong key.
        lines = [line for line in done.stderr.splitlines() if "easel" in line]
        if lines:
            raise CheckFailed("\n".join(lines))
        for service in (unit for unit in units if unit.suffix == ".service"):
            run_program(
                "systemd-analyze",
                "security",
                "--offline=true",
                f"--threshold={MAX_EXPOSURE}",
                service,
                root=root,
            )


def check_requirements(root: Path) -> None:
    """See that the list with hashes is what the lock says.

    Raises:
        CheckFailed: it is another than `make lock` would write.
    """
    if (root / REQUIREMENTS).read_text(encoding="utf-8") != export_requirements(root):
        raise CheckFailed(f"{REQUIREMENTS} is not what uv.lock says: run make lock")


def export_requirements(root: Path) -> str:
    """Write what the image installs: every package with its version and hashes, from the lock."""
    extras = (word for name in IMAGE_EXTRAS for word in ("--extra", name))
    options = ("--frozen", "--quiet", "--no-emit-project", "--no-header", "--no-annotate")
    return run_program("uv", "export", *options, *extras, root=root)


def check_pages(root: Path) -> None:
    """Write the pages as a site; a link that leads nowhere fails.

    Raises:
        CheckFailed: a link, an anchor or a page of the menu is not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_program("mkdocs", "build", "--strict", "--site-dir", folder, root=root)


CHECKS = (
    Check("Dockerfile", check_with("hadolint", files=("deploy/Dockerfile",))),
    Check("compose", check_schema("compose-spec", "deploy/compose*.yaml")),
    Check("Kubernetes", check_manifests),
    Check("ray up", check_ray_up),
    Check("KubeRay", check_ray_manifests),
    Check("systemd", check_units),
    Check(
        "shell",
        check_with("shellcheck", files=("deploy/install-packages", ".ci/run", "tests/deploy/*.sh")),
    ),
    Check(
        "YAML",
        check_with(
            *("yamllint", "--strict", "-d", YAML_RULES),
            files=("deploy/**/*.yaml", ".github/**/*.yml", ".pre-commit-config.yaml"),
        ),
    ),
    Check("workflows", check_schema("github-workflows", ".github/workflows/*.yml")),
    Check(
        "workflows' safety",
        check_with("zizmor", "--offline", "--no-progress", files=(".github/workflows/*.yml",)),
    ),
    Check("dependabot", check_schema("dependabot", ".github/dependabot.yml")),
    Check("issue forms", check_schema("github-issue-forms", ".github/ISSUE_TEMPLATE/[bhi]*.yml")),
    Check("issue page", check_schema("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml")),
    Check(
        "pre-commit",
        check_with("pre-commit", "validate-config", files=(".pre-commit-config.yaml",)),
    ),
    Check("spelling", check_with("codespell", *SPELLING, files=PROSE)),
    Check("pages", check_pages),
    Check("lock", lambda root: run_program("uv", "lock", "--check", root=root)),
    Check("requirements", check_requirements),
)


def main() -> int:
    """Run the checks and print what each says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *(check.name for check in CHECKS)])
    parser.add_argument(
        "--write-requirements", action="store_true", help=f"write {REQUIREMENTS}, then end"
    )
    arguments = parser.parse_args()
    if arguments.write_requirements:
        (ROOT / REQUIREMENTS).write_text(export_requirements(ROOT), encoding="utf-8")
        return 0
    failed = False
    for check in CHECKS:
        if arguments.names and check.name not in arguments.names:
            continue
        try:
            check.run(ROOT)
        except MissingProgram as error:
            print(f"--  {check.name}: {error} is not here, so it was not looked at")
        except CheckFailed as error:
            failed = True
            print(f"NO  {check.name}:\n{error}")
        else:
            print(f"ok  {check.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
