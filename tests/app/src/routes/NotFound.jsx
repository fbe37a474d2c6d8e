import { Link, useLocation } from "react-router";
import { useText } from "../text.js";
import styles from "./NotFound.module.css";

export function Component() {
  const t = useText();
  const { pathname } = useLocation();
  return (
    <section className={styles.lost} data-not-found>
      <h1>{t("lost.title", "There is no such page")}</h1>
      <p><code>{pathname}</code></p>
      <Link to="/">{t("back", "Back to the shop")}</Link>
    </section>
  );
}
Component.displayName = "NotFound";
