"""Say whether the project is ready for a release, and how to tag it: `.ci/release.py 0.3.0`.

Checks everything, prints a line for each check and a sentence for each thing to do, and changes nothing, here or
elsewhere. Ends with status 1 if something is to do.
"""  # noqa: INP001  a script, run by `task release`

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import openapi_breaks

ROOT: Final = Path(__file__).resolve().parents[1]

_NUMBER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_SECTION: Final = re.compile(r"^## (.*)$", re.MULTILINE)
_KINDS: Final = ("Upgrade", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release that is to be made of the files in a folder, a clone."""

    folder: Path
    version: str
    today: date

    def read(self, name: str) -> str:
        """Return the text of a file; nothing if there is none."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def git(self, *arguments: str) -> str:
        """Return what git answers; nothing if it fails."""
        try:
            return subprocess.check_output(["git", *arguments], cwd=self.folder, stderr=subprocess.DEVNULL, text=True)  # noqa: S603, S607
        except (OSError, subprocess.CalledProcessError):
            return ""

    def sections(self) -> dict[str, str]:
        """Return the changelog's sections by their headings, in their order."""
        _, *parts = _SECTION.split(self.read("CHANGELOG.md"))
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def previous(self) -> str:
        """Return the number of the release before; empty if the changelog has none."""
        numbers = [heading.split()[0] for heading in self.sections() if _NUMBER.match(heading)]
        return next((number for number in numbers if number != self.version), "")


def find_faults_of_number(release: Release) -> Iterator[str]:
    """The number follows the last one, and pyproject.toml and the API's document have it."""
    if not _NUMBER.fullmatch(release.version):
        yield f"{release.version} is no number such as 0.3.0."
        return
    if release.previous() and _as_numbers(release.version) <= _as_numbers(release.previous()):
        yield f"{release.version} does not follow {release.previous()}, the last release of CHANGELOG.md."
    if (held := tomllib.loads(release.read("pyproject.toml"))["project"]["version"]) != release.version:
        yield f'pyproject.toml has {held}: write version = "{release.version}", and run task docs.'
    if (shown := json.loads(release.read("docs/openapi.json"))["info"]["version"]) != release.version:
        yield f"docs/openapi.json has {shown}: task docs."
    if release.git("tag", "--list", f"v{release.version}").strip():
        yield f"The tag v{release.version} exists already."


def find_faults_of_tree(release: Release) -> Iterator[str]:
    """Everything is committed. A git that is missing, or refuses another user's clone, says nothing about that."""
    if not release.git("rev-parse", "HEAD"):
        yield f"git does not answer in {release.folder}: run `git status` there, and see why."
        return
    if changed := release.git("status", "--porcelain").splitlines():
        yield f"Not everything is committed: {changed[0][3:]}" + (", and more." if changed[1:] else ".")


def find_faults_of_changelog(release: Release) -> Iterator[str]:
    """The changelog has a dated section with notes for the upgrade, and nothing is left under Unreleased."""
    sections = release.sections()
    if sections.get("Unreleased", "").strip():
        yield f"CHANGELOG.md: move all under Unreleased below a new heading, ## {release.version} - {release.today}."
    heading = next((each for each in sections if each.split()[0] == release.version), None)
    if heading is None:
        yield f"CHANGELOG.md has no section ## {release.version} - {release.today}."
        return
    yield from _find_faults_of_date(heading, release)
    kinds = re.split(r"^### (.*)$", sections[heading], flags=re.MULTILINE)[1:]
    texts = dict(zip(kinds[::2], kinds[1::2], strict=True))
    if not texts.get("Upgrade", "").strip():
        yield (
            f"CHANGELOG.md, {release.version}: write below ### Upgrade what an operator must do, in order: migrations,"
            " new variables, what is deployed first. If that is nothing, say so."
        )
    if unknown := [kind for kind in texts if kind not in _KINDS]:
        yield f"CHANGELOG.md, {release.version}: {unknown[0]} is none of {', '.join(_KINDS)}."


def find_faults_of_api(release: Release) -> Iterator[str]:
    """docs/versions.md names each promise of the API that this release breaks."""
    before = _find_document(release)
    if not before:
        yield "The API's document of the release before is not in this clone: fetch the tags, and all commits."
        return
    after = json.loads(release.read("docs/openapi.json"))
    told = release.read("docs/versions.md")
    for line in openapi_breaks.find_breaks(before=json.loads(before), after=after):
        if f"`{line}`" not in told:
            yield f"The API breaks a promise. Undo it, or list it in docs/versions.md with its reason: `{line}`"


def _find_document(release: Release) -> str:
    """Return docs/openapi.json of the release before: of its tag, or of the commit that the tests upgrade from."""
    commit = re.search(r'^PREVIOUS_RELEASE = "(\w+)"', release.read("tests/upgrade/releases.py"), re.MULTILINE)
    places = [f"v{release.previous()}", commit[1] if commit else ""]
    found = (release.git("show", f"{place}:docs/openapi.json") for place in places if place)
    return next((text for text in found if text), "")


def _find_faults_of_date(heading: str, release: Release) -> Iterator[str]:
    _, _, written = heading.partition(" - ")
    try:
        made = date.fromisoformat(written)
    except ValueError:
        yield f"CHANGELOG.md: the heading is ## {heading}, and should be ## {release.version} - {release.today}."
        return
    if made > release.today:
        yield f"CHANGELOG.md: {release.version} is dated {made}, which is in the future."


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3])


