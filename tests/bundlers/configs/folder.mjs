import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where this package lies. */
export const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

/** A file of the app. */
export function source(path) {
  return join(folder, "src", path);
}
