// The Worker's entry point, and the owner of the Wasm instances.
//
// A panic or any other trap leaves an instance in a state that nobody may trust: it fails its own request, the instance
// takes no new ones, and those under way finish on it. `glue` is wasm-bindgen's text in a function: each call makes
// an own closure, and so an own instance of the one compiled module.

class Call {
  #cf;

  constructor(request, env, ctx) {
    this.request = request;
    // Each look at the request's own property makes the platform look it up again.
    this.headers = request.headers;
    this.env = env;
    this.ctx = ctx;
  }

  get cf() {
    return (this.#cf ??= this.request.cf);
  }
}

class Instance {
  #exports;
  #panic = null;
  // What goes on after the core returned, by the core's number for it: `settle` takes the response, `call` made it.
  #tasks = new Map();
  poisoned = false;

  constructor() {
    this.#exports = glue({
      ...{ header, headerNamed, headers, acceptEncoding, country, coordinate, peer, takeBody, variable, random, log },
      ...{ asset, read, discard, slice, prepare, respond, respondPrepared },
      ...{ hasStore, kept, keep, forget, logId, askLog, relay, unrelay, count, counted, askLimits, askHealth },
      send: (call, method, url, fields, body, answer, idle, total, hold, watch) => {
        const ended = watch === 0 ? undefined : (end) => this.#ended(watch, end);
        return send(method, url, fields, body, answer, idle, total, hold, ended, call.request.signal);
      },
      watched: (call, body, length, over) => watched(body, length ?? null, over, call.request.signal),
      gather: async (body, limit) => (body instanceof Uint8Array ? body : gather(body, limit)),
      recording: (limit, length) => new Recording(limit, length ?? null),
      signal: () => new Signal(),
      wake: (task) => this.#soon(task),
      defer: (call, task) => this.#defer(call, task),
      panicked: (message) => (this.#panic = message),
    });
    this.#exports.initSync({ module: wasm });
    fieldNames = this.#exports.start().split("\n");
  }

  // The control log's ledger, made of the rows that are stored of it, or, where there are none, of what its copy says of the
  // one before. Whoever uses it says so where it traps.
  ledger(rows, copy) {
    return new this.#exports.ControlLedger(rows, copy);
  }

  // What one object counts, made of the rows that are stored of it. Whoever uses it says so where it traps.
  limits(rows) {
    return new this.#exports.LimitObject(rows);
  }

  // What is checked, made of the rows that are stored of it. Whoever uses it says so where it traps.
  health(list, state) {
    return new this.#exports.HealthChecker(list, state);
  }

  // Two sketches of who asks most, as one. Whoever uses it says so where it traps.
  mergeTops(known, told) {
    return this.#exports.mergeTops(known, told);
  }

  // A response, or a promise of one.
  answer(call) {
    const { request } = call;
    try {
      const answer = this.#exports.answer(call, request.method, request.url);
      return typeof answer === "number" ? this.#later(call, answer) : answer;
    } catch (error) {
      return this.#fail(call, error);
    }
  }

  #later(call, task) {
    // Nobody waits any more: what the core keeps for this request can go.
    call.request.signal.addEventListener("abort", () => this.#abandon(task));
    return new Promise((settle) => this.#tasks.set(task, { call, settle }));
  }

  #defer(call, task) {
    call.ctx.waitUntil(new Promise((settle) => this.#tasks.set(task, { call, settle })));
    this.#soon(task);
  }

  // In a microtask of this request. The platform's own `queueMicrotask` costs seven times as much.
  #soon(task) {
    Promise.resolve().then(() => this.#resume(task));
  }

  #resume(task) {
    const waiting = this.#tasks.get(task);
    if (waiting === undefined) return;
    try {
      const response = this.#exports.resume(task);
      if (response === undefined) return;
      this.#tasks.delete(task);
      waiting.settle(response);
    } catch (error) {
      this.#tasks.delete(task);
      waiting.settle(this.#fail(waiting.call, error));
    }
  }

  // The core may let others go on because of it.
  #ended(watch, end) {
    try {
      this.#exports.ended(watch, end);
    } catch (error) {
      this.poisoned = true;
    }
  }

  #abandon(task) {
    if (!this.#tasks.delete(task)) return;
    try {
      this.#exports.abandon(task);
    } catch (error) {
      this.poisoned = true;
    }
  }

  #fail(call, error) {
    this.poisoned = true;
    const id = call.headers.get("cf-ray") ?? crypto.randomUUID().replaceAll("-", "");
    console.error(`rimward: request ${id} failed: ${this.#panic ?? error?.stack ?? error}`);
    this.#panic = null;
    return failure(id);
  }
}

function failure(id) {
  return new Response(`internal error\nrequest id: ${id}\n`, {
    status: 500,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "cloudflare-cdn-cache-control": "no-store",
      "cache-status": "rimward; detail=panic",
      "server-timing": "rimward",
      "x-content-type-options": "nosniff",
      "x-request-id": id,
    },
  });
}

let current = new Instance();

function usable() {
  if (current.poisoned) current = new Instance();
  return current;
}

export default {
  fetch(request, env, ctx) {
    return usable().answer(new Call(request, env, ctx));
  },
};
