"""Every public class and function has a docstring, its own or that of the method that it overrides."""

import importlib
import inspect
import pkgutil

import gan

MODULES = [info.name for info in pkgutil.walk_packages(gan.__path__, "gan.")]


def public(module):
    """The public classes and functions of a module, and those of its classes."""
    for name, item in vars(module).items():
        if name.startswith("_") or getattr(item, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(item) or inspect.isfunction(item):
            yield f"{module.__name__}.{name}", item
        if inspect.isclass(item):
            for inner, member in vars(item).items():
                function = getattr(member, "fget", None) or getattr(member, "func", None) or member
                if not inner.startswith("_") and inspect.isfunction(function):
                    yield f"{module.__name__}.{name}.{inner}", getattr(item, inner)


def test_every_public_class_and_function_has_a_docstring():
    found = [pair for name in MODULES for pair in public(importlib.import_module(name))]
    assert len(found) > 600
    assert [name for name, item in found if not inspect.getdoc(item)] == []


def test_every_package_docstring_states_its_allowed_imports():
    packages = [info.name for info in pkgutil.iter_modules(gan.__path__) if info.ispkg]
    assert len(packages) == 15
    assert [name for name in packages if "May import:" not in importlib.import_module(f"gan.{name}").__doc__] == []
