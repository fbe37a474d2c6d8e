import styles from "./Notice.module.css";

export function Loading() {
  return <p className={styles.loading} role="status" aria-live="polite">…</p>;
}
