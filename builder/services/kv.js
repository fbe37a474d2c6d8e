// The key-value store behind the platform's KV binding under `rimward serve`: one object with a database on the local disk.
// A value lies in rows of at most a mebibyte, as the database has a limit for each.

import { DurableObject } from "cloudflare:workers";

const ROW_BYTES = 1024 * 1024;
const LARGEST_BYTES = 25 * 1024 * 1024;

export class Values extends DurableObject {
  #sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, until INTEGER, metadata TEXT) WITHOUT ROWID");
    this.#sql.exec("CREATE TABLE IF NOT EXISTS rows (key TEXT, place INTEGER, bytes BLOB, PRIMARY KEY (key, place))");
  }

  async fetch(request) {
    const url = new URL(request.url);
    const key = decodeURIComponent(url.pathname.slice(1));
    switch (request.method) {
      case "GET":
        return this.#get(key);
      case "PUT":
        return this.#put(key, url.searchParams, request);
      case "DELETE":
        this.#remove(key);
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 405 });
    }
  }

  #get(key) {
    const [found] = this.#sql.exec("SELECT until, metadata FROM keys WHERE key = ?", key).toArray();
    if (found === undefined || (found.until !== null && found.until <= Date.now())) {
      return new Response("Not Found", { status: 404 });
    }
    const rows = this.#sql.exec("SELECT bytes FROM rows WHERE key = ? ORDER BY place", key).toArray();
    const headers = found.metadata === null ? {} : { "cf-kv-metadata": found.metadata };
    return new Response(new Blob(rows.map((row) => row.bytes)), { headers });
  }

  async #put(key, parameters, request) {
    const bytes = await request.arrayBuffer();
    if (bytes.byteLength > LARGEST_BYTES) return new Response(null, { status: 413 });
    const until = untilOf(parameters);
    this.ctx.storage.transactionSync(() => {
      this.#remove(key);
      this.#sql.exec("INSERT INTO keys VALUES (?, ?, ?)", key, until, request.headers.get("cf-kv-metadata"));
      for (let at = 0; at < bytes.byteLength; at += ROW_BYTES) {
        this.#sql.exec("INSERT INTO rows VALUES (?, ?, ?)", key, at, bytes.slice(at, at + ROW_BYTES));
      }
    });
    if (until !== null && (await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(until);
    return new Response(null, { status: 204 });
  }

  #remove(key) {
    this.#sql.exec("DELETE FROM keys WHERE key = ?", key);
    this.#sql.exec("DELETE FROM rows WHERE key = ?", key);
  }

  // Removes what is over, and looks again when the next one is.
  async alarm() {
    const over = this.#sql.exec("SELECT key FROM keys WHERE until <= ?", Date.now()).toArray();
    for (const { key } of over) this.#remove(key);
    const [next] = this.#sql.exec("SELECT min(until) AS until FROM keys").toArray();
    if (next.until !== null) await this.ctx.storage.setAlarm(next.until);
  }
}

function untilOf(parameters) {
  const ttl = parameters.get("expiration_ttl");
  const expiration = parameters.get("expiration");
  if (ttl !== null) return Date.now() + Number(ttl) * 1000;
  return expiration === null ? null : Number(expiration) * 1000;
}

export default {
  fetch(request, env) {
    return env.VALUES.get(env.VALUES.idFromName("values")).fetch(request);
  },
};
