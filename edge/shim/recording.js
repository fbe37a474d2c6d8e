// What one request starts and others wait for. No object of the platform's I/O may be touched by another request than
// the one that made it: what crosses is plain bytes, and promises that the waiting request made itself.

// Without a piece for so long, a reader gives up. Longer than any pause that a pool allows by default.
const STALLED_MS = 120_000;

// Of all bodies that are being kept at once in an isolate, which has 128 MB for everything.
const RECORDED_BYTES = 24 * 1024 * 1024;

// Those whose source is being read, and when the last piece of each came.
const underWay = new Map();

// How much those hold that will be kept: others let go of what their readers have. One whose event the platform has ended
// without a word counts until nobody waits for it any more.
function recorded() {
  const now = Date.now();
  let bytes = 0;
  for (const [recording, at] of underWay) {
    if (now - at > STALLED_MS) underWay.delete(recording);
    else if (!recording.overflown) bytes += recording.length;
  }
  return bytes;
}

// Wakes whoever waits, in each one's own context.
class Signal {
  #waiting = new Set();
  #fired = false;

  fire() {
    this.#fired = true;
    for (const wake of this.#waiting) wake(true);
    this.#waiting.clear();
  }

  // Whether it fired within so many milliseconds.
  async fired(within) {
    if (this.#fired) return true;
    const { promise, resolve } = Promise.withResolvers();
    this.#waiting.add(resolve);
    const timer = setTimeout(() => resolve(false), within);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
  }
}

// The bytes of a stream, kept as they come up to `limit`, for any number of readers. Up to there it is read at its
// source's pace, and a slow reader holds nobody. Past the limit, or where all recordings hold too much, nothing is kept any
// more: readers that are there already get the rest, at the pace of the slowest, and there is no whole.
class Recording {
  #pieces = [];
  // How many pieces of the beginning are gone.
  #gone = 0;
  length = 0;
  #bytes;
  #limit;
  #expected;
  #state = "open";
  #error;
  #readers = new Set();
  #changed = new Set();

  constructor(limit, expected) {
    this.#limit = limit;
    this.#expected = expected;
  }

  // Reads `source` to its end, in the context of whoever made it.
  async run(source) {
    let reader;
    try {
      reader = readerOf(source);
      for (;;) {
        if (this.overflown) await this.#slowest();
        const { done, value } = await reader.read();
        if (done) break;
        this.length += value.length;
        this.#pieces.push(value);
        underWay.set(this, Date.now());
        if (recorded() > RECORDED_BYTES) this.#limit = -1;
        this.#change();
      }
      if (this.#expected !== null && this.length !== this.#expected) throw new Error("the body ended early");
      this.#settle("whole");
    } catch (error) {
      this.#error = error;
      this.#settle("broken");
      await reader?.cancel(error).catch(() => {});
    } finally {
      underWay.delete(this);
    }
  }

  get overflown() {
    return this.length > this.#limit;
  }

  // Waits until every reader has what was read so far, and lets go of it.
  async #slowest() {
    for (;;) {
      const end = this.#gone + this.#pieces.length;
      if (this.#readers.size === 0) throw new Error("nobody reads it any more");
      if ([...this.#readers].every((reader) => reader.next >= end)) break;
      await this.#next();
    }
    this.#gone += this.#pieces.length;
    this.#pieces = [];
  }

  // Resolves when something has changed, in the context of whoever asks. Whoever reads the source may have been ended by
  // the platform: nobody waits for ever.
  async #next() {
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#changed.add(resolve);
    const timer = setTimeout(() => reject(new Error("nothing came any more")), STALLED_MS);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#changed.delete(resolve);
    }
  }

  #change() {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const wake of changed) wake();
  }

  #settle(state) {
    this.#state = state;
    this.#change();
  }

  // A stream of all of it, in the context of whoever asks; bytes where all of it is there. `undefined` where its beginning is
  // gone, or it broke off.
  reader() {
    if (this.#state === "whole" && !this.overflown) return this.#joined();
    if (this.#gone > 0 || this.overflown || this.#state === "broken") return undefined;
    const { readable, writable } =
      this.#expected === null ? new IdentityTransformStream() : new FixedLengthStream(this.#expected);
    this.#feed(writable.getWriter());
    return readable;
  }

  async #feed(writer) {
    const reader = { next: 0 };
    this.#readers.add(reader);
    try {
      for (;;) {
        const piece = this.#pieces[reader.next - this.#gone];
        if (piece !== undefined) {
          await writer.write(piece);
          reader.next += 1;
          if (this.overflown) this.#change();
        } else if (this.#state === "whole") {
          break;
        } else if (this.#state === "broken") {
          throw this.#error;
        } else {
          await this.#next();
        }
      }
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
    } finally {
      this.#readers.delete(reader);
      this.#change();
    }
  }

  // All bytes, when the end is there; `undefined` where it broke off or is longer than the limit.
  async whole() {
    try {
      while (this.#state === "open") await this.#next();
    } catch {
      return undefined;
    }
    return this.#state === "whole" && !this.overflown ? this.#joined() : undefined;
  }

  #joined() {
    this.#bytes ??= join(this.#pieces, this.length);
    if (this.#readers.size === 0) this.#pieces = [];
    return this.#bytes;
  }
}

// Bytes that are at hand are read like a stream of one piece.
function readerOf(source) {
  if (!(source instanceof Uint8Array)) return source.getReader();
  const pieces = source.length > 0 ? [source] : [];
  return {
    read: async () => ({ done: pieces.length === 0, value: pieces.pop() }),
    cancel: async () => {},
  };
}
