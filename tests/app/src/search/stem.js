import synonyms from "./synonyms.json";

const endings = ["ings", "ing", "ers", "er", "es", "s"];

/** A word without its ending, and by the name that the shop uses for the thing. */
function stemOf(word) {
  const ending = endings.find((candidate) => word.length > candidate.length + 2 && word.endsWith(candidate));
  const stem = ending ? word.slice(0, -ending.length) : word;
  return synonyms[stem] ?? stem;
}

export function stemsOf(text) {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .map(stemOf);
}
