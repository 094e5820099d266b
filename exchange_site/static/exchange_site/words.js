/* States of orders and purchases in words for people; the colours belong to the kinds (pages.css). */
const ORDERS = {
  pending: ["waiting", "is to be bought at once"],
  aggregated: ["pooled", "waits in its pool"],
  held: ["held", "staff look at it"],
  settling: ["settling", "is being bought"],
  completed: ["completed", "the coins are in the wallet"],
  refunded: ["refunded", "the dollars are back"],
  cancelled: ["cancelled", "the dollars are back"],
};

export const wordOf = (state) => ORDERS[state]?.[0] ?? state;
export const meaningOf = (state) => ORDERS[state]?.[1] ?? "";
export const hasEnded = (state) => ["completed", "refunded", "cancelled"].includes(state);

/** A purchase's state, as its kind of badge and its word. */
export function purchaseWords({ state, lookups }) {
  if (state === "filled") return lookups > 0 ? ["found", "lost answer found"] : ["completed", "bought"];
  if (state === "sent") return lookups > 0 ? ["lost", "answer lost, asking"] : ["settling", "sent"];
  if (state === "new") return ["pooled", "about to be sent"];
  if (state === "refused") return ["refunded", "refused by the venue"];
  if (state === "empty") return ["pooled", "nothing bought"];
  if (state === "not_placed") return ["pooled", "not placed"];
  return [state === "parked" ? "held" : "pooled", state];
}
