import { make } from "./dom.js";

/** A call that was refused: status, the problem's sentence and code, and the seconds until the next try, if it has them. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.code = problem?.code;
    this.retryAfter = retryAfter;
  }
}

/** Call the API. Return the request and its answer; `exchange.curl` is the same request for a terminal. */
export async function call(method, path, { token, body, key } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = key;
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const exchange = {
    method,
    path,
    body,
    status: answer.status,
    answer: await answer.json().catch(() => null),
    curl: asCurl(method, path, headers, body),
  };
  return { exchange, ok: answer.ok, retryAfter: Number(answer.headers.get("Retry-After")) || 0 };
}

export const newKey = () => `${Date.now()}-${randomText(8)}`;

export function randomText(length) {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  return [...crypto.getRandomValues(new Uint8Array(length))].map((byte) => letters[byte % letters.length]).join("");
}

function asCurl(method, path, headers, body) {
  const lines = [`curl${method === "GET" ? "" : ` -X ${method}`} ${location.origin}${path}`];
  for (const [name, value] of Object.entries(headers)) {
    if (name === "Accept") continue;
    lines.push(name === "Authorization" ? `-H "Authorization: Bearer $TOKEN"` : `-H '${name}: ${value}'`);
  }
  if (body) lines.push(`-d '${JSON.stringify(body)}'`);
  return lines.join(" \\\n  ");
}

/** Show an exchange: the request as curl, with a button that copies it, and the answer. */
export function drawExchange({ status, answer, curl }) {
  return make(
    "div",
    { className: "exchange" },
    code("Request", curl, copyButton("Copy the request", curl)),
    code(`Answer ${status}`, JSON.stringify(shortened(answer), null, 2)),
  );
}

export function copyButton(label, text) {
  const button = make("button", { type: "button", className: "copy", ariaLabel: label }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text)) ? "Copied" : "Not copied";
    button.focus();
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

/** Copy a text, and say whether that worked. Over plain HTTP, browsers have a clipboard only for what is selected. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const field = make("textarea", { className: "only-heard", readOnly: true, value: text });
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}

function code(title, text, button = null) {
  const block = make("pre", { tabIndex: 0, attributes: { "aria-label": title, role: "region" } }, make("code", {}, text));
  return make("div", { className: "code" }, make("p", { className: "code-title" }, title, button), block);
}

/** Tokens are long and say nothing to people. */
function shortened(answer) {
  if (!answer?.access) return answer;
  return { access: `${answer.access.slice(0, 12)}…`, refresh: `${answer.refresh.slice(0, 12)}…` };
}
