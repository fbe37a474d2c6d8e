// The shop's API, for the demo and the tests: `node api.mjs [--port N] [--host ADDRESS]`, or PORT and HOST.
// It needs nothing but Node.js, and several of them say the same: whichever of them is asked, and whichever is killed, is the same
// to whoever asks. Port 0 takes a free one; the address is printed when it listens.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { pipeline } from "node:stream";
import { catalogue } from "./api/catalogue.mjs";
import { upgrade } from "./api/socket.mjs";

/** Orders larger than this are refused. */
const ORDER_LIMIT_BYTES = 64 * 1024;
/** The longest that /api/slow waits. */
const SLOW_LIMIT_MS = 60_000;

/** What is ordered anew when little is left. */
const FULL_STOCK = 24;
/** What counts as little. */
const LOW_STOCK = 3;

const products = catalogue;

const routes = [
  ["GET", /^\/healthz$/, health],
  ["GET", /^\/api\/products$/, listProducts],
  ["GET", /^\/api\/products\/([^/]+)$/, oneProduct],
  ["POST", /^\/api\/orders$/, placeOrder],
  ["POST", /^\/api\/login$/, logIn],
  ["GET", /^\/api\/events$/, events],
  ["*", /^\/api\/echo$/, echo],
  ["GET", /^\/api\/slow$/, slow],
  ["*", /^\/api\/status\/(\d+)$/, status],
  ["*", /^\/api\/headers$/, headers],
];

function answer(request, response) {
  const target = `http://api.invalid${request.url}`;
  if (!URL.canParse(target)) return json(response, 400, { error: "the target is no URL" });
  const url = new URL(target);
  const matching = routes.filter(([, path]) => path.test(url.pathname));
  if (matching.length === 0) return json(response, 404, { error: `there is no ${url.pathname}` });
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = matching.find(([allowed]) => allowed === "*" || allowed === method);
  if (!route) {
    response.setHeader("Allow", matching.map(([allowed]) => (allowed === "GET" ? "GET, HEAD" : allowed)).join(", "));
    return json(response, 405, { error: `${url.pathname} does not take ${request.method}` });
  }
  const [, path, handle] = route;
  return handle(request, response, url, path.exec(url.pathname)[1]);
}

function json(response, code, value, fields = {}) {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(code, {
    "Content-Type": "application/json",
    "Content-Length": body.length,
    "Cache-Control": "no-store",
    ...fields,
  });
  response.end(body);
}

/**
 * JSON that browsers revalidate, and that caches in between keep: those can be told when it has changed. They may serve it
 * for another minute while they ask for it anew, and for a day while nobody answers here.
 */
function cacheable(request, response, value, tags) {
  const digest = createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 16);
  const fields = {
    "Cache-Control": "no-cache",
    "CDN-Cache-Control": "max-age=10, stale-while-revalidate=60, stale-if-error=86400",
    "Cache-Tag": tags.join(","),
    ETag: `"${digest}"`,
  };
  const known = (request.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (!known.includes(fields.ETag)) return json(response, 200, value, fields);
  response.writeHead(304, fields);
  return response.end();
}

function health(_request, response) {
  json(response, 200, { ok: true });
}

/** The list leaves out what only a product's own page shows. */
function listProducts(request, response) {
  const list = products.map(({ history: _, reviews: __, ...shown }) => shown);
  cacheable(request, response, list, ["products"]);
}

function oneProduct(request, response, _url, id) {
  const product = products.find((candidate) => candidate.id === id);
  if (!product) return json(response, 404, { error: `there is no product ${id}` });
  return cacheable(request, response, product, ["products", `product-${id}`]);
}

async function placeOrder(request, response) {
  const order = await bodyOf(request, ORDER_LIMIT_BYTES).then(JSON.parse).catch(() => null);
  const lines = Array.isArray(order?.lines) ? order.lines : [];
  if (lines.length === 0 || !lines.every(isLine)) return json(response, 422, { error: "an order needs lines, each with the id of a product and a count" });
  const id = `H-${randomBytes(4).toString("hex")}`;
  return json(response, 201, { id, lines }, { Location: `/api/orders/${id}` });
}

