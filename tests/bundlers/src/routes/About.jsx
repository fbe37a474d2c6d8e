import styles from "./About.module.css";

export const className = styles.about;

export function Component() {
  return (
    <main className={styles.about} data-about>
      <h1>About</h1>
      <p>A page that comes when it is asked for.</p>
    </main>
  );
}
