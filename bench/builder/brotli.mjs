// Compresses files with the C library of brotli (Node.js carries it), as the builder does: quality 11, window 16 MiB.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

let bytes = 0;
for (const file of process.argv.slice(2)) {
  const source = readFileSync(file);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: source.length,
  };
  bytes += brotliCompressSync(source, { params }).length;
}
console.log(JSON.stringify({ bytes }));
