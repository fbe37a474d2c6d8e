/** What the API said when it did not say yes. */
export class ApiError extends Error {
  constructor(path, status, detail) {
    super(`${path} answered ${status}${detail ? `: ${detail}` : ""}`);
    this.name = "ApiError";
    this.status = status;
  }
}

/** A refusal stays a refusal; only the server's own trouble, or the network's, may pass. */
export function isWorthRetrying(error) {
  return !(error instanceof ApiError) || error.status >= 500 || error.status === 429;
}

async function ask(path, init) {
  const response = await fetch(`/api${path}`, init);
  if (!response.ok) throw new ApiError(path, response.status, await problemOf(response));
  if (!response.headers.get("content-type")?.includes("json")) {
    throw new ApiError(path, response.status, "not JSON");
  }
  return response.json();
}

async function problemOf(response) {
  try {
    return (await response.json()).error ?? "";
  } catch {
    return "";
  }
}

export function products({ signal } = {}) {
  return ask("/products", { signal });
}

export function product(id, { signal } = {}) {
  return ask(`/products/${encodeURIComponent(id)}`, { signal });
}

export function placeOrder(lines) {
  return ask("/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ lines }),
  });
}

/** What the cache that is closest to us did for an answer: "hit", "stale", or why it asked the API (RFC 9211). */
export function cacheState(response) {
  const said = response.headers.get("cache-status") ?? "";
  // A key in quotes may hold commas and anything else.
  const [, ...parameters] = said.replace(/"(?:[^"\\]|\\.)*"/g, "").split(",").at(-1).split(";").map((part) => part.trim());
  const value = (name) => parameters.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
  if (parameters.includes("hit")) return Number(value("ttl")) < 0 ? "stale" : "hit";
  return value("fwd") ?? "";
}

/** Calls `onStock({ id, stock })` for every change of stock; returns a function that stops it. */
export function watchStock(onStock) {
  const source = new EventSource("/api/events");
  source.addEventListener("stock", (event) => onStock(JSON.parse(event.data)));
  return () => source.close();
}
