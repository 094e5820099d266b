const element = document.getElementById("swagger-ui");

/** Follow the system: Swagger UI has colours for dark screens, which it uses where the root has a class. */
const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

/** Show the names in the headings as text: links within their buttons would keep users of screen readers out. */
const plainNames = () => ({
  wrapComponents: {
    DeepLink: (_, { React }) => ({ text }) => React.createElement("span", {}, text),
  },
});

/** Swagger UI gives some controls no name, leaves long examples to the mouse, and makes more of them as one reads. */
const MISSING = [
  ["textarea:not([aria-label])", "aria-label", "Request body"],
  ["select.examples-select-element:not([aria-label])", "aria-label", "Example"],
  ["pre.microlight:not([tabindex])", "tabindex", "0"],
];
new MutationObserver(() => {
  for (const [selector, attribute, value] of MISSING) {
    for (const found of element.querySelectorAll(selector)) found.setAttribute(attribute, value);
  }
}).observe(element, { childList: true, subtree: true });

/** The document names one server, its own: there is nothing to choose, and the list would have no name. */
const withoutServers = () => ({ wrapComponents: { ServersContainer: () => () => null } });

SwaggerUIBundle({
  url: element.dataset.url,
  domNode: element,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [plainNames, withoutServers],
  layout: "BaseLayout",
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
