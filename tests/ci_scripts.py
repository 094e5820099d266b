"""The scripts of .ci, imported."""

import importlib.util
import sys

from exchange_site.stack.processes import PROJECT


def load(name):
    """Import a script of .ci, and let it import the others."""
    sys.path.insert(0, str(PROJECT / ".ci"))
    try:
        spec = importlib.util.spec_from_file_location(f"ci_{name}", PROJECT / f".ci/{name}.py")
        sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PROJECT / ".ci"))
    return module
