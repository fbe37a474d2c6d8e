// What the shop sells. Prices in cents, weights in kg; `image` is the name of a picture that the app has.

/** Twelve months of prices that end at `cents`, from the steps between them. */
function historyOf(cents, steps) {
  let price = cents;
  const prices = [cents];
  for (const step of [...steps].reverse()) prices.unshift((price -= step));
  return prices.map((value, i) => ({ month: `2025-${String(i + 1).padStart(2, "0")}-01`, cents: value }));
}

export const catalogue = [
  {
    id: "lantern",
    name: "Storm lantern",
    image: "lantern",
    cents: 6900,
    kg: 1.4,
    stock: 12,
    description: "Burns for twenty hours on half a litre, and does not mind being blown at.",
    history: historyOf(6900, [0, 200, 0, 0, 300, 0, -200, 0, 0, 400, 0]),
    reviews: [
      { author: "Ane", date: "2025-11-02", text: "It fell off the roof in October. It still burns." },
      { author: "Tom", date: "2025-08-19", text: "Brighter than the torch I bought it to replace." },
    ],
  },
  {
    id: "rope",
    name: "Hemp rope, 20 m",
    image: "rope",
    cents: 3450,
    kg: 2.2,
    stock: 31,
    description: "Three strands, laid by hand, tarred. Splices like butter, smells like a harbour.",
    history: historyOf(3450, [50, 0, 0, 100, 0, 0, 50, 0, 0, 0, 50]),
    reviews: [{ author: "Jens", date: "2025-09-30", text: "Two winters on the mooring and hardly a hair out of place." }],
  },
  {
    id: "compass",
    name: "Brass compass",
    image: "compass",
    cents: 12900,
    kg: 0.6,
    stock: 5,
    description: "Liquid-filled, with a lid that closes with a click. Points north, which is more than most of us do.",
    history: historyOf(12900, [0, 0, 500, 0, 0, -300, 0, 0, 700, 0, 0]),
    reviews: [
      { author: "Mira", date: "2025-10-11", text: "Checked against three others. The others were wrong." },
      { author: "Ole", date: "2025-05-04", text: "The click alone is worth it." },
    ],
  },
  {
    id: "kettle",
    name: "Enamel kettle",
    image: "kettle",
    cents: 4200,
    kg: 1.1,
    stock: 18,
    description: "A litre and a half, a wide base for small stoves, and a handle that stays cool.",
    history: historyOf(4200, [100, 0, 0, 0, 200, 0, 0, -100, 0, 0, 100]),
    reviews: [{ author: "Sif", date: "2025-07-23", text: "Boils before I have found the tea." }],
  },
  {
    id: "mug",
    name: "Deck mug",
    image: "mug",
    cents: 1650,
    kg: 0.3,
    stock: 64,
    description: "Wider at the bottom than at the top, so that it stands when you do not.",
    history: historyOf(1650, [0, 0, 50, 0, 0, 0, 0, 100, 0, 0, 0]),
    reviews: [
      { author: "Bo", date: "2025-11-08", text: "Survived a gybe with coffee in it." },
      { author: "Lena", date: "2025-06-15", text: "I own four now and cannot say how that happened." },
    ],
  },
  {
    id: "blanket",
    name: "Wool blanket",
    image: "blanket",
    cents: 9800,
    kg: 1.8,
    stock: 9,
    description: "Woven on the island from the island's sheep. Warm when wet, and it will be wet.",
    history: historyOf(9800, [0, 300, 0, 0, -400, 0, 0, 600, 0, 0, 0]),
    reviews: [{ author: "Kaj", date: "2025-03-28", text: "The dog has it now." }],
  },
  {
    id: "whistle",
    name: "Fog whistle",
    image: "whistle",
    cents: 890,
    kg: 0.1,
    stock: 0,
    description: "Heard for a mile. Please do not try it in the shop.",
    history: historyOf(890, [0, 0, 0, 0, 0, 50, 0, 0, 0, 40, 0]),
    reviews: [{ author: "Ida", date: "2025-01-17", text: "We tried it in the shop. Sorry again." }],
  },
  {
    id: "chart",
    name: "Sea chart, waxed",
    image: "chart",
    cents: 2700,
    kg: 0.4,
    stock: 22,
    description: "The sound and its islands, corrected to last spring. Folds twice, forgives spray.",
    history: historyOf(2700, [0, 100, 0, 0, 0, 0, 100, 0, 0, 0, 0]),
    reviews: [{ author: "Per", date: "2025-04-09", text: "Found a rock I had been missing for years." }],
  },
  {
    id: "buoy",
    name: "Mooring buoy",
    image: "buoy",
    cents: 5400,
    kg: 3.6,
    stock: 7,
    description: "Foam-filled, so that it floats with a hole in it. Comes without the hole.",
    history: historyOf(5400, [200, 0, 0, -100, 0, 0, 300, 0, 0, 0, 0]),
    reviews: [{ author: "Nils", date: "2025-10-01", text: "You can see it from the bar." }],
  },
];
