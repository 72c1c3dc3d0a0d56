"""The files that a new folder begins with: the example routes, and the handlers."""

from pathlib import Path


def starter_folder() -> Path:
    """Where they are: in the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "starter_files"
    return installed if installed.is_dir() else package.parent
