/** How long a check may take, in milliseconds, before it counts as failed. */
const LIMIT = 15_000;

/** Runs every check at once and calls `onSettled(name, { result, detail })` as each one ends; resolves after the last. */
export async function runAll(checks, onSettled) {
  await Promise.all(
    checks.map(async ({ name, run }) => {
      try {
        onSettled(name, { result: "ok", detail: await within(LIMIT, run()) });
      } catch (error) {
        onSettled(name, { result: "fail", detail: error.message });
      }
    }),
  );
}

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
