import { call, copyButton, drawExchange, newKey, randomText, Refused } from "./calls.js";
import { make, setText } from "./dom.js";
import { clock, coins, dollars } from "./format.js";
import { isMagic } from "./prices.js";
import { hasEnded, meaningOf, wordOf } from "./words.js";

const API = "/api/v1/";
const DEPOSIT = "100.00";
const USED_UP = ["token_invalid", "insufficient_funds"];
const WATCH_SECONDS = [0.4, 0.4, 0.6, 0.8, 1, 1, 1.5, 2, 2, 3];
const MOST_MISSES = 20; // questions in a row that nothing answers, in about a minute

/** Let a visitor place an order in the sandbox: register, deposit, buy, watch it settle, look at the coins. */
export class FirstOrder {
  constructor(section) {
    this.form = section.querySelector("form");
    this.steps = section.querySelector(".steps");
    this.customerBox = section.querySelector(".customer");
    this.status = section.querySelector("[role=status]");
    this.hint = section.querySelector(".hint");
    this.threshold = section.dataset.threshold;
    this.customer = null;
    this.unanswered = null; // an order of which nobody knows whether it was placed: its text and its key
    this.isBusy = false;
    this.whatMagicCoinsDo = new Map();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
    this.form.addEventListener("input", () => this.showHint());
    this.showHint();
  }

  /** Offer the coins that are on sale, and after them those which show what can go wrong. */
  offer(list) {
    const [real, magic] = [false, true].map((kind) => list.filter((coin) => coin.is_available && isMagic(coin) === kind));
    const names = [...real, ...magic].map((coin) => coin.name);
    const select = this.form.crypto;
    if ([...select.options].map((option) => option.value).join() === names.join()) return;
    const chosen = select.value;
    const option = ({ name }) => make("option", { value: name, selected: name === chosen }, name);
    const apart = magic.length ? [make("optgroup", { label: "What can go wrong" }, ...magic.map(option))] : [];
    select.replaceChildren(...real.map(option), ...apart);
    this.whatMagicCoinsDo = new Map(magic.map(({ name, title }) => [name, title.split(": ").at(-1)]));
    this.showHint();
  }

  async begin() {
    if (this.isBusy) return;
    this.setBusy(true);
    this.steps.replaceChildren();
    try {
      await this.play();
    } catch (error) {
      if (error.status < 500 && !error.retryAfter) this.unanswered = null; // "try later" tells nothing of an earlier try
      this.say(error instanceof Refused ? waiting(error) : this.silence(), "refunded");
      if (USED_UP.includes(error.code)) this.customer = null; // the next order is another customer's
    } finally {
      this.setBusy(false);
    }
  }

  /** Mark the button, and leave it the focus, which a disabled one would lose. */
  setBusy(isBusy) {
    const button = this.form.querySelector("button");
    const next = this.customer?.hasOrdered ? "Place another order" : "Place the order";
    this.isBusy = isBusy;
    button.setAttribute("aria-disabled", isBusy);
    if (!isBusy) button.textContent = this.unanswered ? "Try again" : next;
  }

  silence() {
    const again = this.unanswered ? "Try again: the order is sent under the same key, so it is placed once." : "Try again.";
    return `The service does not answer. ${again}`;
  }

  async play() {
    if (!this.customer) await this.register();
    if (!this.customer.hasPaidIn) await this.deposit();
    const order = await this.place();
    this.say(`Order ${order.id} is placed. Watching it settle.`, order.state);
    const last = await this.watch(order);
    await this.step("See your coins", "GET", "accounts/holdings/");
    this.say(this.outcome(last), last.state);
  }

  async register() {
    const customer = { username: `sandbox-${randomText(8)}`, password: randomText(16) };
    const tokens = await this.step("Register", "POST", "accounts/auth/register/", { body: customer });
    this.customer = { ...customer, token: tokens.access, depositKey: newKey(), hasPaidIn: false };
    this.showCustomer();
  }

  async deposit() {
    const key = this.customer.depositKey;
    await this.step("Deposit", "PATCH", "accounts/wallet/deposit/", { body: { amount: DEPOSIT }, key });
    this.customer.hasPaidIn = true;
  }

  /** Place the order of the form. One that nothing has answered is sent again under its key. */
  async place() {
    const body = { crypto: this.form.crypto.value, total: this.form.total.value.trim() };
    const text = JSON.stringify(body);
    if (this.unanswered?.text !== text) this.unanswered = { text, key: newKey() };
    const order = await this.step("Buy", "POST", "orders/", { body, key: this.unanswered.key });
    this.unanswered = null;
    this.customer.hasOrdered = true;
    return order;
  }

