from typing import Any

from django import template

from exchange_site.admin.to_do import Group, summarise_to_do

register = template.Library()


@register.simple_tag(takes_context=True)
def to_do_groups(context: dict[str, Any]) -> list[Group] | None:
    """Return the groups of the to-do page, or None if the user may not see it."""
    return summarise_to_do(user=context["request"].user)
