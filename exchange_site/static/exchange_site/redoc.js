const element = document.getElementById("redoc");
Redoc.init(
  element.dataset.url,
  {
    disableSearch: false,
    hideDownloadButton: false,
    scrollYOffset: () => document.querySelector("header").offsetHeight,
    theme: { typography: { fontFamily: "inherit", headings: { fontFamily: "inherit" } } },
  },
  element,
);
