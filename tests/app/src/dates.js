import { useQuery } from "@tanstack/react-query";
import { addBusinessDays, format, formatDistanceToNow, parseISO } from "date-fns";
import { usePreferences } from "./preferences.js";

// English is in date-fns itself; another language is fetched when it is chosen.
const loaders = {
  en: async () => undefined,
  de: async () => (await import("date-fns/locale/de")).de,
};

/** Functions that write dates in the visitor's language. */
export function useDates() {
  const language = usePreferences((state) => state.language);
  const { data: locale } = useQuery({
    queryKey: ["date-locale", language],
    queryFn: async () => (await loaders[language]()) ?? null,
    staleTime: Infinity,
  });
  const options = locale ? { locale } : {};
  return {
    month: (iso) => format(parseISO(iso), "LLL yy", options),
    ago: (iso) => formatDistanceToNow(parseISO(iso), { addSuffix: true, ...options }),
    arrival: (businessDays) => format(addBusinessDays(new Date(), businessDays), "PPPP", options),
  };
}
