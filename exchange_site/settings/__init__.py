"""The settings: Django's own as single names, the project's in groups, such as `settings.RISK.max_orders`.

Derived from `exchange_site.configuration`; nothing here reads the environment.
"""

from exchange_site.settings.accounts import *
from exchange_site.settings.database import *
from exchange_site.settings.groups import *
from exchange_site.settings.jobs import *
from exchange_site.settings.logs import *
from exchange_site.settings.mail import *
from exchange_site.settings.security import *
from exchange_site.settings.web import *
