import { make, setText } from "./dom.js";
import { price } from "./format.js";
import { poll } from "./polling.js";

const UNAVAILABLE = {
  price_unavailable: "no price",
  not_trading: "market closed",
  suspended: "suspended",
  sales_stopped: "sales stopped",
  closed: "closed",
};

/** The titles of a sandbox's magic coins, which show what can go wrong, begin so. They are no part of the list of prices. */
export const isMagic = (coin) => coin.title.startsWith("Sandbox: ");

/** Show the public list of coins, and hand each list to `tell`. */
export function showPrices(section, tell) {
  const body = section.querySelector("tbody");
  const trouble = section.querySelector(".trouble");
  const first = new Map();

  poll(section.dataset.url, {
    seconds: 3,
    say: (text) => setText(trouble, text),
    show(coins) {
      for (const coin of coins) if (coin.price && !first.has(coin.name)) first.set(coin.name, coin.price);
      const real = coins.filter((coin) => !isMagic(coin));
      body.replaceChildren(...real.map((coin) => row(coin, first.get(coin.name))));
      tell(coins);
    },
  });
}

function row(coin, before) {
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, make("strong", {}, coin.name), make("span", { className: "soft" }, coin.title)),
    make("td", { className: "figure" }, coin.price ? price(coin.price) : "–"),
    make("td", { className: "figure" }, movement(coin.price, before)),
    make("td", {}, badge(coin)),
  );
}

/** How far the price has moved since the page was opened, in words, a sign and a colour. */
function movement(now, before) {
  const change = now && before ? Number(now) / Number(before) - 1 : 0;
  if (Math.abs(change) < 0.00005) return make("span", { className: "soft" }, "steady");
  const [kind, sign, word] = change > 0 ? ["up", "▲", "up"] : ["down", "▼", "down"];
  const percent = `${Math.abs(change * 100).toFixed(2)} %`;
  return make("span", { className: kind }, make("span", { ariaHidden: "true" }, `${sign} `), `${word} ${percent}`);
}

function badge(coin) {
  return coin.is_available
    ? make("span", { className: "badge completed" }, "on sale")
    : make("span", { className: "badge held" }, UNAVAILABLE[coin.unavailable_reason] ?? "not on sale");
}
