// Finds products by words, off the page's thread: { id, products, query } in, { id, matches } out.
const stemmer = import("./stem.js");

self.onmessage = async ({ data: { id, products, query } }) => {
  try {
    const { stemsOf } = await stemmer;
    const wanted = stemsOf(query);
    const matches = products
      .map((product) => ({ id: product.id, score: scoreOf(wanted, stemsOf(`${product.name} ${product.description}`)) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .map((match) => match.id);
    self.postMessage({ id, matches });
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
};

/** Every wanted word must begin a word of the text; the earlier it stands, the better. */
function scoreOf(wanted, words) {
  let score = 1;
  for (const stem of wanted) {
    const place = words.findIndex((word) => word.startsWith(stem));
    if (place < 0) return 0;
    score += 1 / (1 + place);
  }
  return score;
}
