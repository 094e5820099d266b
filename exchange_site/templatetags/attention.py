from typing import Any

from django import template

from exchange_site.operators import summarise

register = template.Library()


@register.simple_tag(takes_context=True)
def attention_groups(context: dict[str, Any]) -> Any:
    """The groups of the operators' list, None for those who may not see it."""
    return summarise(user=context["request"].user)
