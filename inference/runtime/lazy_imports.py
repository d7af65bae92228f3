"""Leave out, at a worker's start, the parts of its libraries that it does not use.

diffusers imports each of its hundred networks for one of them and transformers each loss of
training for the class that all of its networks share; both import torch's compiler and what trains
across machines. That is most of what a worker waits for that is about to run one small checkpoint.
Here such a part is imported when something of it is first used.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from inference.model_files.hashes import read_values, write_values

#: Gives what a name of a module stands for while that is not loaded; None where it must be.
FindStandIn = Callable[[ModuleType, str], Any]

#: Packages that only import names out of their own modules.
NAME_PACKAGES = frozenset(
    f"diffusers.models.{name}" for name in ("autoencoders", "controlnets", "transformers", "unets")
)
#: Modules whose functions and classes others import at once, but call only to read another layout
#: of files, to train, or to run over several machines: these names of them, or all.
ALL_NAMES: tuple[str, ...] = ()
CALLED_MODULES = {
    "diffusers.loaders.single_file_utils": ALL_NAMES,
    "diffusers.quantizers.auto": ("DiffusersAutoQuantizer",),
    "torch.distributed._composable.fsdp": ALL_NAMES,
    "torch.distributed.checkpoint.hf_storage": ALL_NAMES,
    "torch.distributed.fsdp": ALL_NAMES,
    "torch.distributed.tensor": ALL_NAMES,
    "torch.distributed.tensor._utils": ALL_NAMES,
    "torch.distributed.tensor.placement_types": ALL_NAMES,
    "torch.nn.attention.flex_attention": ("BlockMask", "create_block_mask"),
    "transformers.integrations.flex_attention": ("flex_attention_forward",),
    "transformers.distributed.expert_parallel": ("apply_expert_parallelism",),
    "transformers.distributed.pipeline_parallel": ("apply_pipeline_parallelism",),
    "transformers.distributed.tensor_parallel": (
        "apply_tensor_parallelism",
        "gather_state_dict_for_save",
        "verify_tp_plan",
    ),
}
#: Modules of such packages that can be imported in the package's own order only.
ORDERED_MODULES = frozenset({"torch.distributed.fsdp._fully_shard"})
LOSS_MODULES, LOSS_TABLE = "transformers.loss.loss_", "transformers.loss.loss_utils"
#: Marks on functions and classes, by their modules: for torch's compiler, which change nothing
#: where none compiles, and for texts of help, which a worker shows to nobody.
COMPILER = "torch._dynamo"
MARKS = {
    COMPILER: ("allow_in_graph", "assume_constant_result", "disable"),
    "transformers.utils.auto_docstring": ("auto_docstring", "auto_class_docstring"),
}
#: Modules of which others import no name before they use it.
PLAIN_MODULES = frozenset(
    {"scipy.fft", "scipy.stats", "torch.distributed.checkpoint", "torchvision"}
)
#: The names with underscores that a module has of itself, not of Python.
OWN_SPECIAL_NAMES = ("__all__", "__version__")
#: Under what name a module that is loaded later keeps what loads it.
LOAD = "__load__"
#: Under what name it notes that it is.
LOADED = "__loaded__"
#: Reads all of transformers' modules for their names, at each start, and the file that keeps them.
SCANNING_MODULE, SCAN_FUNCTION = "transformers.utils.import_utils", "define_import_structure"
SCANS_FILE = "transformers-names.json"


def defer_imports() -> None:
    """Have parts that a worker seldom uses imported at their first use; for the whole process.

    Not for a process that compiles networks: what they mark for the compiler stays unmarked.
    """
    if not any(isinstance(finder, _LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LazyFinder())
    importlib.metadata.packages_distributions = _InstalledPackages


def keep_import_scans(cache_dir: Path) -> None:
    """Keep between starts which names transformers' modules have; for the whole process."""
    if not any(isinstance(finder, _ScanFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ScanFinder(cache_dir / SCANS_FILE))


class _InstalledPackages(Mapping[str, list[str]]):
    """What distributions packages are of: every file of each is listed when that is first asked."""

    @functools.cached_property
    def _packages(self) -> Mapping[str, list[str]]:
        return _list_packages()

    def __getitem__(self, name: str) -> list[str]:
        return self._packages[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._packages)

    def __len__(self) -> int:
        return len(self._packages)


_list_packages = importlib.metadata.packages_distributions


class _ScanFinder(MetaPathFinder):
    """Finds the module that scans, and has what its scans find kept."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load that module; None for others."""
        spec = PathFinder.find_spec(name, path, target) if name == SCANNING_MODULE else None
        if spec is not None and spec.loader is not None:
            spec.loader = _ScanLoader(spec.loader, self._store)
        return spec


class _ScanLoader(Loader):
    """Loads the module that scans, with a function that remembers in the place of its own."""

    def __init__(self, loader: Loader, store: Path) -> None:
        self._loader, self._store = loader, store

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then put the function in."""
        self._loader.exec_module(module)
        scan = getattr(module, SCAN_FUNCTION, None)
        if scan is not None:
            setattr(module, SCAN_FUNCTION, _KeptScans(scan, self._store))


class _KeptScans:
    """Names by modules by what they need, of a package, read once for each version of it."""

    def __init__(self, scan: Callable[..., Any], store: Path) -> None:
        self._scan, self._store = scan, store
        self._version = importlib.metadata.version(SCANNING_MODULE.partition(".")[0])
        self._values = read_values(store)

    def __call__(self, module_path: str, prefix: str | None = None) -> Any:
        time = Path(module_path).stat().st_mtime_ns
        key = f"{self._version}|{module_path}|{time}|{prefix or ''}"
        try:
            return {
                frozenset(needs): {module: set(names) for module, names in modules.items()}
                for needs, modules in self._values[key]
            }
        except (KeyError, TypeError, ValueError, AttributeError):  # new, or a damaged file
            names = self._scan(module_path, prefix=prefix)
        self._values[key] = [
            [sorted(needs), {module: sorted(words) for module, words in modules.items()}]
            for needs, modules in names.items()
        ]
        write_values(self._store, self._values)
        return names


class _LazyFinder(MetaPathFinder):
    """Finds the modules that are loaded later."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module later, or None for one that is loaded as ever."""
        find_stand_in = _stand_ins_of(name)
        if find_stand_in is None:
            return _load_package_of(name)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _StandInLoader(spec.loader, find_stand_in)
        return spec


def _load_package_of(name: str) -> ModuleSpec | None:
    """Load the package of a module before it, as its modules expect of each other.

    Returns how to take the module that the package has then imported; None where it has not, or
    where there is no package to load.
    """
    package = sys.modules.get(name.rpartition(".")[0])
    if package is None or name not in ORDERED_MODULES or LOAD not in vars(package):
        return None
    vars(package)[LOAD]()
    module = sys.modules.get(name)
    return None if module is None else ModuleSpec(name, _ReadyLoader(module))


class _ReadyLoader(Loader):
    """Gives a module that is there."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Give it."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is."""
        module.__spec__ = self._spec


def _stand_ins_of(name: str) -> FindStandIn | None:
    if name in NAME_PACKAGES:
        return _import_own_name
    if name in MARKS:
        return _mark_nothing
    if name in PLAIN_MODULES:
        return lambda _module, _name: None
    if name in CALLED_MODULES or (name.startswith(LOSS_MODULES) and name != LOSS_TABLE):
        return _defer_call
    return None


class _StandInLoader(Loader):
    """Loads a module at the first name of it that nothing stands in for."""

    def __init__(self, loader: Loader, find_stand_in: FindStandIn) -> None:
        self._loader = loader
        self._find_stand_in = find_stand_in

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Make the module ready to give its names, and load nothing."""

        def get_name(name: str) -> Any:
            if name.startswith("__") and name not in OWN_SPECIAL_NAMES:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            own_module = f"{module.__name__}.{name}"
            if PathFinder.find_spec(own_module, getattr(module, "__path__", [])) is not None:
                return importlib.import_module(own_module)
            stand_in = self._find_stand_in(module, name)
            if stand_in is not None:
                return stand_in
            self.load(module)
            return getattr(module, name)

        module.__dict__["__getattr__"] = get_name
        module.__dict__[LOAD] = lambda: self.load(module)

    def load(self, module: ModuleType) -> None:
        """Load the module itself, once."""
        if module.__dict__.pop("__getattr__", None) is not None:
            self._loader.exec_module(module)
            module.__dict__[LOADED] = True


def _import_own_name(package: ModuleType, name: str) -> Any:
    """Import a name of a package out of the module that the package takes it from."""
    source_modules = _list_imports(inspect.getsource(package))
    if name not in source_modules:
        return None
    module = importlib.import_module(f"{package.__name__}.{source_modules[name]}")
    value = getattr(module, name)
    setattr(package, name, value)
    return value


def _list_imports(source: str) -> dict[str, str]:
    """Map each name that a package imports from a module of its own to that module."""
    return {
        alias.asname or alias.name: statement.module
        for statement in ast.walk(ast.parse(source))
        if isinstance(statement, ast.ImportFrom) and statement.level == 1 and statement.module
        for alias in statement.names
    }


def _mark_nothing(module: ModuleType, name: str) -> Any:
    """Stand in for a mark, called or not: leave what it stands on as it is."""

    def mark(target: Any = None, *_: object, **__: object) -> Any:
        return mark if target is None else target

    if name in MARKS[module.__name__]:
        return mark
    return None if module.__name__ == COMPILER else _defer_call(module, name)


class _Unloaded(type):
    """Stands in for a function or a class: loads its module when it is called."""

    module: ModuleType

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        cls.module.__dict__[LOAD]()
        return getattr(cls.module, cls.__name__)(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        cls.module.__dict__[LOAD]()
        return getattr(getattr(cls.module, cls.__name__), name)

    def __instancecheck__(cls, instance: object) -> bool:
        # Of a class that nobody has loaded there is nothing.
        return LOADED in cls.module.__dict__ and isinstance(
            instance, getattr(cls.module, cls.__name__)
        )


def _defer_call(module: ModuleType, name: str) -> Any:
    """Stand in for a function or a class; None for a name that may be neither."""
    if name not in (CALLED_MODULES.get(module.__name__) or (name,)):
        return None
    return _Unloaded(name, (), {"module": module})
