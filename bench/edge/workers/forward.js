// The one line that puts a Worker before an origin.
export default {
  fetch: (request, env) => fetch(env.ORIGIN + new URL(request.url).pathname, request),
};
