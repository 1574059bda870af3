"""What the doctor looks at: one decorated function for each check."""

import importlib
import pkgutil


def load() -> None:
    """Imports every module of this folder, whose checks register themselves."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
