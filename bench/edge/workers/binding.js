// The platform's own limit, a binding of the Worker, before 10 KB from memory.
const body = "a".repeat(10240);
const headers = { "content-type": "application/json", "cache-control": "max-age=36000" };

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const limiter = pathname === "/admitted/x" ? env.MANY : pathname === "/refused/x" ? env.NONE : undefined;
    if (limiter !== undefined) {
      const { success } = await limiter.limit({ key: request.headers.get("cf-connecting-ip") ?? "somebody" });
      if (!success) return new Response("too many requests", { status: 429, headers: { "retry-after": "60" } });
    }
    return new Response(body, { headers });
  },
};
