const element = document.getElementById("swagger-ui");

/** Show the names in the headings as text: links within their buttons would keep users of screen readers out. */
const plainNames = () => ({
  wrapComponents: {
    DeepLink: (_, { React }) => ({ text }) => React.createElement("span", {}, text),
  },
});

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
