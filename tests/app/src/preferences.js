import { create } from "zustand";
import { persist } from "zustand/middleware";

export const languages = ["en", "de"];

/** What the visitor chose; kept over visits. */
export const usePreferences = create(
  persist(
    (set) => ({
      language: navigator.language?.startsWith("de") ? "de" : "en",
      setLanguage: (language) => set({ language }),
    }),
    { name: "preferences" },
  ),
);

/** The theme is also read by the script in index.html, before this module has arrived. */
export function toggleTheme() {
  const root = document.documentElement;
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  root.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Storage may be blocked: the choice then lasts for this page.
  }
}
