"""Find and load handlers: coroutines in a folder beside the routes file.

The whole package is imported afresh for each routes file that is checked, so that a reload sees
edited code; `discard` brings the former modules back when the file is refused. A handler that cannot
be loaded is a configuration error, never a crash.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import cast

from gateway.ports import Handler


class Handlers:
    """The handlers of one routes file, loaded as they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Handler] = {}
        self._faults: dict[str, str] = {}
        self._former: dict[str, dict[str, ModuleType]] = {}

    def find(self, name: str, arguments: tuple[str, ...] | None = None) -> str:
        """Load `module:function`; why that cannot be done, or nothing.

        With *arguments*, also why it cannot be called with just those as keywords.
        """
        if name not in self._loaded and name not in self._faults:
            found = self._load(*name.split(":", 1))
            if isinstance(found, str):
                self._faults[name] = found
            else:
                self._loaded[name] = found
        if name in self._faults:
            return self._faults[name]
        return "" if arguments is None else _misfit(self._loaded[name], name, arguments)

    def get(self, name: str) -> Handler:
        """A handler that was found."""
        return self._loaded[name]

    def discard(self) -> None:
        """Undo the imports: what was there before is there again."""
        for package, modules in self._former.items():
            _remove(package)
            sys.modules.update(modules)

    def _load(self, module_name: str, function_name: str) -> Handler | str:
        package = module_name.partition(".")[0]
        place = "/".join([str(self._folder), *module_name.split(".")]) + ".py"
        if not (self._folder / package).is_dir() and not (self._folder / f"{package}.py").is_file():
            return f"there is no {place}"
        try:
            with _importing(package):
                if package not in self._former:
                    self._former[package] = _remove(package)
                if package not in sys.modules:
                    _import_top(package, self._folder)
                module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and module_name.startswith(error.name):
                return f"there is no {place}"
            return f"{place} imports {error.name}, which is not installed"
        except SyntaxError as error:
            return f"{error.filename} has a syntax error in line {error.lineno}: {error.msg}"
        except Exception as error:  # noqa: BLE001  # a handler's module is anyone's code
            return f"importing {place} raised {type(error).__name__}: {error}"
        return _checked(module, function_name, place)


def _checked(module: ModuleType, name: str, place: str) -> Handler | str:
    function = getattr(module, name, None)
    if function is None:
        names = [n for n, each in vars(module).items() if inspect.iscoroutinefunction(each)]
        close = get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]}?" if close else f" (it has {', '.join(names) or 'none'})"
        return f"{place} has no coroutine {name}{hint}"
    if not inspect.iscoroutinefunction(function):
        return f"{name} in {place} is no coroutine: write `async def {name}(event, endpoint)`"
    try:
        inspect.signature(function).bind_partial(None, None)
    except TypeError:
        return f"{name} in {place} does not take (event, endpoint)"
    return cast("Handler", function)


def _misfit(function: Handler, name: str, arguments: tuple[str, ...]) -> str:
    """Why a handler cannot be called with these keyword arguments; nothing where it can."""
    try:
        inspect.signature(function).bind(None, None, **dict.fromkeys(arguments))
    except TypeError as error:
        return f"{name} cannot be called so: {error}"
    return ""


@contextmanager
def _importing(package: str) -> Iterator[None]:
    """Import, and take *package* out again if that fails.

    No bytecode is written: it is stamped to the second, and a quick edit would not be seen.
    """
    importlib.invalidate_caches()
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    except BaseException:
        _remove(package)
        raise
    finally:
        sys.dont_write_bytecode = writes


def _import_top(package: str, folder: Path) -> None:
    """Import *package* from *folder*, whatever else is called so on this machine."""
    home, single = folder / package, folder / f"{package}.py"
    if not home.is_dir():
        spec = importlib.util.spec_from_file_location(package, single)
    elif (home / "__init__.py").is_file():
        spec = importlib.util.spec_from_file_location(
            package, home / "__init__.py", submodule_search_locations=[str(home)]
        )
    else:
        spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(home)]
    assert spec is not None  # noqa: S101  # these are files of Python code
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)


def _remove(package: str) -> dict[str, ModuleType]:
    """Take a package and all below it out of the imported modules."""
    names = [n for n in sys.modules if n == package or n.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}
