"""The environment of this process, read once."""

import os
from typing import Final

from exchange_site.configuration import Configuration

# In small letters, so that Django takes it for no setting.
configuration: Final = Configuration.read(os.environ)
