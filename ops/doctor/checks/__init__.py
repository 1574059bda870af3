"""The doctor's checks: one decorated function for each."""

import importlib
import pkgutil


def load() -> None:
    """Imports every module in this folder; the checks register themselves."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
