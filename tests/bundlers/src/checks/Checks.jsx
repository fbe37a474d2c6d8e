import { useEffect, useState } from "react";

/** How long a check may take, in milliseconds, before it counts as failed. */
const LIMIT = 15_000;

/** One row per check; `<html data-ready="1">` says that each has an outcome. */
export function Checks({ title, checks }) {
  const [outcomes, setOutcomes] = useState({});
  useEffect(() => {
    const outcomeOf = async ([name, run]) => {
      const outcome = await within(run()).then(
        (detail) => ({ result: "ok", detail }),
        (error) => ({ result: "fail", detail: error.message }),
      );
      setOutcomes((known) => ({ ...known, [name]: outcome }));
    };
    Object.entries(checks).forEach(outcomeOf);
  }, [checks]);
  const settled = Object.keys(outcomes).length === Object.keys(checks).length;
  useEffect(() => {
    if (settled) document.documentElement.dataset.ready = "1";
  }, [settled]);
  return (
    <main>
      <h1>{title}</h1>
      <table>
        <tbody>
          {Object.keys(checks).map((name) => (
            <tr key={name} data-check={name} data-result={outcomes[name]?.result ?? "pending"}>
              <th scope="row">{name}</th>
              <td>{outcomes[name]?.result ?? "pending"}</td>
              <td>{outcomes[name]?.detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}

function within(promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${LIMIT / 1000} s`)), LIMIT);
  });
  return Promise.race([promise, late]);
}
