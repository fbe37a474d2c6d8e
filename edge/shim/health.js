// Checks of origins: the object that makes them, and how the Worker tells it that somebody asks. The object stores rows, sends
// checks, tells the control log and wakes up when the core says so; what is checked when, and what it means, is the core's to
// decide.

// There is one.
const HEALTH_NAME = "health";

const CHECK_FIELDS = "user-agent\nrimward-health\naccept\n*/*\naccept-encoding\nidentity\n";

// What the core looks at.
const CHECK_BODY_BYTES = 64 * 1024;

const WORD_WITHIN = 5000;

// Tells the object what is to be checked; `undefined` where it does not answer within so many milliseconds. Without a
// binding: no promise.
function askHealth(call, list, within) {
  const { HEALTH } = call.env;
  return HEALTH === undefined ? undefined : tellHealth(HEALTH, list, within);
}

async function tellHealth(health, list, within) {
  const late = Promise.withResolvers();
  const timer = setTimeout(late.resolve, within);
  try {
    return await Promise.race([health.get(health.idFromName(HEALTH_NAME)).ask(list), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

// Asks for a URL: { status, body }, or { why } where no whole answer came in time.
async function look(url, within, reads) {
  const { status, body, late, error } = await send("GET", url, CHECK_FIELDS, undefined, within, undefined, within);
  if (status === undefined) return { why: late ? `no answer within ${within} ms` : error };
  try {
    if (reads && body !== null) return { status, body: await beginning(body, CHECK_BODY_BYTES) };
    body?.cancel().catch(() => {});
    return { status };
  } catch (broken) {
    return { why: String(broken?.message ?? broken) };
  }
}

// The first bytes of a stream, at least so many if it has them; the rest is not read.
async function beginning(stream, limit) {
  const reader = stream.getReader();
  const pieces = [];
  let length = 0;
  while (length < limit) {
    const { done, value } = await reader.read();
    if (done) return join(pieces, length);
    pieces.push(value);
    length += value.length;
  }
  reader.cancel().catch(() => {});
  return join(pieces, length);
}

export class Health extends DurableObject {
  // A copy of the rows in the memory of one Wasm instance.
  #checker;
  #instance;
  // When the platform will wake the object; `null`: never.
  #wakesAt;

  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID");
    ctx.blockConcurrencyWhile(async () => (this.#wakesAt = await ctx.storage.getAlarm()));
  }

  async ask(list) {
    this.#step((checker) => checker.ask(list, Date.now()));
    await this.#go();
    return "";
  }

  async alarm() {
    this.#wakesAt = null;
    await this.#go();
  }

  // Begins what is due. What comes of it goes on by itself: a slow origin holds nobody else's check up.
  async #go() {
    const due = this.#step((checker) => checker.due(Date.now())).split("\n");
    for (let i = 0; i + 3 < due.length; i += 4) {
      const [number, url, within, reads] = due.slice(i, i + 4);
      this.#apart(this.#check(Number(number), url, Number(within), reads === "1"));
    }
    this.#apart(this.#tell());
    await this.#wake();
  }

  // Where it fails, the next alarm goes on: what is stored says what is to be done.
  #apart(work) {
    work.catch((error) => console.error(`rimward: checks of origins: ${error?.message ?? error}`));
  }

  async #check(number, url, within, reads) {
    const checker = this.#checker;
    const { status, body = new Uint8Array(0), why = "" } = await look(url, within, reads);
    // Another one gives the same numbers to other checks.
    if (this.#open() !== checker) return;
    const samples = this.#step((checker) => checker.done(number, status, body, why, Date.now()));
    if (samples !== undefined) this.#apart(count(this, samples));
    await this.#go();
  }

  // Tells the control log what changed, one word after the other.
  async #tell() {
    for (;;) {
      const word = this.#step((checker) => checker.nextWord(Date.now()));
      if (word === undefined) return;
      let reply;
      try {
        reply = await askLog(this, word, WORD_WITHIN);
      } catch (error) {
        console.error(`rimward: the control log was not told of an origin: ${error?.message ?? error}`);
      }
      this.#step((checker) => checker.said(reply, Date.now()));
      await this.#wake();
    }
  }

  // Lets the core do one thing, and stores what it changed, all of it or nothing.
  #step(step) {
    const checker = this.#open();
    let result, list, state;
    try {
      result = step(checker);
      list = checker.list();
      state = checker.state();
    } catch (error) {
      // A list of another version is an error of the core's own; everything else is a trap.
      if (error instanceof WebAssembly.RuntimeError) this.#instance.poisoned = true;
      this.#checker = undefined;
      throw error;
    }
    try {
      this.ctx.storage.transactionSync(() => {
        if (list !== undefined) this.#store("list", list);
        if (state !== undefined) this.#store("state", state);
      });
    } catch (error) {
      // Memory knows what the rows do not.
      this.#checker = undefined;
      throw error;
    }
    return result;
  }

  #open() {
    if (this.#checker === undefined || this.#instance.poisoned) {
      const rows = Object.fromEntries(this.ctx.storage.sql.exec("SELECT name, text FROM rows").raw().toArray());
      this.#instance = usable();
      this.#checker = this.#instance.health(rows.list ?? "", rows.state ?? "");
    }
    return this.#checker;
  }

  #store(name, text) {
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO rows VALUES (?, ?)", name, text);
  }

  async #wake() {
    const at = this.#open().wakeAt(Date.now()) ?? null;
    if (at === this.#wakesAt) return;
    this.#wakesAt = at;
    await (at === null ? this.ctx.storage.deleteAlarm() : this.ctx.storage.setAlarm(at));
  }
}
