/** Make an element: `properties` are its DOM properties (and `dataset`, `attributes`), children are texts or elements. */
export function make(tag, { dataset = {}, attributes = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, dataset);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Show `items` in `list`, newest first: one element per id, which `draw(item)` makes. An element is replaced only when
 * its item has changed, so what is new can be told by its class.
 */
export function showList(list, items, draw) {
  const before = new Map([...list.children].map((element) => [element.dataset.id, element]));
  const isFirst = before.size === 0;
  const elements = items.map((item) => {
    const text = JSON.stringify(item);
    const old = before.get(String(item.id));
    if (old?.dataset.text === text) return old;
    const element = draw(item);
    Object.assign(element.dataset, { id: item.id, text });
    if (!old && !isFirst) element.classList.add("is-new");
    if (old && old.dataset.state !== element.dataset.state) element.classList.add("is-changed");
    return element;
  });
  if (elements.some((element, place) => element !== list.children[place]) || list.children.length !== elements.length) {
    list.replaceChildren(...elements);
  }
}

/** Set the text of an element only if it differs, so that screen readers say nothing twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
