// In place of wasm-bindgen's function of this name, inside its text. That one copies strings character by character in
// JavaScript: until the platform has optimised it, which takes thousands of requests, that is three hundred instructions for
// each character.
function passStringToWasm0(text, malloc, realloc) {
  const { length } = text;
  const ptr = malloc(length, 1) >>> 0;
  const into = getUint8ArrayMemory0();
  if (length <= SHORT) {
    let at = 0;
    for (; at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) break;
      into[ptr + at] = code;
    }
    if (at === length) return (WASM_VECTOR_LEN = length), ptr;
  }
  const { read, written } = cachedTextEncoder.encodeInto(text, into.subarray(ptr, ptr + length));
  if (read === length) return (WASM_VECTOR_LEN = written), ptr;
  // More than ASCII: the rest takes up to three bytes for each unit.
  const most = written + (length - read) * 3;
  const grown = realloc(ptr, length, most, 1) >>> 0;
  const rest = cachedTextEncoder.encodeInto(text.slice(read), getUint8ArrayMemory0().subarray(grown + written, grown + most));
  WASM_VECTOR_LEN = written + rest.written;
  return realloc(grown, most, WASM_VECTOR_LEN, 1) >>> 0;
}

// Strings for which a call costs more than their characters.
const SHORT = 12;
