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
# A line of `pip config list`. Of the places, a later one counts more.
_SETTING: Final = re.compile(r"^(global|user|site|install|:env:)\.(index-url|proxy|cert)='(.*)'$", re.MULTILINE)
_PLACES: Final = ("global", "user", "site", "install", ":env:")


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
    command = [python, "-m", "pip", "config", "list"]
    try:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout  # noqa: S603  pip
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    settings = sorted(_SETTING.findall(said), key=lambda setting: _PLACES.index(setting[0]))
    return {name: value for _, name, value in settings} | {name: value for name, value in named.items() if value}


def _has_file(environment: Mapping[str, str]) -> bool:
    """Say whether uv has a file of settings (https://docs.astral.sh/uv/concepts/configuration-files/)."""
    home = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    systems = [*(environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), "/etc"]
    return any(Path(folder, "uv", "uv.toml").exists() for folder in (home, *systems))


if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], variables_for_uv(os.environ))  # noqa: S606  the command that was given
