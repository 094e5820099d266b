"""Let uv fetch packages from where pip does: `python .ci/package_index.py COMMAND…` runs a command of uv so.

uv does not read pip's configuration, and a company's machine often has no other: an index of its own, a proxy, the
company's certificates. uv's own configuration stays as it is. Uses only the standard library.
"""  # noqa: INP001  a script, and a part of others

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SYSTEM_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_OWN_INDEX: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_NO_INDEX", "UV_CONFIG_FILE", "UV_OFFLINE")
_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_SYSTEM_SETTINGS: Final = Path("/etc")
# A later level counts more (`env` is PIP_CONFIG_FILE), and a file's section for `pip install` more than that for all
# commands, whatever their levels: https://pip.pypa.io/en/stable/topics/configuration/
_LEVELS: Final = ("global", "user", "site", "env")
_SECTIONS: Final = ("global", "install")
# A level, or a setting in a file of it, as `pip config debug` prints them: each level's files in pip's order.
_LINE: Final = re.compile(
    rf"^(?:({'|'.join(_LEVELS)}):|\s+({'|'.join(_SECTIONS)})\.(index-url|proxy|cert): (.+))$", re.MULTILINE
)


def variables_for_uv(environment: Mapping[str, str], *, python: str = sys.executable) -> dict[str, str]:
    """Return an environment for uv: the given one, and what only pip is configured with there.

    `python` has the pip that is asked for its configuration.
    """
    found = dict(environment)
    of_pip = _read_pip(environment, python=python)
    if "index-url" in of_pip and not any(environment.get(name) for name in _OWN_INDEX) and not _has_file(environment):
        found["UV_DEFAULT_INDEX"] = of_pip["index-url"]
    if "proxy" in of_pip and not any(environment.get(name) for name in _PROXIES):
        found["ALL_PROXY"] = of_pip["proxy"]
    if "cert" in of_pip and not environment.get("SSL_CERT_FILE"):
        found["SSL_CERT_FILE"] = of_pip["cert"]
    # uv's own list of certificates lacks the one of a company's proxy.
    if not environment.get("UV_SYSTEM_CERTS") and _SYSTEM_CERTIFICATES.exists() and _SYSTEM_CERTIFICATES.stat().st_size:
        found["UV_SYSTEM_CERTS"] = "true"
    return found


def _read_pip(environment: Mapping[str, str], *, python: str) -> dict[str, str]:
    """Return pip's index, proxy and file of certificates, as far as it is configured with them."""
    named = {name: environment.get(f"PIP_{name.replace('-', '_').upper()}") for name in ("index-url", "proxy", "cert")}
    command = [python, "-m", "pip", "config", "debug"]
    try:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout  # noqa: S603  pip
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return _read_files(said) | {name: value for name, value in named.items() if value}


def _read_files(said: str) -> dict[str, str]:
    """Return the settings that count among those of pip's files. `pip config list` sorts the files by their names."""
    settings: list[tuple[int, int, str, str]] = []
    level = 0
    for heading, section, name, value in _LINE.findall(said):
        if heading:
            level = _LEVELS.index(heading)
        else:
            settings.append((_SECTIONS.index(section), level, name, value.strip()))
    return {name: value for _, _, name, value in sorted(settings, key=lambda setting: setting[:2]) if value}


def _has_file(environment: Mapping[str, str]) -> bool:
    """Say whether uv has a file of settings (https://docs.astral.sh/uv/concepts/configuration-files/)."""
    home = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    systems = [*(environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), str(_SYSTEM_SETTINGS)]
    return any(Path(folder, "uv", "uv.toml").exists() for folder in (home, *systems))


if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], variables_for_uv(os.environ))  # noqa: S606  the command that was given