/** Knows one password. Who may try how often is not decided here. */
async function logIn(request, response) {
  const sent = await bodyOf(request, ORDER_LIMIT_BYTES).then(JSON.parse).catch(() => null);
  if (sent?.password !== "harbour") return json(response, 401, { error: "this is not the password" });
  return json(response, 200, { ok: true });
}

function isLine(line) {
  return Number.isInteger(line?.count) && line.count > 0 && products.some(({ id }) => id === line.id);
}

async function bodyOf(request, limit) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > limit) throw new Error(`more than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** What is left of a product after so many changes: one is sold at a time, and what is nearly gone is filled up. */
function stockAfter(product, changes) {
  if (product.stock === 0) return 0;
  const until = Math.max(0, product.stock - LOW_STOCK);
  if (changes <= until) return product.stock - changes;
  return FULL_STOCK - ((changes - until - 1) % (FULL_STOCK - LOW_STOCK + 1));
}

/**
 * One change of stock at a time, as server-sent events, until the client leaves, or `count` of them; `interval` in ms. What an event
 * says is known by its number: a client that loses this API goes on with another one where it was.
 */
function events(request, response, url) {
  const interval = Math.max(10, Number(url.searchParams.get("interval")) || 2000);
  const count = Number(url.searchParams.get("count")) || Infinity;
  let sent = Number(request.headers["last-event-id"]) || 0;
  const last = sent + count;
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  if (request.method === "HEAD") return response.end();
  response.write("retry: 1000\n\n");
  const timer = setInterval(() => {
    const product = products[sent % products.length];
    const stock = stockAfter(product, Math.floor(sent / products.length) + 1);
    sent += 1;
    response.write(`id: ${sent}\nevent: stock\ndata: ${JSON.stringify({ id: product.id, stock })}\n\n`);
    if (sent >= last) response.end();
  }, interval);
  return response.on("close", () => clearInterval(timer));
}

/** The request's body, byte for byte and as it comes in. */
function echo(request, response) {
  response.writeHead(200, {
    "Content-Type": request.headers["content-type"] ?? "application/octet-stream",
    "Cache-Control": "no-store",
  });
  pipeline(request, response, () => {});
}

function slow(_request, response, url) {
  const ms = Math.min(SLOW_LIMIT_MS, Math.max(0, Number(url.searchParams.get("ms")) || 0));
  const timer = setTimeout(() => json(response, 200, { waited: ms }), ms);
  response.on("close", () => clearTimeout(timer));
}

function status(request, response, _url, text) {
  const code = Number(text);
  if (code < 200 || code > 599) return json(response, 400, { error: `${code} is not a status that a final answer can have` });
  if (code !== 204 && code !== 205 && code !== 304) return json(response, code, { status: code });
  response.writeHead(code, { "Cache-Control": "no-store" });
  return response.end();
}

/** What arrived: the method, the target, and every header line in its order. */
function headers(request, response) {
  const lines = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) lines.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
  json(response, 200, { method: request.method, target: request.url, headers: request.headers, lines });
}

function valueOf(args, name, fallback) {
  const at = args.indexOf(name);
  return at >= 0 ? args[at + 1] : fallback;
}

const args = process.argv.slice(2);
const port = Number(valueOf(args, "--port", process.env.PORT ?? "8790"));
const host = valueOf(args, "--host", process.env.HOST ?? "127.0.0.1");
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`cannot listen on port \`${valueOf(args, "--port", process.env.PORT)}\`: a port is a number up to 65535`);
  process.exit(2);
}

const server = createServer(async (request, response) => {
  try {
    await answer(request, response);
  } catch (error) {
    // One request's trouble must not end the demo.
    console.error(`cannot answer ${request.method} ${request.url}: ${error.stack}`);
    if (response.headersSent) response.destroy();
    else json(response, 500, { error: "the API failed" });
  }
});
server.on("upgrade", (request, socket) => upgrade(request, socket, "/api/ws"));
server.on("error", (error) => {
  console.error(`cannot listen on ${host}:${port}: ${error.message}`);
  process.exit(2);
});
server.listen(port, host, () => console.log(`listening on http://${host}:${server.address().port}`));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
