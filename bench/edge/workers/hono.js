// A usual Hono application that serves the same files from memory with the same fields, with its etag middleware.
import { Hono } from "hono";
import { etag } from "hono/etag";
import { requestId } from "hono/request-id";

const kept = new Map();
const app = new Hono();
app.use(etag());
app.use(requestId());
app.get("/assets/*", async (c) => {
  const encoded = c.req.header("accept-encoding")?.includes("br");
  const path = c.req.path + (encoded ? ".br" : "");
  let body = kept.get(path);
  if (body === undefined) {
    const response = await c.env.ASSETS.fetch("http://assets" + path);
    if (response.status !== 200) return c.notFound();
    body = new Uint8Array(await response.arrayBuffer());
    kept.set(path, body);
  }
  const headers = {
    "content-type": "text/javascript; charset=utf-8",
    "content-length": String(body.length),
    vary: "accept-encoding",
    "accept-ranges": "bytes",
    "cache-control": "public, max-age=31536000, immutable",
    "cloudflare-cdn-cache-control": "no-store",
    "cache-status": "rimward; hit; detail=release",
    "server-timing": "edge;dur=0",
    "x-request-id": c.get("requestId"),
    "x-content-type-options": "nosniff",
  };
  if (encoded) headers["content-encoding"] = "br";
  return new Response(body, { headers, encodeBody: "manual" });
});
export default app;
