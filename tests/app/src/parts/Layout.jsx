import { Link, NavLink, Outlet, ScrollRestoration, useNavigation } from "react-router";
import { countOf, useCart } from "../cart.js";
import { languages, toggleTheme, usePreferences } from "../preferences.js";
import { useText } from "../text.js";
// The logo keeps its name: mails and other sites link to it.
import logo from "/logo.png";
import { Icon } from "./Icon.jsx";
import styles from "./Layout.module.css";

export function Layout() {
  const t = useText();
  const count = useCart((state) => countOf(state.counts));
  const busy = useNavigation().state !== "idle";
  return (
    <>
      <header className={styles.header} data-busy={busy || undefined}>
        <Link to="/" className={styles.brand}>
          <img src={logo} alt="" width="40" height="40" />
          Harbour Goods
        </Link>
        <nav className={styles.nav}>
          <NavLink to="/" end>{t("nav.shop", "Shop")}</NavLink>
          <NavLink to="/about">{t("nav.about", "About us")}</NavLink>
          <NavLink to="/status">{t("nav.status", "Status")}</NavLink>
          <NavLink to="/cart" className={styles.cart}>
            <Icon name="cart" /> {t("nav.cart", "Cart")} <span data-cart-count={count}>({count})</span>
          </NavLink>
        </nav>
        <LanguageChoice />
        <button type="button" className={styles.theme} onClick={toggleTheme} aria-label={t("nav.theme", "Light or dark")}>
          <Icon name="theme" />
        </button>
      </header>
      <main className={styles.main}>
        <Outlet />
      </main>
      <footer className={styles.footer}>{t("footer", "Nothing here is for sale: this shop is a demonstration.")}</footer>
      <ScrollRestoration />
    </>
  );
}

function LanguageChoice() {
  const { language, setLanguage } = usePreferences();
  const t = useText();
  return (
    <select
      className={styles.language}
      value={language}
      aria-label={t("nav.language", "Language")}
      onChange={(event) => setLanguage(event.target.value)}
    >
      {languages.map((code) => (
        <option key={code} value={code}>{code.toUpperCase()}</option>
      ))}
    </select>
  );
}
