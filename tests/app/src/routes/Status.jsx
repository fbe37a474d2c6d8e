import { useEffect, useState } from "react";
import { checks } from "../status/checks.js";
import { runAll } from "../status/run.js";
import { useText } from "../text.js";
import styles from "./Status.module.css";

const pending = { result: "pending", detail: "" };

export function Component() {
  const t = useText();
  const outcomes = useOutcomes();
  const failed = checks.filter(({ name }) => outcomes[name]?.result === "fail").length;
  return (
    <section className={styles.status}>
      <h1>{t("status.title", "Status")}</h1>
      <p>{failed === 0 ? t("status.well", "What the shop needs, as your browser sees it.") : t("status.ill", "Something does not work from where you are.")}</p>
      <table className={styles.table}>
        <tbody>
          {checks.map(({ name, label }) => {
            const { result, detail } = outcomes[name] ?? pending;
            return (
              <tr key={name} data-check={name} data-result={result}>
                <th scope="row">{label}</th>
                <td className={styles[result]}>{result}</td>
                <td>{detail}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
Component.displayName = "Status";

/** Outcomes by check; `<html data-ready="1">` says that there is one for each. */
function useOutcomes() {
  const [outcomes, setOutcomes] = useState({});
  const settled = Object.keys(outcomes).length === checks.length;
  useEffect(() => {
    let shown = true;
    runAll(checks, (name, outcome) => {
      if (shown) setOutcomes((known) => ({ ...known, [name]: outcome }));
    });
    return () => {
      shown = false;
    };
  }, []);
  useEffect(() => {
    const { dataset } = document.documentElement;
    if (settled) dataset.ready = "1";
    return () => {
      delete dataset.ready;
    };
  }, [settled]);
  return outcomes;
}
