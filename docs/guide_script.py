"""Write docs/guide.sh: the commands of docs/guide.md, one after the other. `task docs` runs this."""

import re
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
_HEAD: Final = """\
#!/bin/sh
# The commands of docs/guide.md, made from it by `task docs`. Run it while `task dev` runs: sh docs/guide.sh
# Another address: api=http://127.0.0.1:8001/api/v1 sh docs/guide.sh
set -eu
"""
_CHECK: Final = """
curl --silent --output /dev/null "$api/exchanges/crypto-currencies/" || {
    echo "Nothing answers at $api. Run 'task dev' first, or name another address, as this script's third line does." >&2
    exit 1
}"""
_PART: Final = re.compile(r"^## (?P<title>[^\n]*)$|^```sh\n(?P<commands>.*?)\n```$", re.DOTALL | re.MULTILINE)


def make_script(guide: str) -> str:
    """Return the script for the text of the guide: its commands, each section with its title."""
    lines, title = [_HEAD], ""
    for part in _PART.finditer(guide):
        if part["title"]:
            title = part["title"]
            continue
        if title:
            if len(lines) == 2:  # noqa: PLR2004  after the head and the definitions
                lines.append(_CHECK)
            lines.append(f"\nprintf '\\n%s\\n' '== {title}'")
            title = ""
        lines.append(part["commands"])
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (_FOLDER / "guide.sh").write_text(make_script((_FOLDER / "guide.md").read_text()))
