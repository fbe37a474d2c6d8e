const tableUrl = new URL("./data/shipping.csv", import.meta.url);

/** Reads the table of rates: country, up to how many kg, days, cents. */
export function parseRates(csv) {
  const [, ...rows] = csv.trim().split("\n");
  return rows.map((row) => {
    const [country, kg, days, cents] = row.split(",");
    return { country, kg: Number(kg), days: Number(days), cents: Number(cents) };
  });
}

export async function loadRates({ signal } = {}) {
  const response = await fetch(tableUrl, { signal });
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return parseRates(await response.text());
}

/** The cheapest rate for a weight, or `undefined` where the shop does not ship that much. */
export function rateFor(rates, country, kg) {
  return rates
    .filter((rate) => rate.country === country && rate.kg >= kg)
    .sort((a, b) => a.cents - b.cents)[0];
}
