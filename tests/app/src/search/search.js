let worker = null;
let lastId = 0;
const waiting = new Map();

function start() {
  worker = new Worker(new URL("./search.worker.js", import.meta.url), { type: "module", name: "search" });
  worker.onmessage = ({ data: { id, matches, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(matches);
  };
  worker.onerror = (event) => {
    // A worker that could not be loaded answers nobody: tell all who wait, and try anew next time.
    for (const { reject } of waiting.values()) reject(new Error(event.message || "the search worker failed"));
    waiting.clear();
    worker.terminate();
    worker = null;
  };
}

/** The ids of the products that `query` finds, best first. */
export function search(products, query) {
  if (!worker) start();
  lastId += 1;
  const id = lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, products, query });
  });
}