  /** Ask for the order until it has ended, in one step whose answer changes. One that is pooled or held may stay so. */
  async watch(order) {
    const step = this.addStep("Watch it settle", "GET", `orders/${order.id}/`);
    for (let asked = 0; !hasEnded(order.state); asked += 1) {
      if (["aggregated", "held"].includes(order.state) && asked >= WATCH_SECONDS.length) break;
      const last = WATCH_SECONDS.length - 1;
      await new Promise((done) => setTimeout(done, WATCH_SECONDS[Math.min(asked, last)] * 1000));
      order = await this.ask(step, order);
      this.say(`Order ${order.id}: ${wordOf(order.state)}, ${meaningOf(order.state)}.`, order.state);
    }
    return hasEnded(order.state) ? this.ask(step, order) : order;
  }

  /** Ask for an order until an answer comes: a service that starts again meanwhile has not lost the order. */
  async ask(step, { id, state }) {
    for (let missed = 1; ; missed += 1) {
      try {
        return await this.send(step, "GET", `orders/${id}/`);
      } catch (error) {
        if (error.status < 500 && !error.retryAfter) throw error;
        if (missed === MOST_MISSES) throw new Refused(0, { detail: `Order ${id} is placed, but the service answers no more.` });
        const why = error instanceof Refused ? error.message : "The service does not answer.";
        this.say(`${why} Asking for order ${id} again.`, state);
        await new Promise((done) => setTimeout(done, (error.retryAfter || WATCH_SECONDS.at(-1)) * 1000));
      }
    }
  }

  step(title, method, path, options = {}) {
    return this.send(this.addStep(title, method, path), method, path, options);
  }

  addStep(title, method, path) {
    const step = make(
      "li",
      { className: "is-open" },
      make("details", {}, make("summary", {}, make("strong", {}, title), make("code", {}, `${method} ${path}`))),
    );
    this.steps.append(step);
    return step;
  }

  /** Make a step's call and show it. Raises Refused. */
  async send(step, method, path, options = {}) {
    const { exchange, ok, retryAfter } = await call(method, API + path, { token: this.customer?.token, ...options });
    step.className = ok ? "is-done" : "is-refused";
    const summary = step.querySelector("summary");
    summary.querySelector(".badge")?.remove();
    summary.append(make("span", { className: `badge ${ok ? "completed" : "refunded"}` }, `${exchange.status}`));
    step.querySelector(".exchange")?.remove();
    step.querySelector("details").append(drawExchange(exchange));
    if (!ok) step.querySelector("details").open = true;
    if (!ok) throw new Refused(exchange.status, exchange.answer, retryAfter);
    return exchange.answer;
  }

  showCustomer() {
    const { username, password, token } = this.customer;
    this.customerBox.hidden = false;
    this.customerBox.replaceChildren(
      make("div", {}, make("dt", {}, "Customer"), make("dd", {}, username)),
      make("div", {}, make("dt", {}, "Password"), make("dd", {}, password)),
      make("div", {}, make("dt", {}, "Access token"), make("dd", {}, copyButton("Copy as TOKEN=…", `TOKEN=${token}`))),
    );
  }

  showHint() {
    const total = Number(this.form.total.value);
    const isPooled = total > 0 && total < Number(this.threshold);
    const line = dollars(this.threshold);
    const does = this.whatMagicCoinsDo.get(this.form.crypto.value);
    const hint = isPooled ? `Below ${line}: it waits in its pool.` : `From ${line} on: it is bought at once.`;
    setText(this.hint, does ? `A magic coin: ${does}.` : hint);
  }

  outcome(order) {
    if (order.state === "completed") return `Done: you have bought ${coins(order.amount)} ${order.crypto}.`;
    if (order.state === "refunded") return `The order was refunded: ${order.reason}.`;
    if (order.state === "held") return "It is held until staff decide: see Reviews in the admin.";
    const { total, threshold, settle_by } = order.pool ?? { total: "0", threshold: this.threshold };
    const until = settle_by ? `, by ${clock(settle_by)} at the latest` : "";
    return `It waits in its pool: ${dollars(total)} of ${dollars(threshold)}${until}. Place another one to fill it.`;
  }

  say(text, state) {
    setText(this.status, text);
    this.status.dataset.state = state;
  }
}

/** Say when to try again, unless the problem's sentence says so already. */
function waiting({ message, retryAfter }) {
  if (!retryAfter || message.includes("Try again in")) return message;
  return `${message.replace(/ Try again\.$/, "")} Try again in ${retryAfter} s.`;
}
