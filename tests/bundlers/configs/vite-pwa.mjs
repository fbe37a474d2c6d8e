// The shop of ../app, with a service worker that Workbox makes: a list of files to keep, by name or with a revision.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build as viteBuild } from "vite";
import { VitePWA } from "vite-plugin-pwa";
import { folder } from "./folder.mjs";

export const bringsManifest = true;
export const bringsStatic = true;

export async function build({ out, sourceMaps }) {
  const app = join(folder, "..", "app");
  if (!existsSync(join(app, "node_modules"))) throw new Error("its packages are not installed\nhint: run `npm ci` in tests/app");
  await viteBuild({
    root: app,
    configFile: join(app, "vite.config.js"),
    logLevel: "warn",
    build: { outDir: out, emptyOutDir: true, sourcemap: sourceMaps },
    plugins: [
      VitePWA({
        registerType: "autoUpdate",
        // The app has a web manifest of its own.
        manifest: false,
        workbox: {
          globPatterns: ["**/*.{js,css,html,svg,png,woff2,ico,json,csv,webmanifest}"],
          navigateFallbackDenylist: [/^\/api\//],
          // Its map would name a temporary folder.
          sourcemap: false,
        },
      }),
    ],
  });
}
