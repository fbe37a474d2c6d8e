import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The variants that the tests build, each chosen by one variable (see README.md).
const base = process.env.VITE_BASE ?? "/";
const outDir = process.env.VITE_OUT;
const chunkImportMap = process.env.VITE_IMPORT_MAP === "1";
const api = process.env.API_ORIGIN ?? "http://127.0.0.1:8790";

export default defineConfig(({ mode }) => {
  const plain = mode === "unminified";
  return {
    base,
    plugins: [react()],
    build: {
      outDir: outDir ?? (plain ? "dist-plain" : "dist"),
      emptyOutDir: true,
      sourcemap: true,
      minify: plain ? false : undefined,
      chunkImportMap,
      // The price chart's library is one chunk of its own, loaded with the first product page.
      chunkSizeWarningLimit: 700,
    },
    worker: { format: "es" },
    server: { proxy: { "/api": { target: api, ws: true } } },
  };
});
