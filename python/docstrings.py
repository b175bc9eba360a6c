"""Writes the docstrings of the installed module into its stubs, madang/**/*.pyi.

They are written once, as doc comments in src/. Run this after a change there, with the new module installed, as
`python -P docstrings.py` (or it is the sources that are imported); tests/python/test_stub.py fails as long as it would
change anything.
"""

import ast
import importlib
import inspect
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent


def main() -> None:
    for stub, module in stubs():
        stub.write_text(with_docstrings(stub.read_text(), module))


def stubs():
    """Each stub, and the module that it is of."""
    for stub in sorted(ROOT.glob("madang/**/*.pyi")):
        parts = stub.relative_to(ROOT).with_suffix("").parts
        yield stub, importlib.import_module(".".join(part for part in parts if part != "__init__"))


def with_docstrings(stub: str, module: object) -> str:
    """The stub, with each docstring that it has replaced by the module's."""
    lines = stub.split("\n")
    # From the last to the first, so that line numbers stay right.
    for node, thing in reversed(list(documented(ast.parse(stub), module))):
        start, end, indent = node.lineno - 1, node.end_lineno, " " * node.col_offset
        doc = inspect.getdoc(thing) or ""
        text = f'"""{doc}"""' if "\n" not in doc else f'"""{doc}\n"""'
        lines[start:end] = textwrap.indent(text, indent).split("\n")
    return "\n".join(lines)


def documented(scope: ast.Module | ast.ClassDef | ast.FunctionDef, thing: object):
    """Each docstring's node in the stub, in order, and what it is the docstring of."""
    first = scope.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        yield first, thing
    for child in scope.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from documented(child, getattr(thing, child.name, None))


if __name__ == "__main__":
    main()
