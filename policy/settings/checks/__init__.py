"""Rules that a single field's type cannot express, one function each.

Every module of this folder is loaded, and its rules register themselves.
"""

import importlib
import pkgutil

from policy.settings.checks.rule import CHECKS, Check

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CHECKS", "Check"]
