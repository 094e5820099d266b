"""Another revision of the code, to compare the working tree with."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange_site.stack.processes import PROJECT
from tests.benchmark.load import BenchmarkFailed


def choose_revision(*, of: Path = PROJECT) -> str:
    """Name the revision before the working tree: HEAD if there are uncommitted changes, else its parent."""
    return "HEAD" if _git("status", "--porcelain", "--untracked-files=no", tree=of) else "HEAD^"


def describe(tree: Path) -> str:
    """Return the short commit of a tree, with "-dirty" if there are uncommitted changes."""
    return _git("describe", "--always", "--dirty", "--exclude=*", tree=tree)


@contextmanager
def checked_out(revision: str, *, into: Path, of: Path = PROJECT) -> Iterator[None]:
    """Check out `revision` into a folder inside the `with` block. Raises BenchmarkFailed if it does not exist."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", tree=of)
    _git("worktree", "add", "--detach", "--quiet", str(into), commit, tree=of)
    try:
        yield
    finally:
        _git("worktree", "remove", "--force", str(into), tree=of)


def _git(*arguments: str, tree: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"git {' '.join(arguments)}: {done.stderr.strip() or 'no such revision'}")
    return done.stdout.strip()
