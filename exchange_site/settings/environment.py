"""The environment of this process, read once. A process whose configuration is refused ends here."""

import os
from typing import Final

from exchange_site.configuration import Configuration

# The name is in lower case, so that Django does not take it for a setting.
configuration: Final = Configuration.read_or_exit(os.environ)
