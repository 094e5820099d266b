import re
from typing import Any, Final

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from exchange_site.admin.to_do import Group, summarise_to_do

register = template.Library()

_CODE: Final = re.compile("`([^`]+)`")


@register.filter
def with_code(text: str) -> SafeString:
    """Return a sentence in HTML, with what stands between backticks as code."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308  escaped


@register.simple_tag(takes_context=True)
def to_do_groups(context: dict[str, Any]) -> list[Group] | None:
    """Return the groups of the to-do page, or None if the user may not see it."""
    return summarise_to_do(user=context["request"].user)
