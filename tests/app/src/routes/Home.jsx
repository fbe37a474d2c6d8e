import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { products } from "../api.js";
import { Failure } from "../parts/Failure.jsx";
import { ProductCard } from "../parts/ProductCard.jsx";
import { search } from "../search/search.js";
import { useText } from "../text.js";
import styles from "./Home.module.css";

export function Component() {
  const t = useText();
  const [typed, setTyped] = useState("");
  const query = useDeferredValue(typed.trim());
  const list = useQuery({ queryKey: ["products"], queryFn: products });
  const found = useMatches(list.data, query);
  return (
    <>
      <section className={styles.hero}>
        <h1>{t("home.title", "Things that last, for boats and for rain")}</h1>
        <p>{t("home.lead", "Nine of them. We use every one ourselves.")}</p>
        <input
          type="search"
          value={typed}
          placeholder={t("home.search", "Search: lamp, rope, cup …")}
          aria-label={t("home.search", "Search: lamp, rope, cup …")}
          onChange={(event) => setTyped(event.target.value)}
        />
      </section>
      {list.isPending && <Skeletons />}
      {list.isError && <Failure error={list.error} onRetry={() => list.refetch()} />}
      {list.isSuccess && found.length === 0 && <p>{t("home.nothing", "Nothing here goes by that name.")}</p>}
      <div className={styles.grid} data-products={list.isSuccess ? found.length : undefined}>
        {list.isSuccess && found.map((product) => <ProductCard key={product.id} product={product} />)}
      </div>
    </>
  );
}
Component.displayName = "Home";

/** The products that the worker finds; all of them without a query, or if there can be no worker. */
function useMatches(all, query) {
  const { data: ids } = useQuery({
    queryKey: ["search", query, all?.map(({ id }) => id)],
    queryFn: () => search(all, query),
    enabled: Boolean(all) && query !== "",
    placeholderData: (previous) => previous,
  });
  if (!all) return [];
  if (query === "" || !ids) return all;
  return ids.map((id) => all.find((product) => product.id === id)).filter(Boolean);
}

function Skeletons() {
  return (
    <div className={styles.grid} aria-hidden="true">
      {Array.from({ length: 6 }, (_, i) => (
        <div key={i} className={styles.skeleton} />
      ))}
    </div>
  );
}
