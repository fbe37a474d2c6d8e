// Counters that outlive isolates: a few objects add up what isolates counted. A sample is a name and a number; several
// cross as one string, "name LF number LF ...".

// Which one an isolate tells is chance: none of them is told by all.
const METRICS_SHARDS = 4;
// Names come from the settings; past this many no new ones are taken.
const METRICS_NAMES = 10_000;
// A sample of this name is no number: it says, for the hour that it is told in, who asked most.
const TOP = "top ";
const HOUR = 3_600_000;

function metricsObjects(call) {
  const { METRICS } = call.env;
  if (METRICS === undefined) return undefined;
  const names = Array.from({ length: METRICS_SHARDS }, (_, number) => `metrics-${number}`);
  return names.map((name) => METRICS.get(METRICS.idFromName(name)));
}

// Adds samples up; nothing where there is no such binding.
async function count(call, samples) {
  const objects = metricsObjects(call);
  await objects?.[Math.floor(Math.random() * objects.length)].add(samples);
}

// All samples, those of a name several times; `undefined` where there is no such binding. Rejects unless all objects
// answer: the sum of some of them would be less than it was.
async function counted(call) {
  const objects = metricsObjects(call);
  return objects && (await Promise.all(objects.map((object) => object.read()))).join("");
}

export class Metrics extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    const create = (table) => ctx.storage.sql.exec(`CREATE TABLE IF NOT EXISTS ${table} WITHOUT ROWID`);
    create("samples (name TEXT PRIMARY KEY, value INTEGER)");
    create("tops (hour INTEGER, name TEXT, text TEXT, PRIMARY KEY (hour, name))");
  }

  add(samples) {
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      let { names } = sql.exec("SELECT count(*) AS names FROM samples").one();
      for (const [name, value] of pairs(samples)) {
        if (name.startsWith(TOP)) {
          this.#addTop(name, value);
          continue;
        }
        const added = sql.exec("UPDATE samples SET value = value + ? WHERE name = ?", Number(value), name);
        if (added.rowsWritten > 0 || names >= METRICS_NAMES) continue;
        sql.exec("INSERT INTO samples VALUES (?, ?)", name, Number(value));
        names += 1;
      }
    });
  }

  read() {
    const rows = this.ctx.storage.sql.exec("SELECT name, value FROM samples").raw().toArray();
    return [...rows, ...this.#tops()].map(([name, value]) => `${name}\n${value}\n`).join("");
  }

  // Those of this hour and the last one count.
  #tops() {
    const since = Math.floor(Date.now() / HOUR) - 1;
    return this.ctx.storage.sql.exec("SELECT name, text FROM tops WHERE hour >= ?", since).raw().toArray();
  }

  #addTop(name, told) {
    const { sql } = this.ctx.storage;
    const hour = Math.floor(Date.now() / HOUR);
    sql.exec("DELETE FROM tops WHERE hour < ?", hour - 1);
    const [known] = sql.exec("SELECT text FROM tops WHERE hour = ? AND name = ?", hour, name).raw().toArray();
    const text = known === undefined ? told : merged(known[0], told);
    sql.exec("INSERT OR REPLACE INTO tops VALUES (?, ?, ?)", hour, name, text);
  }
}

function merged(known, told) {
  const instance = usable();
  try {
    return instance.mergeTops(known, told);
  } catch (error) {
    instance.poisoned = true;
    throw error;
  }
}
