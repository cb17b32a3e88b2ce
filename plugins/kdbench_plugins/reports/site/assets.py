"""The scripts and styles of a site, copied from installed packages so that pages need no network."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from kdbench.errors import KdbenchError

OWN = Path(__file__).parent / "assets"
EXPORT = re.compile(r"\bexport\s*\{([^{}]*)\}\s*;?")
NAMED = re.compile(r"\s*([\w$]+)(?:\s+as\s+([\w$]+))?\s*")


def copy_assets(folder: Path) -> None:
    """Writes the files into a new `folder`. Raises KdbenchError if a package is missing or not as expected."""
    folder.mkdir(parents=True)
    for path in sorted(OWN.iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "plotly.min.js").write_bytes(_vendored("plotly", "package_data/plotly.min.js").read_bytes())
    bundle = _vendored("itables", "html/dt_bundle.js").read_text(encoding="utf-8")
    (folder / "datatables.js").write_text(classic(bundle, "DataTablesBundle"), encoding="utf-8")
    (folder / "datatables.css").write_bytes(_vendored("itables", "html/dt_bundle.css").read_bytes())


def classic(module: str, name: str) -> str:
    """Turns an ES module without imports into a classic script that binds its exports to a global `name`.

    Browsers do not load modules from file://, because every file there is a separate origin and modules are subject to CORS.
    """
    exports = list(EXPORT.finditer(module))
    if len(exports) != 1 or re.search(r"^\s*import\b(?!\s*\()|\bimport\.meta\b", module, re.MULTILINE):
        raise KdbenchError(
            f"the DataTables of the installed itables is not as expected: {len(exports)} lists of exports instead of one, or "
            'imports; install another version: pip install "itables>=2.9,<3"'
        )
    (export,) = exports
    pairs = [NAMED.fullmatch(part) for part in export[1].split(",") if part.strip()]
    values = ", ".join(f'"{pair[2] or pair[1]}": {pair[1]}' for pair in pairs if pair)
    before, after = module[: export.start()], module[export.end() :]
    return f'var {name} = (() => {{\n"use strict";\n{before}\nreturn {{ {values} }};\n{after}\n}})();\n'


def _vendored(package: str, path: str) -> Path:
    """A file of an installed package. Does not import the package, which would take longer than writing all pages."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / path
        if file.is_file():
            return file
    found = f"{package} is installed, but has no {path}" if spec else f"{package} is not installed"
    raise KdbenchError(f"the site needs DataTables and plotly.js, and {found}: pip install -U itables plotly")
