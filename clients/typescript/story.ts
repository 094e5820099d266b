// The first hour of a program: `node story.js BASE_URL`, where BASE_URL is the service's, without `/api/v1`.
// It ends with status 0 if every answer was as described, and prints the coins that the customer holds.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Order = components["schemas"]["OrderAnswer"];
type Problem = components["schemas"]["Problem"];

const baseUrl = process.argv[2] ?? "http://localhost:8000";
const FINAL: ReadonlySet<Order["state"]> = new Set<Order["state"]>(["completed", "refunded", "cancelled"]);

class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
  }
}

/** Return the body of an answer, or throw its problem. */
function taken<Body>(answer: { data?: Body; error?: Problem }): Body {
  if (answer.error !== undefined) throw new Refused(answer.error);
  if (answer.data === undefined) throw new Error("The answer has no body.");
  return answer.data;
}

function expect(isTrue: boolean, sentence: string): asserts isTrue {
  if (!isTrue) throw new Error(sentence);
}

async function signUp() {
  const username = `story-${randomUUID()}`;
  const stranger = createClient<paths>({ baseUrl });
  const body = { username, password: "correct horse battery" };
  const { access } = taken(await stranger.POST("/api/v1/accounts/auth/register/", { body }));
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${access}` } });
}

type Client = Awaited<ReturnType<typeof signUp>>;

async function deposit(client: Client, amount: string) {
  const params = { header: { "Idempotency-Key": randomUUID() } };
  return taken(await client.PATCH("/api/v1/accounts/wallet/deposit/", { params, body: { amount } }));
}

async function placeTwice(client: Client, quote: string) {
  const params = { header: { "Idempotency-Key": randomUUID() } };
  const first = taken(await client.POST("/api/v1/orders/", { params, body: { quote } }));
  const again = await client.POST("/api/v1/orders/", { params, body: { quote } });
  expect(taken(again).id === first.id, "The repeated request made another order.");
  expect(again.response.headers.get("Idempotent-Replayed") === "true", "The answer does not say that it is a repetition.");
  return first;
}

/** Return the order when it has ended, or as it is after two minutes. Each answer comes when the state changes. */
async function waitFor(client: Client, order: Order): Promise<Order> {
  const params = { path: { order_id: order.id }, query: { wait: 20 } };
  const end = Date.now() + 120_000;
  while (!FINAL.has(order.state) && Date.now() < end) {
    order = taken(await client.GET("/api/v1/orders/{order_id}/", { params }));
  }
  return order;
}

async function heldCoins(client: Client) {
  const params = { query: { envelope: true } };
  const page = taken(await client.GET("/api/v1/accounts/holdings/", { params }));
  if (Array.isArray(page)) throw new Error("The answer is not a page, although a page was asked for.");
  return page.items;
}

async function orderTooMuch(client: Client) {
  const { error } = await client.POST("/api/v1/orders/", { body: { crypto: "ABAN", amount: "1000" } });
  expect(error?.code === "insufficient_funds", `Expected insufficient_funds, not ${error?.code}.`);
}

const client = await signUp();
expect((await deposit(client, "100.00")).balance === "100.00", "The deposit is not in the wallet.");
const quoteBody = { crypto: "ABAN", amount: "3" };
const quote = taken(await client.POST("/api/v1/quotes/", { body: quoteBody }));
const order = await waitFor(client, await placeTwice(client, quote.quote));
expect(order.state === "completed", `The order is ${order.state}.`);
expect(order.total_price === quote.total_price, "The order cost something else than was quoted.");
const [holding] = await heldCoins(client);
expect(holding?.crypto === "ABAN" && holding.amount === "3.00000000", "The coins are not among the holdings.");
await orderTooMuch(client);
console.log(`${holding.crypto} ${holding.amount}`);
