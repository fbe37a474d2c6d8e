// The ten lines that every tutorial has: whatever the platform's cache keeps, for as long as it likes.
export default {
  async fetch(request, env, ctx) {
    const cached = await caches.default.match(request);
    if (cached !== undefined) return cached;
    const { pathname, search } = new URL(request.url);
    const response = await fetch(env.ORIGIN + pathname + search);
    ctx.waitUntil(caches.default.put(request, response.clone()));
    return response;
  },
};
