"""The project's files that a container image holds, read from .dockerignore and the Dockerfile."""

import re
import shutil

from exchange_site.stack.processes import PROJECT

ROOMS = ("wallets", "trading", "settlement", "exchange_site")


def project_files():
    folders = [PROJECT / name for name in (*ROOMS, "tests", "docs", "deploy")]
    found = [*PROJECT.glob("*"), *(file for folder in folders for file in folder.rglob("*"))]
    return {str(file.relative_to(PROJECT)) for file in found if file.is_file() and file.suffix != ".pyc"}


def files_in_image(*, contents="production"):
    """Return the project's files in an image: those that are copied and admitted, and for production not removed.

    Of the rules of .dockerignore the last one that matches a file decides.
    """
    rules = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    admitted = {file for file in project_files() if [rule for rule in rules if fits(rule, file)][-1].startswith("!")}
    stages = re.split(r"^FROM (?=.* AS )", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    code, production = (
        [stage for stage in stages if f" AS {name}-code\n" in stage] for name in ("sandbox", "production")
    )
    copied = [name for line in re.findall("^COPY (.*) ", code[0], re.MULTILINE) for name in line.split()]
    removed = re.search(r"^RUN rm -r ((?:.*\\\n)*.*)$", production[0], re.MULTILINE)[1].replace("\\\n", " ").split()
    gone = removed if contents == "production" else []
    return {
        file
        for file in admitted
        if any(fits(name, file) for name in copied) and not any(fits(name, file) for name in gone)
    }


def fits(rule, file):
    """Say whether a rule names the file or one of its parent folders."""
    pattern = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(f"{pattern}(/.*)?", file) is not None


def install_image(folder, *, contents="production"):
    """Copy an image's files into a folder."""
    for file in files_in_image(contents=contents):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / file, folder / file)
