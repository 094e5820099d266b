const element = document.getElementById("redoc");
const CODE = "#9b1c1c"; // dark enough to be read (WCAG 2.2, 1.4.3): 6.7:1 where ReDoc's own red is 3.5:1

Redoc.init(
  element.dataset.url,
  {
    disableSearch: false,
    hideDownloadButton: false,
    scrollYOffset: () => document.querySelector("header").offsetHeight,
    theme: { typography: { fontFamily: "inherit", headings: { fontFamily: "inherit" }, code: { color: CODE } } },
  },
  element,
);

/* ReDoc gives its lists of examples no name, and makes more of them as one reads. */
new MutationObserver(() => {
  for (const list of element.querySelectorAll("select:not([aria-label])")) list.setAttribute("aria-label", "Example");
}).observe(element, { childList: true, subtree: true });
