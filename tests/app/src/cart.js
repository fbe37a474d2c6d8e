import { create } from "zustand";
import { persist } from "zustand/middleware";

/** What is in the cart, by product id; kept over visits. */
export const useCart = create(
  persist(
    (set) => ({
      counts: {},
      add: (id) => set(({ counts }) => ({ counts: { ...counts, [id]: (counts[id] ?? 0) + 1 } })),
      setCount: (id, count) => set(({ counts }) => ({ counts: withCount(counts, id, count) })),
      empty: () => set({ counts: {} }),
    }),
    { name: "cart", version: 1 },
  ),
);

function withCount(counts, id, count) {
  const { [id]: _, ...others } = counts;
  return count > 0 ? { ...others, [id]: count } : others;
}

export function countOf(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The cart's lines, with what the API knows of each product; products that are gone are left out. */
export function linesOf(counts, products) {
  return products.filter(({ id }) => counts[id]).map((product) => ({ product, count: counts[product.id] }));
}
