import { useQuery } from "@tanstack/react-query";
import { usePreferences } from "./preferences.js";

/** Where the texts of a language are: a file of `public/`, chosen when the app runs. */
export function localeUrl(language) {
  return `${import.meta.env.BASE_URL}locales/${language}.json`;
}

export async function loadTexts(language, { signal } = {}) {
  const response = await fetch(localeUrl(language), { signal });
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response.json();
}

/** Returns `t(key, english)`: the text in the visitor's language, else the English one that stands in the code. */
export function useText() {
  const language = usePreferences((state) => state.language);
  const { data } = useQuery({
    queryKey: ["texts", language],
    queryFn: ({ signal }) => loadTexts(language, { signal }),
    staleTime: Infinity,
  });
  return (key, english) => data?.[key] ?? english;
}

/** Cents as money, as the visitor's language writes it. */
export function usePrice() {
  const language = usePreferences((state) => state.language);
  const format = new Intl.NumberFormat(language, { style: "currency", currency: "EUR" });
  return (cents) => format.format(cents / 100);
}
