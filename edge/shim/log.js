// The control log: the object that owns it, and how the Worker asks it. The object stores rows, sends calls and wakes up
// when the core says so; what a row holds, what is called and when, is the core's to decide.

// There is one.
const LOG_NAME = "log";

const ZONE_API = "https://api.cloudflare.com/client/v4";
const ZONE_ANSWERS_WITHIN = 30_000;
const ZONE_ANSWER_BYTES = 64 * 1024;

// Calls in one go: an alarm's time is bounded by the platform.
const CALLS_AT_ONCE = 20;

// A log that begins waits so long for what the key-value store has of one before.
const COPY_ANSWERS_WITHIN = 3_000;

// It is written whenever something changes: it need only outlive the pauses between.
const COPY_SECONDS = 365 * 24 * 60 * 60;

function logId(call) {
  return call.env.CONTROL_LOG?.idFromName(LOG_NAME).toString();
}

// The answer to a command; `undefined` where there is none within so many milliseconds.
async function askLog(call, command, within) {
  const { CONTROL_LOG } = call.env;
  const late = Promise.withResolvers();
  const timer = setTimeout(late.resolve, within);
  try {
    return await Promise.race([CONTROL_LOG.get(CONTROL_LOG.idFromName(LOG_NAME)).ask(command), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export class ControlLog extends DurableObject {
  // A copy of the rows in the memory of one Wasm instance.
  #ledger;
  #instance;
  // When the platform will wake the object; `null`: never.
  #wakesAt;
  // What the key-value store has of a log before, where no rows are stored of this one.
  #before;

  constructor(ctx, env) {
    super(ctx, env);
    const rows = "CREATE TABLE IF NOT EXISTS rows (kind TEXT, id INTEGER, text TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID";
    ctx.storage.sql.exec(rows);
    ctx.blockConcurrencyWhile(async () => {
      this.#wakesAt = await ctx.storage.getAlarm();
      if (ctx.storage.sql.exec("SELECT 1 FROM rows LIMIT 1").toArray().length === 0) this.#before = await this.#lastCopy();
    });
  }

  async ask(command) {
    const reply = this.#step((ledger) => ledger.ask(command, Date.now()));
    await this.#wake();
    return reply;
  }

  async alarm() {
    this.#wakesAt = null;
    await this.#copy();
    for (let made = 0; made < CALLS_AT_ONCE; made += 1) {
      const next = this.#step((ledger) => ledger.nextCall(Date.now()));
      if (next === undefined) break;
      const { id, path, body } = JSON.parse(next);
      const { status, retryAfter, text } = await this.#call(path, body);
      this.#step((ledger) => ledger.called(id, status, retryAfter, text, Date.now()));
    }
    await this.#wake();
  }

  // Lets the ledger do one thing, and stores what it changed, all of it or nothing.
  #step(step) {
    const ledger = this.#open();
    let result, changes;
    try {
      result = step(ledger);
      changes = JSON.parse(ledger.changes());
    } catch (error) {
      // A command of another version is an error of the core's own; everything else is a trap.
      if (error instanceof WebAssembly.RuntimeError) this.#instance.poisoned = true;
      this.#ledger = undefined;
      throw error;
    }
    try {
      if (changes.length > 0) this.ctx.storage.transactionSync(() => changes.forEach((change) => this.#store(change)));
    } catch (error) {
      // Memory knows what the rows do not.
      this.#ledger = undefined;
      throw error;
    }
    return result;
  }

  #open() {
    if (this.#ledger === undefined || this.#instance.poisoned) {
      const rows = this.ctx.storage.sql.exec("SELECT kind, id, text FROM rows ORDER BY kind, id").raw().toArray();
      this.#instance = usable();
      this.#ledger = this.#instance.ledger(JSON.stringify(rows), rows.length === 0 ? this.#before : undefined);
    }
    return this.#ledger;
  }

  #store({ put, drop }) {
    const { sql } = this.ctx.storage;
    if (put !== undefined) sql.exec("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", ...put);
    if (drop !== undefined) sql.exec("DELETE FROM rows WHERE kind = ? AND id = ?", ...drop);
  }

  async #wake() {
    const at = this.#open().wakeAt() ?? null;
    if (at === this.#wakesAt) return;
    this.#wakesAt = at;
    await (at === null ? this.ctx.storage.deleteAlarm() : this.ctx.storage.setAlarm(at));
  }

  // Gives the key-value store a copy of the log, if it is time. Where there is no such store, nothing is owed to it.
  async #copy() {
    const news = this.#step((ledger) => ledger.copyDue(Date.now()));
    if (news === undefined) return;
    let { head } = JSON.parse(news);
    try {
      if (this.env.KV !== undefined) await persist(this, this.#copyKey(), "news", encoder.encode(news), COPY_SECONDS);
    } catch (error) {
      console.error(`rimward: the control log could not be copied: ${error?.message ?? error}`);
      head = undefined;
    }
    this.#step((ledger) => ledger.copied(head, Date.now()));
  }

  #copyKey() {
    return `control/${this.ctx.id}`;
  }

  // The copy that was given last, as far as the key-value store knows; `undefined` where there is none, or none in time.
  async #lastCopy() {
    if (this.env.KV === undefined) return undefined;
    const late = Promise.withResolvers();
    const timer = setTimeout(() => late.reject(new Error("no answer in time")), COPY_ANSWERS_WITHIN);
    try {
      const found = await Promise.race([persisted(this, this.#copyKey()), late.promise]);
      return found && new TextDecoder().decode(found.body);
    } catch (error) {
      console.error(`rimward: a control log begins without the copy of one before: ${error?.message ?? error}`);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  // Sends one call to the zone's API: { status, retryAfter, text }, or { text } where no answer came.
  async #call(path, body) {
    const { RIMWARD_ZONE_API: api = ZONE_API, RIMWARD_ZONE_TOKEN: token } = this.env;
    if (typeof token !== "string") return { text: "the secret RIMWARD_ZONE_TOKEN is not set" };
    const fields = `authorization\nBearer ${token}\ncontent-type\napplication/json\naccept-encoding\nidentity\n`;
    const within = ZONE_ANSWERS_WITHIN;
    const { status, fields: answered, body: answer, error } = await send("POST", api + path, fields, body, within, within, within);
    if (status === undefined) return { text: error };
    const retryAfter = pairs(answered).find(([name]) => name === "retry-after")?.[1];
    try {
      const bytes = answer === null ? new Uint8Array(0) : await gather(answer, ZONE_ANSWER_BYTES);
      if (bytes instanceof Uint8Array) return { status, retryAfter, text: new TextDecoder().decode(bytes) };
      await bytes.cancel();
      return { status, retryAfter, text: "a long answer" };
    } catch (broken) {
      return { text: String(broken?.message ?? broken) };
    }
  }
}
