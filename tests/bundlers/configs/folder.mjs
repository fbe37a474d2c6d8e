import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where this package lies. */
export const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

let app = folder;

/** Builds the app of a folder of this package, and not the package's own. */
export function take(name) {
  app = join(folder, name);
}

/** A file of the app. */
export function source(path) {
  return join(app, "src", path);
}

/** What is copied beside the build. */
export function statics() {
  return join(app, "static");
}
