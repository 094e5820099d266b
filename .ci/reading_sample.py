"""Draw docstrings and paragraphs for a second reader: `python .ci/reading_sample.py [SEED]`.

The reader knows Django and payments, but not this project. Rewrite each sentence that they have to read twice, and all
sentences like it.
"""  # noqa: INP001  a script, run by hand

import ast
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from own_files import list_own_files

ROOT = Path(__file__).resolve().parents[1]
SEED = 17
DOCSTRINGS, PARAGRAPHS = 60, 30


def main(seed: int) -> None:
    """Print the sample, each piece with its place."""
    chance = random.Random(seed)  # noqa: S311  no secret
    docstrings, paragraphs = list(_docstrings()), list(_paragraphs())
    for number, (place, text) in enumerate(chance.sample(docstrings, DOCSTRINGS), 1):
        sys.stdout.write(f"D{number}. {place}\n{text}\n\n")
    for number, (place, text) in enumerate(chance.sample(paragraphs, PARAGRAPHS), 1):
        sys.stdout.write(f"P{number}. {place}\n{text}\n\n")


def _docstrings() -> Iterator[tuple[str, str]]:
    for name in map(str, list_own_files(ROOT, ".py")):
        if name.startswith("tests/") or "/migrations/" in name:
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield f"{name}: {getattr(node, 'name', 'module')}", text


def _paragraphs() -> Iterator[tuple[str, str]]:
    for name in map(str, list_own_files(ROOT, ".md")):
        prose = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
        for text in re.split(r"\n\s*\n", prose):
            if len(text.split()) > 12 and not text.startswith(("#", "|", "<")):  # noqa: PLR2004  no headings or tables
                yield name, text.strip()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEED)
