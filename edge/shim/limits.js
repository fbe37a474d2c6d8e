// Limits: the objects that count, and how the Worker asks them. An object stores rows, lets requests wait for their turn
// and asks the object behind it; what is counted, who passes and whose turn it is, is the core's to decide.

// How much sooner an object gives up the one behind it than it is given up itself.
const BEHIND_SOONER = 10;

// Rows that count for nothing any more are dropped after so many new ones.
const SWEEP_AFTER = 4096;

// Less than the 10 s after which an idle object may sleep.
const RESTS_AFTER = 5000;

const limitIds = new Map();

function limitObject(limits, name) {
  let id = limitIds.get(name);
  if (id === undefined) limitIds.set(name, (id = limits.idFromName(name)));
  return limits.get(id);
}

// The answer of an object; `undefined` where there is none within so many milliseconds. Without a binding: no promise.
function askLimits(call, object, what, text, within) {
  const { LIMITS } = call.env;
  return LIMITS === undefined ? undefined : askLimit(LIMITS, object, what, text, within);
}

async function askLimit(limits, object, what, text, within) {
  const late = Promise.withResolvers();
  const timer = setTimeout(late.resolve, within);
  try {
    return await Promise.race([limitObject(limits, object)[what](text, within), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export class Limits extends DurableObject {
  #object;
  #instance;
  #written = 0;
  // Who waits for a turn, by ticket: told whether it came.
  #waiting = new Map();
  // Queues whose next permit to run out is waited for.
  #due = new Set();
  // Set when somebody left: what is written of those who are there is put right once for all that leave meanwhile.
  #rest;

  constructor(ctx, env) {
    super(ctx, env);
    const columns = "key TEXT PRIMARY KEY, text TEXT, until INTEGER";
    ctx.storage.sql.exec(`CREATE TABLE IF NOT EXISTS counters (${columns}) WITHOUT ROWID`);
    this.#sweep();
  }

  async take(command, within) {
    const end = command.indexOf("\0");
    if (end < 0) return this.#take(command);
    const own = command.slice(0, end);
    const reply = this.#take(own);
    if (reply[0] === "0") return reply;
    const nameEnd = command.indexOf("\0", end + 1);
    const [next, rest] = [command.slice(end + 1, nameEnd), command.slice(nameEnd + 1)];
    const behind = await this.#behind(next, rest, Math.max(1, within - BEHIND_SOONER));
    // Whoever asked decides what becomes of what is taken here.
    if (behind === undefined) return reply;
    if (behind[0] === "1") return `${reply}\0${behind}`;
    this.#undo(own, reply);
    return `0${reply.slice(1)}\0${behind}`;
  }

  async #behind(name, command, within) {
    try {
      return await askLimit(this.env.LIMITS, name, "take", command, within);
    } catch (error) {
      console.error(`rimward: limits in ${name} could not be asked: ${error?.message ?? error}`);
      return undefined;
    }
  }

  #take(charges) {
    return this.#step((object) => object.take(charges, Date.now()));
  }

  #undo(charges, reply) {
    const headEnd = reply.indexOf("\n");
    const takenAt = Number.parseInt(reply.slice(2, headEnd), 10);
    this.#step((object) => object.undo(charges, reply.slice(headEnd + 1), takenAt, Date.now()));
  }

  undo(text) {
    const [takenAt, charges, settled] = text.split("\0");
    this.#step((object) => object.undo(charges, settled, Number(takenAt), Date.now()));
    return "";
  }

  async enter(entry) {
    const [key, ticket, , , wait] = entry.split(" ");
    const whose = `${key} ${ticket}`;
    const reply = this.#step((object) => object.enter(entry, Date.now()));
    if (!reply.startsWith("later")) return reply;
    const { promise, resolve } = Promise.withResolvers();
    this.#waiting.set(ticket, resolve);
    const timer = setTimeout(() => resolve(false), Number(wait));
    this.#call(whose);
    this.#await(key, whose);
    const called = await promise;
    clearTimeout(timer);
    this.#waiting.delete(ticket);
    if (!called) this.leave(whose);
    return `${called ? "now" : "never"} ${this.#step((object) => object.state(whose))}`;
  }

  renew(whose) {
    this.#step((object) => object.renew(whose, Date.now()));
    return "";
  }

  leave(whose) {
    this.#step((object) => object.leave(whose, Date.now()));
    this.#waiting.get(whose.split(" ")[1])?.(false);
    this.#call(whose);
    // The platform lets no object sleep that waits for a timer.
    this.#rest ??= setTimeout(() => {
      this.#rest = undefined;
      this.#step((object) => object.rest(Date.now()));
    }, RESTS_AFTER);
    return "";
  }

  // Lets those go on whose turn it is.
  #call(whose) {
    const tickets = this.#step((object) => object.called(whose, Date.now()));
    if (tickets !== "") tickets.split(" ").forEach((ticket) => this.#waiting.get(ticket)?.(true));
  }

  // Calls the next in a queue when a permit runs out.
  #await(key, whose) {
    if (this.#due.has(key)) return;
    const at = this.#step((object) => object.dueAt(whose));
    if (at === undefined) return;
    this.#due.add(key);
    setTimeout(() => {
      this.#due.delete(key);
      this.#call(whose);
      this.#await(key, whose);
    }, Math.max(1, at - Date.now()));
  }

  // Lets the core do one thing, and stores what it wants stored before anybody is answered.
  #step(step) {
    const object = this.#open();
    let result, rows;
    try {
      result = step(object);
      rows = object.rows();
    } catch (error) {
      // A command of another version is an error of the core's own; everything else is a trap.
      if (error instanceof WebAssembly.RuntimeError) this.#instance.poisoned = true;
      this.#object = undefined;
      throw error;
    }
    try {
      if (rows !== "") this.#store(rows.split("\n"));
    } catch (error) {
      // Memory knows what the rows do not.
      this.#object = undefined;
      throw error;
    }
    return result;
  }

  #open() {
    if (this.#object === undefined || this.#instance.poisoned) {
      const rows = this.ctx.storage.sql.exec("SELECT key, text FROM counters").raw().toArray();
      this.#instance = usable();
      this.#object = this.#instance.limits(rows.map(([key, text]) => `${key}\n${text}\n`).join(""));
    }
    return this.#object;
  }

  #store(fields) {
    for (let i = 0; i + 2 < fields.length; i += 3) {
      const row = [fields[i], fields[i + 1], Number(fields[i + 2])];
      this.ctx.storage.sql.exec("INSERT OR REPLACE INTO counters VALUES (?, ?, ?)", ...row);
      this.#written += 1;
    }
    if (this.#written >= SWEEP_AFTER) this.#sweep();
  }

  #sweep() {
    this.#written = 0;
    this.ctx.storage.sql.exec("DELETE FROM counters WHERE until <= ?", Date.now());
  }
}