CHECKS: Final[dict[str, Callable[[Release], Iterator[str]]]] = {
    "the working copy is clean": find_faults_of_tree,
    "the number is everywhere": find_faults_of_number,
    "the changelog tells it": find_faults_of_changelog,
    "the API keeps its promises": find_faults_of_api,
}
_MANAGE: Final = (sys.executable, "-m", "exchange_site.stack", "manage")
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "the generated documents are current": (sys.executable, "manage.py", "openapi", "--check"),
    "so are the tables of variables": (sys.executable, "manage.py", "configuration", "--check"),
    "the locks are of pyproject.toml": (sys.executable, ".ci/update.py", "--check"),
    "no migration is missing": (*_MANAGE, "makemigrations", "--check", "--dry-run"),
    "the migrations keep the rules": (
        *(*_MANAGE, "lintmigrations", "--settings", "tests.upgrade.linting.settings", "--quiet", "ok", "ignore"),
    ),
}  # fmt: skip


def main(version: str) -> int:
    """Run every check, and say what is to do. Return the status with which to end."""
    release = Release(folder=ROOT, version=version, today=date.today())  # noqa: DTZ011, TID251  the day at this desk
    to_do = [fault for title, check in CHECKS.items() for fault in _report(title, list(check(release)))]
    for title, command in COMMANDS.items():
        to_do += _report(title, _run(command))
    if to_do:
        _say(f"\n{version} is not ready: {len(to_do)} to do.")
        return 1
    _say(
        f"\n{version} is ready. When `task check` and `task test:coverage` (all tests) have passed on this commit:\n\n"
        f"    git tag --annotate v{version} --message 'Release {version}'\n"
        f"    git push origin v{version}\n"
        f"    task sbom -- sbom-{version}.cdx.json\n\n"
        "Then let PREVIOUS_RELEASE in tests/upgrade/releases.py name this commit:"
        f" {release.git('rev-parse', 'HEAD').strip()}"
    )
    return 0


def _run(command: tuple[str, ...]) -> list[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  the table above
    said = (done.stdout + done.stderr).strip()
    return [] if done.returncode == 0 else [said or f"{' '.join(command)} ended with status {done.returncode}"]


def _report(title: str, faults: list[str]) -> list[str]:
    _say(f"{'to do' if faults else 'ok   '}  {title}")
    for fault in faults:
        _say("\n".join(f"         {line}" for line in fault.splitlines()[-12:]))
    return faults


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  a script


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  its name and one argument
        sys.exit("Which release? task release -- 0.3.0")
    sys.exit(main(sys.argv[1]))
