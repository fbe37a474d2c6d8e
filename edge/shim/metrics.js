// Counters that outlive isolates: a few objects add up what isolates counted. A sample is a name and a number; several
// cross as one string, "name LF number LF ...".

// Which one an isolate tells is chance: none of them is told by all.
const METRICS_SHARDS = 4;
// Names come from the settings; past this many no new ones are taken.
const METRICS_NAMES = 10_000;

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
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS samples (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID");
  }

  add(samples) {
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      let { names } = sql.exec("SELECT count(*) AS names FROM samples").one();
      for (const [name, value] of pairs(samples)) {
        const added = sql.exec("UPDATE samples SET value = value + ? WHERE name = ?", Number(value), name);
        if (added.rowsWritten > 0 || names >= METRICS_NAMES) continue;
        sql.exec("INSERT INTO samples VALUES (?, ?)", name, Number(value));
        names += 1;
      }
    });
  }

  read() {
    const rows = this.ctx.storage.sql.exec("SELECT name, value FROM samples").raw().toArray();
    return rows.map(([name, value]) => `${name}\n${value}\n`).join("");
  }
}
