// A Hono application that limits with hono-rate-limiter, which counts in the memory of the isolate.
import { Hono } from "hono";
import { rateLimiter } from "hono-rate-limiter";

const body = "a".repeat(10240);
const headers = { "content-type": "application/json", "cache-control": "max-age=36000" };

// Its store sets a timer, which the platform allows within a request alone.
function limited(limit) {
  const keyGenerator = (c) => c.req.header("cf-connecting-ip") ?? "somebody";
  let limiter;
  return (c, next) => {
    limiter ??= rateLimiter({ windowMs: 3_600_000, limit, standardHeaders: "draft-7", keyGenerator });
    return limiter(c, next);
  };
}

const app = new Hono();
app.use("/admitted/*", limited(1_000_000_000));
app.use("/refused/*", limited(0));
app.get("/*", (c) => c.body(body, 200, headers));
export default app;
