// The shield: objects through which requests to origins go, so that what many isolates ask at once is asked once. They
// hand the same answer to everyone who asks the same question while it is under way; who may use it is the core's to say.

const SHIELD_BODY_BYTES = 8 * 1024 * 1024;
// Of all bodies that one object holds at once.
const SHIELD_BYTES = 48 * 1024 * 1024;
const SHIELD_UNKNOWN_BYTES = 1024 * 1024;

// Sends a request by way of the object named `shard`. Never rejects: `broken` says why the object could not be asked,
// `alone` that the answer under way is not to be had any more. Where it was another's request, `asked` is what that one asked.
async function relay(call, shard, key, question, asked, sequence, method, url, fields, body, answer, idle, total) {
  const { SHIELD } = call.env;
  if (SHIELD === undefined) return { broken: "the Worker has no `SHIELD` binding" };
  const late = Promise.withResolvers();
  const timer = setTimeout(() => late.resolve({ broken: "it did not answer" }), answer + 1000);
  const request = { key, question, asked, sequence, method, url, fields, body, answer, idle, total };
  try {
    return await Promise.race([SHIELD.get(SHIELD.idFromName(shard)).relay(request), late.promise]);
  } catch (error) {
    return { broken: String(error?.message ?? error) };
  } finally {
    clearTimeout(timer);
  }
}

// Nobody joins what is under way for `key` any more.
async function unrelay(call, shard, key) {
  const { SHIELD } = call.env;
  if (SHIELD !== undefined) await SHIELD.get(SHIELD.idFromName(shard)).forget(key);
}

export class Shield extends DurableObject {
  // By question.
  #underWay = new Map();
  #bytes = 0;

  async relay(request) {
    const { question } = request;
    const known = this.#underWay.get(question);
    if (known !== undefined) return this.#join(known);
    const begun = { key: request.key, asked: request.asked, sequence: request.sequence, sentAt: Date.now() };
    begun.reply = this.#ask(begun, request);
    this.#underWay.set(question, begun);
    const reply = await begun.reply;
    const { body } = reply;
    if (begun.recording === undefined || body === null) {
      this.#leave(question, begun);
      return reply;
    }
    begun.recording.run(body);
    begun.recording.whole().then(() => {
      this.#bytes -= begun.bytes;
      this.#leave(question, begun);
    });
    return { ...reply, body: begun.recording.reader() };
  }

  async #ask(begun, { method, url, fields, body, answer, idle, total }) {
    const reply = await send(method, url, fields, body, answer, idle, total);
    begun.cameAt = Date.now();
    if (reply.status === undefined || reply.body === null) return reply;
    const said = pairs(reply.fields).find(([name]) => name === "content-length")?.[1];
    const length = said === undefined ? null : Number(said);
    const bytes = length ?? SHIELD_UNKNOWN_BYTES;
    if (bytes <= SHIELD_BODY_BYTES && this.#bytes + bytes <= SHIELD_BYTES) {
      this.#bytes += bytes;
      Object.assign(begun, { bytes, recording: new Recording(SHIELD_BODY_BYTES, length) });
    }
    return reply;
  }

  async #join(begun) {
    const reply = await begun.reply;
    const body = reply.body ? begun.recording?.reader() : reply.body;
    if (reply.body && body === undefined) return { alone: true };
    const { asked, sequence, sentAt, cameAt } = begun;
    const now = Date.now();
    return { ...reply, body, asked, sequence, sentAgo: now - sentAt, cameAgo: now - cameAt };
  }

  #leave(question, begun) {
    if (this.#underWay.get(question) === begun) this.#underWay.delete(question);
  }

  forget(key) {
    for (const [question, begun] of this.#underWay) {
      if (begun.key === key) this.#underWay.delete(question);
    }
  }
}
