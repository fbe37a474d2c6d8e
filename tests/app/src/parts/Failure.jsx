import { useText } from "../text.js";
import styles from "./Notice.module.css";

/** What a part of the page shows when its data did not come. */
export function Failure({ error, onRetry }) {
  const t = useText();
  return (
    <section className={styles.failure} role="alert" data-failure>
      <h2>{t("failure.title", "We could not reach the shop")}</h2>
      <p>{t("failure.body", "Your cart is safe. Try again in a moment.")}</p>
      <pre>{error.message}</pre>
      {onRetry && <button type="button" onClick={onRetry}>{t("failure.retry", "Try again")}</button>}
    </section>
  );
}
