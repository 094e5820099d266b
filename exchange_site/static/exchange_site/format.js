/* Amounts are strings and stay exact: Intl.NumberFormat formats decimal strings without making floats of them. */
const DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const COINS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 8 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const dollars = (text) => DOLLARS.format(text);
export const coins = (text) => COINS.format(text);
export const clock = (text) => CLOCK.format(new Date(text));

/** A price with at least two places, and more the smaller it is. */
export function price(text) {
  const [whole, places = ""] = text.split(".");
  const most = whole.length > 3 ? 2 : whole === "0" ? 6 : 4;
  const kept = places.slice(0, most).replace(/0+$/, "").padEnd(2, "0");
  return `$${COINS.format(whole)}.${kept}`;
}

/** The seconds between two times, as `0.42 s`. */
export function seconds(from, to) {
  const passed = (new Date(to) - new Date(from)) / 1000;
  return passed < 10 ? `${passed.toFixed(2)} s` : `${Math.round(passed)} s`;
}
