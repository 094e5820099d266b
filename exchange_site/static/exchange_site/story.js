import { make, setText, showList } from "./dom.js";
import { clock, coins, dollars, seconds } from "./format.js";
import { poll } from "./polling.js";
import { isMagic } from "./prices.js";
import { hasEnded, purchaseWords, wordOf } from "./words.js";

/** Show what happens in the sandbox: figures, pools, orders, purchases. */
export function showStory(section) {
  const part = (name) => section.querySelector(`[data-part="${name}"]`);
  const announce = makeAnnouncer(part("announcement"));

  poll(section.dataset.url, {
    seconds: 1,
    say: (text) => setText(part("trouble"), text),
    show(story) {
      showFigures(part, story);
      const pools = story.pools.filter((pool) => Number(pool.total) > 0 || !isMagic(pool));
      showList(part("pools"), pools.map((pool) => ({ id: pool.crypto, threshold: story.threshold, ...pool })), drawPool);
      showList(part("orders"), story.orders, drawOrder);
      showList(part("purchases"), keepFound(story.purchases, story.found), drawPurchase);
      part("no-orders").hidden = story.orders.length > 0;
      part("no-purchases").hidden = story.purchases.length > 0;
      announce(story);
    },
  });
}

function showFigures(part, { figures, open, ledger }) {
  const waiting = Object.values(open).reduce((sum, count) => sum + count, 0);
  setText(part("settled"), String(figures.orders_settled));
  setText(part("settled-note"), `in ${figures.purchases} purchases · ${waiting} open`);
  setText(part("found-count"), String(figures.found_by_lookup));
  setText(part("ledger"), dollars(ledger.sum));
  const balances = Number(ledger.sum) === 0;
  part("ledger").closest(".figure-card").classList.toggle("is-wrong", !balances);
  setText(part("ledger-note"), balances ? `balances, over ${ledger.movements} movements` : "does not balance");
  setText(part("clearing"), dollars(ledger.changes.clearing ?? "0"));
}

/** The newest purchases, and at the end the one that a lookup found last, if it is older. */
function keepFound(purchases, found) {
  const known = new Set(purchases.map(({ id }) => id));
  const older = found.filter(({ id }) => !known.has(id)).slice(0, 1);
  return [...purchases.slice(0, purchases.length - older.length), ...older];
}

function drawPool({ crypto, total, threshold }) {
  const isFull = Number(total) >= Number(threshold);
  return make(
    "li",
    { dataset: { state: isFull ? "full" : "filling" } },
    make("span", { className: "name" }, crypto),
    make("progress", {
      max: Number(threshold),
      value: Math.min(Number(total), Number(threshold)),
      ariaLabel: `Pool of ${crypto}: ${dollars(total)} of ${dollars(threshold)}`,
    }),
    make("span", { className: "figure" }, dollars(total)),
  );
}

function drawOrder({ id, crypto, amount, total_price, state, created_at, ended_at }) {
  const note = hasEnded(state) ? `after ${seconds(created_at, ended_at)}` : clock(created_at);
  return make(
    "li",
    { dataset: { state } },
    make("span", { className: "name" }, crypto),
    make("span", { className: "soft" }, `${coins(amount)} · order ${id}`),
    make("span", { className: "figure" }, dollars(total_price)),
    make("span", { className: `badge ${state}` }, wordOf(state)),
    make("span", { className: "soft time" }, note),
  );
}

function drawPurchase(purchase) {
  const { crypto, orders, amount, cost, state, created_at, ended_at } = purchase;
  const [kind, word] = purchaseWords(purchase);
  const what = state === "filled" ? `${coins(amount)} for ` : "";
  return make(
    "li",
    { dataset: { state: kind } },
    make("span", { className: "name" }, crypto),
    make("span", { className: "soft" }, `${what}${orders === 1 ? "1 order" : `${orders} orders`}`),
    make("span", { className: "figure" }, state === "filled" ? dollars(cost) : "–"),
    make("span", { className: `badge ${kind}` }, word),
    make("span", { className: "soft time" }, ended_at ? `after ${seconds(created_at, ended_at)}` : clock(created_at)),
  );
}

/**
 * Return a function that announces purchases that were found since its first call: earlier ones are no news. One that
 * was sent before another may be found after it, so the time decides instead of the id.
 */
function makeAnnouncer(element) {
  const told = new Set();
  let began = null;
  return ({ at, found }) => {
    began ??= Date.parse(at);
    const news = found.filter((each) => Date.parse(each.ended_at) > began && !told.has(nameOf(each)));
    if (news.length) setText(element, news.map(sentenceOf).join(" "));
    for (const each of news) told.add(nameOf(each));
  };
}

const nameOf = ({ id, ended_at }) => `${id} ${ended_at}`;
const sentenceOf = ({ id, crypto }) => `The lost answer to purchase ${id}, of ${crypto}, was found.`;
